//! Runs passes on plan text, for their tests.
//!
//! The documentation of a pass begins with two plans in full, in blocks that are fenced as
//! `before` and `after`: what it makes of the first must be the second, to the letter.
//! Whatever a test runs is verified, proven, and run again to the same plan.

use crate::agree::agree;
use crate::certify::Verdict;
use crate::ir::{Op, Plan, Value};
use crate::machine::Machine;
use crate::mesh::Mesh;
use crate::pipeline::{Context, Numerics, PIPELINE, Pass, run};
use crate::placement::{Placement, Split};
use crate::text;
use crate::verify::verify;
use std::fmt::Write as _;
use std::path::Path;

/// What a pass makes of a plan text, on the mesh of that plan.
pub(crate) fn after(pass: &dyn Pass, before: &str) -> Plan {
    let before = read(before);
    let numerics = pass.numerics().max(Numerics::default());
    let cx = Context { mesh: before.mesh.clone(), numerics, ..Context::default() };
    proven(pass, &before, &cx).unwrap_or_else(|e| panic!("{e}"))
}

/// The same on a machine that communicates by itself while ranks work.
pub(crate) fn after_beside(pass: &dyn Pass, before: &str) -> Plan {
    let before = read(before);
    let machine = Machine::default().with_overlap(1.0);
    let cx = Context { mesh: before.mesh.clone(), machine, ..Context::default() };
    proven(pass, &before, &cx).unwrap_or_else(|e| panic!("{e}"))
}

/// What a pass makes of a plan text on a mesh of cores so slow that splitting always pays.
pub(crate) fn after_on(pass: &dyn Pass, mesh: &str, before: &str) -> Plan {
    let mesh = Mesh::parse(mesh).unwrap_or_else(|e| panic!("{e}"));
    let machine = Machine::default().with_flops(1e3).with_link(1e-9, 5e9);
    let cx = Context { mesh, machine, ..Context::default() };
    proven(pass, &read(before), &cx).unwrap_or_else(|e| panic!("{e}"))
}

/// Whether a pass leaves a plan text as it is.
pub(crate) fn unchanged(pass: &dyn Pass, before: &str) -> bool {
    let plan = crate::pipeline::tidy(&read(before));
    after(pass, before) == plan
}

/// Whether a pass leaves a plan of so many elements that a certificate would take long.
pub(crate) fn unchanged_unproven(pass: &dyn Pass, before: &str) -> bool {
    let plan = crate::pipeline::tidy(&read(before));
    run(pass, &plan, &Context::default()).is_ok_and(|after| after == plan)
}

/// The nodes of a plan without its head and its last line, for short snapshots.
pub(crate) fn nodes(plan: &Plan) -> String {
    let text = plan.to_string();
    let node = |l: &&str| l.starts_with('%') || l.starts_with("store") || l.starts_with("  ");
    text.lines().filter(node).collect::<Vec<_>>().join("\n")
}

/// The terms of a plan, for short snapshots.
pub(crate) fn terms(plan: &Plan) -> String {
    let text = plan.to_string();
    let term = |l: &&str| l.starts_with("term") || l.contains("= apply") || l.contains("= cast");
    text.lines().filter(term).collect::<Vec<_>>().join("\n")
}

/// Reads a plan whose lines may be indented.
pub(crate) fn read(plan: &str) -> Plan {
    let lines: Vec<_> = plan.lines().map(str::trim).collect();
    text::parse(&lines.join("\n")).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a pass on a plan that is verified and proven itself, and proves what it makes.
fn proven(pass: &dyn Pass, before: &Plan, cx: &Context) -> Result<Plan, String> {
    verify(before).map_err(|v| format!("the plan before is wrong: {v}\n{before}"))?;
    let after = run(pass, before, cx).map_err(|e| e.to_string())?;
    let again = run(pass, &after, cx).map_err(|e| e.to_string())?;
    if after != again {
        return Err(format!("{} is not done after one run:\n{after}\n{again}", pass.name()));
    }
    let source = expression(before);
    for plan in [before, &after] {
        match agree(&source, plan) {
            Verdict::Proven => {}
            verdict => return Err(format!("{verdict:?}\n{plan}")),
        }
    }
    Ok(after)
}

/// The unplaced plan that a placed one computes: communication changes no value.
fn expression(plan: &Plan) -> Plan {
    let mut out = Plan { mesh: Mesh::default(), blocks: Vec::new(), ..plan.clone() };
    out.leaves.iter_mut().for_each(|leaf| leaf.tile.fill(Split::none()));
    for state in &mut out.states {
        state.ty.placement = Placement::replicated(state.ty.dims.len());
    }
    for block in &plan.blocks {
        let mut made = block.emptied();
        let mut map = vec![Value(0); block.types.len()];
        for node in &block.nodes {
            let args: Vec<_> = node.args.iter().map(|v| map[v.index()]).collect();
            let local = !matches!(
                node.op,
                Op::Slice | Op::Pad(_) | Op::Partial(_) | Op::Copy | Op::AllReduce(_)
            ) && (!node.op.communicates() || matches!(node.op, Op::Reduce(_)));
            let values = if local {
                let whole = |v: &Value| {
                    let ty = block.ty(*v);
                    ty.placed(Placement::replicated(ty.dims.len()))
                };
                made.push_many(node.op.clone(), &args, node.results.iter().map(whole).collect())
            } else {
                args
            };
            for (r, v) in node.results.iter().zip(values) {
                map[r.index()] = v;
            }
        }
        for r in &block.returns {
            made.give(r.target.clone(), map[r.value.index()]);
        }
        out.blocks.push(made);
    }
    out
}

/// The plan in the block of a file's documentation that is fenced with this word.
fn fenced(source: &str, word: &str) -> Option<String> {
    let lines = source.lines().map_while(|l| l.strip_prefix("//!"));
    let lines = lines.map(|l| l.strip_prefix(' ').unwrap_or(l));
    let fence = format!("```{word}");
    let mut block = lines.skip_while(|l| *l != fence);
    block.next()?;
    Some(block.take_while(|l| *l != "```").fold(String::new(), |text, line| text + line + "\n"))
}

#[test]
fn the_examples_in_the_documentation_of_all_passes_are_true() {
    let mut report = String::new();
    for (pass, _) in PIPELINE {
        let file = format!("{}.rs", pass.name().replace('-', "_"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&file);
        let source = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{file}: {e}"));
        let (Some(before), Some(after)) = (fenced(&source, "before"), fenced(&source, "after"))
        else {
            let _ = writeln!(report, "{file} has no plans fenced as `before` and `after`");
            continue;
        };
        // Communication that runs by itself is what one pass is about, and no matter to the others.
        let machine = Machine::default().with_overlap(1.0);
        let numerics = pass.numerics().max(Numerics::default());
        let mesh = text::parse(&after).unwrap_or_else(|e| panic!("{file}: {e}")).mesh;
        let cx = Context { mesh, machine, numerics, ..Context::default() };
        match proven(*pass, &read(&before), &cx) {
            Ok(plan) if text::print(&plan) == after => {}
            Ok(plan) => {
                let made = text::print(&plan);
                let _ = writeln!(report, "{file} says\n{after}but it makes\n{made}");
            }
            Err(reason) => {
                let _ = writeln!(report, "{file}: {reason}");
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}
