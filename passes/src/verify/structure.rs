//! Values, names and operations.

use super::node::{At, ensure};
use super::{Outcome, Report};
use crate::ir::{Applied, LeafId, MEANING, Map, Op, Plan, Return, SETUP, Target, Term, TermId};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// `defined-once`
pub(super) fn defined_once(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let mut defined = vec![false; block.types.len()];
        for (n, node) in block.nodes.iter().enumerate() {
            for r in &node.results {
                if std::mem::replace(&mut defined[r.index()], true) {
                    report.node(b, n, format!("%{} is defined a second time", r.0));
                }
            }
        }
        for v in (0..defined.len()).filter(|&v| !defined[v]) {
            report.block(b, format!("%{v} has a type but no node defines it"));
        }
    }
}

/// `defined-before-use`
pub(super) fn defined_before_use(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let ever = block.definitions();
        let mut defined = vec![false; block.types.len()];
        for (n, node) in block.nodes.iter().enumerate() {
            let late = |v: usize| !defined[v] && ever[v] != usize::MAX;
            for v in node.args.iter().filter(|v| late(v.index())) {
                report.node(b, n, format!("%{} is used before it is defined", v.0));
            }
            for r in &node.results {
                defined[r.index()] = true;
            }
        }
    }
}

/// `repeats`
pub(super) fn repeats(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let Some(every) = block.every else { continue };
        let own = ["", SETUP, MEANING].contains(&block.name.as_str());
        let sets = |r: &Return| matches!(r.target, Target::State(_));
        if every == 0 || own || !block.returns.iter().all(sets) {
            let message = "runs by itself, so it sets variables only, every few steps";
            report.block(b, format!("block {} {message}", block.name));
        }
    }
}

/// `arity`
pub(super) fn arity(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        for (n, node) in block.nodes.iter().enumerate() {
            let (takes, gives) = counts(plan, &node.op, node.args.len());
            if !takes.contains(&node.args.len()) || !gives.contains(&node.results.len()) {
                let message = format!(
                    "{:?} takes {} arguments and gives {} results, not {} and {}",
                    node.op,
                    number(&takes),
                    number(&gives),
                    node.args.len(),
                    node.results.len()
                );
                report.node(b, n, message);
            }
        }
    }
}

type Count = RangeInclusive<usize>;
const MANY: Count = 1..=usize::MAX;

fn number(count: &Count) -> String {
    let (low, high) = (count.start(), count.end());
    if low == high { low.to_string() } else { format!("at least {low}") }
}

/// How many arguments an operation takes and how many results it gives.
fn counts(plan: &Plan, op: &Op, args: usize) -> (Count, Count) {
    match op {
        Op::Input(_) | Op::Slot(_) | Op::Get(_) | Op::Zero => (0..=0, 1..=1),
        Op::Apply(Applied::Term(_)) | Op::Call(_) => (0..=usize::MAX, MANY),
        Op::Apply(Applied::Leaf(l)) => sides(plan, *l),
        Op::Apply(Applied::Adjoint(l)) => {
            let (domain, range) = sides(plan, *l);
            (range, domain)
        }
        Op::Add | Op::Concat => (MANY, 1..=1),
        Op::Map(map) => (operands(map), 1..=1),
        Op::Sub | Op::Scale | Op::Dot { .. } | Op::Take | Op::Combine | Op::Dots => (2..=2, 1..=1),
        Op::Axpy | Op::Put => (3..=3, 1..=1),
        Op::AllReduce(_) | Op::ReduceScatter(_) | Op::AllGather(_) | Op::Halo | Op::HaloSum => {
            (MANY, args..=args)
        }
        Op::Neg
        | Op::Conj
        | Op::Project(_)
        | Op::Cast
        | Op::Reshape
        | Op::Part(_)
        | Op::Reduce(_)
        | Op::OneHot
        | Op::AllToAll(_)
        | Op::Exchange
        | Op::Slice
        | Op::Pad(_)
        | Op::Partial(_)
        | Op::Copy => (1..=1, 1..=1),
    }
}

