//! The plan that the contest chooses against brute force over finished plans.
//!
//! Random expressions of at most eight nodes on meshes of at most twelve ranks: every assignment
//! of the search is finished by all passes, and the cheapest of them is compared with the choice.
//! `ADJOIN_BRUTE` sets how many expressions are tried, `ADJOIN_BRUTE_PLANS` of how many assignments
//! at most all are finished, and `ADJOIN_SEED` which expressions are drawn.

mod support;

use adjoin::Mesh;
use adjoin::expr::lower;
use adjoin_passes::cost::Account;
use adjoin_passes::ir::Op;
use adjoin_passes::pipeline::compile_algebra;
use adjoin_passes::search::every;
use adjoin_passes::{Context, Plan, compile};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::Arc;
use std::time::Instant;
use support::trees::{Case, cases};

const NODES: usize = 8;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// An expression of which all assignments were finished.
struct Tried {
    case: String,
    assignments: usize,
    /// By how much the choice is dearer than the best, as a fraction.
    gap: f64,
    /// Where the best stands in the search's order.
    rank: usize,
    chosen: Plan,
    best: Plan,
}

/// Compares the contest's choice with all assignments; none if there is nothing to choose, or more
/// than can be tried.
fn tried(case: &Case, most: usize) -> Option<Tried> {
    let vector = case.vector();
    let (mesh, machine) = (Mesh::parse(case.mesh).expect("a mesh"), case.machine());
    let cx = Context { mesh, machine, ..Context::default() };
    let source = lower(&vector).ok()?.plan;
    let before = compile_algebra(&source, &cx).expect("a sound expression");
    let counted = |op: &Op| !matches!(op, Op::Slot(_) | Op::Input(_));
    let nodes = before.blocks[0].nodes.iter().filter(|n| counted(&n.op)).count();
    if nodes > NODES || cx.mesh.ranks() == 1 {
        return None;
    }
    let all = every(&before, &cx, most, most)?;
    let cost = |plan: &Plan| Account::of(plan, &cx.machine).weighted();
    let chosen = compile(&source, &cx).expect("a plan").plan;
    let mut best = (cost(&chosen), usize::MAX, chosen.clone());
    for (rank, decisions) in all.cheapest.into_iter().enumerate() {
        let decisions = Some(Arc::new(decisions));
        let plan = compile(&before, &Context { decisions, ..cx.clone() }).expect("a plan").plan;
        if cost(&plan) < best.0 * (1.0 - 1e-9) {
            best = (cost(&plan), rank, plan);
        }
    }
    let place = format!("{vector}\non {}, network {}", case.mesh, case.network);
    let gap = cost(&chosen) / best.0 - 1.0;
    Some(Tried { case: place, assignments: all.count, gap, rank: best.1, chosen, best: best.2 })
}

#[test]
fn the_contest_finds_the_cheapest_finished_plan_in_nearly_all_cases() {
    let (wanted, most) = (number("ADJOIN_BRUTE", 40), number("ADJOIN_BRUTE_PLANS", 400));
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("ADJOIN_SEED", 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (begin, strategy) = (Instant::now(), cases(3));
    let mut all = Vec::new();
    while all.len() < wanted {
        let case = strategy.new_tree(&mut runner).expect("a case").current();
        all.extend(tried(&case, most).filter(|t| t.assignments > 1));
    }
    let missed: Vec<&Tried> = all.iter().filter(|t| t.gap > 1e-9).collect();
    let assignments: usize = all.iter().map(|t| t.assignments).sum();
    println!(
        "{} expressions, {assignments} finished plans, {:.1} s; the best was not found in {}",
        all.len(),
        begin.elapsed().as_secs_f64(),
        missed.len()
    );
    for t in &missed {
        println!("{:.3} % at {} of {}: {}", 100.0 * t.gap, t.rank, t.assignments, t.case);
    }
    if let Some(worst) = missed.iter().max_by(|a, b| a.gap.total_cmp(&b.gap)) {
        println!("\nthe worst\n{}\nchosen\n{}best\n{}", worst.case, worst.chosen, worst.best);
    }
    assert!(missed.len() * 20 <= all.len(), "missed {} of {}", missed.len(), all.len());
}