fn sides(plan: &Plan, leaf: LeafId) -> (Count, Count) {
    let s = &plan[leaf].signature;
    (s.domain.len()..=s.domain.len(), s.range.len()..=s.range.len())
}

fn operands(map: &Map) -> Count {
    match map {
        Map::Sqrt | Map::Abs => 1..=1,
        Map::Mul | Map::Div | Map::Max | Map::Min | Map::Less | Map::Soft | Map::Hard => 2..=2,
        Map::Select | Map::Clip => 3..=3,
        Map::Named(_) => MANY,
    }
}

/// `axis-lists`
pub(super) fn axis_lists(at: &At) -> Outcome {
    let (Op::AllReduce(axes)
    | Op::ReduceScatter(axes)
    | Op::AllGather(axes)
    | Op::Pad(axes)
    | Op::Partial(axes)) = &at.node.op
    else {
        return Ok(());
    };
    ensure(!axes.is_empty() && axes.is_sorted_by(|a, b| a < b), || {
        format!("axes [{}] should be some, ascending and different", at.names(axes))
    })
}

/// `unique-names`
pub(super) fn unique_names(plan: &Plan, report: &mut Report) {
    for (what, names) in [
        ("leaves", plan.leaves.iter().map(|l| &l.name).collect::<Vec<_>>()),
        ("slots", plan.slots.iter().map(|s| &s.name).collect()),
        ("states", plan.states.iter().map(|s| &s.name).collect()),
        ("blocks", plan.blocks.iter().map(|b| &b.name).collect()),
    ] {
        for name in repeated(names) {
            report.plan(format!("two {what} are called `{name}`"));
        }
    }
    for (b, block) in plan.blocks.iter().enumerate() {
        let controls = block.returns.iter().filter_map(|r| match &r.target {
            Target::Control(name) => Some(name),
            Target::State(_) | Target::Output => None,
        });
        for name in repeated(controls.collect()) {
            report.block(b, format!("two controls are called `{name}`"));
        }
    }
}

fn repeated(names: Vec<&String>) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|n| !seen.insert(*n)).collect()
}

/// `terms-earlier`
pub(super) fn terms_earlier(plan: &Plan, report: &mut Report) {
    for (t, term) in plan.terms.iter().enumerate() {
        let parts = parts(term);
        for part in parts.iter().flatten().filter(|p| p.0 as usize >= t) {
            report.plan(format!("term {t} is made of term {}, which is not earlier", part.0));
        }
        if parts.is_some_and(|p| p.is_empty()) {
            report.plan(format!("term {t} is made of no terms at all"));
        }
    }
}

/// The terms of which a term is made, if it is composite.
fn parts(term: &Term) -> Option<Vec<TermId>> {
    match term {
        Term::Leaf(_) | Term::Element(..) | Term::Regroup(..) => None,
        Term::Adjoint(t)
        | Term::Transpose(t)
        | Term::Conj(t)
        | Term::Scale(_, t)
        | Term::Lift(t, _) => Some(vec![*t]),
        Term::Sum(ts)
        | Term::Product(ts)
        | Term::VStack(ts)
        | Term::HStack(ts)
        | Term::BlockDiag(ts) => Some(ts.clone()),
        Term::Kronecker(ts) => Some(ts.to_vec()),
    }
}

/// `returns-once`
pub(super) fn returns_once(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for r in &block.returns {
            if let Target::State(s) = r.target
                && !seen.insert(s)
            {
                let name = &plan.states[s as usize].name;
                report.block(b, format!("state {name} is returned twice"));
            }
        }
    }
}

/// `buffers-cover`
pub(super) fn buffers_cover(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let (have, want) = (block.buffers.as_ref().map(Vec::len), block.types.len());
        if let Some(have) = have.filter(|&n| n != want) {
            report.block(b, format!("it plans {have} buffers for {want} values"));
        }
    }
}
