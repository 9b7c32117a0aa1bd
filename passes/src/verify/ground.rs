//! Nothing points outside: rules on which all others rely.

use super::node::ensure;
use super::{Outcome, Report};
use crate::ir::{Applied, LeafId, Op, Plan, Return, SlotId, Target, Term, TermId, Value};
use crate::mesh::Axis;
use crate::placement::{Split, Type};
use std::collections::BTreeSet;

/// `mesh-axes`
pub(super) fn mesh_axes(plan: &Plan, report: &mut Report) {
    let mut names = BTreeSet::new();
    for (name, size) in &plan.mesh.axes {
        if !names.insert(name) {
            report.plan(format!("two axes of the mesh are called {name}"));
        }
        if *size == 0 {
            report.plan(format!("axis {name} has no ranks"));
        }
    }
}

/// `ids-in-range`
pub(super) fn ids_in_range(plan: &Plan, report: &mut Report) {
    for leaf in &plan.leaves {
        if let Err(wrong) = leaf.tile.iter().try_for_each(|s| split(plan, s)) {
            report.plan(format!("the tile of {} names {wrong}", leaf.name));
        }
    }
    for (t, term) in plan.terms.iter().enumerate() {
        if let Err(wrong) = term_ids(plan, term) {
            report.plan(format!("term {t} names {wrong}"));
        }
    }
    for state in &plan.states {
        if let Err(wrong) = type_axes(plan, &state.ty) {
            report.plan(format!("state {} names {wrong}", state.name));
        }
    }
    for b in 0..plan.blocks.len() {
        block_ids(plan, b, report);
    }
}

/// `dims-match`
pub(super) fn dims_match(_: &Plan, ty: &Type) -> Outcome {
    let (n, p) = (ty.dims.len(), &ty.placement);
    ensure(p.splits.len() == n && p.ghosts.len() == n, || {
        format!("has {n} dims, {} splits and {} pairs of ghosts", p.splits.len(), p.ghosts.len())
    })
}

fn block_ids(plan: &Plan, b: usize, report: &mut Report) {
    let block = &plan.blocks[b];
    let values = block.types.len();
    for (v, ty) in block.types.iter().enumerate() {
        if let Err(wrong) = type_axes(plan, ty) {
            report.block(b, format!("the type of %{v} names {wrong}"));
        }
    }
    for (n, node) in block.nodes.iter().enumerate() {
        let of_values = node.args.iter().chain(&node.results).try_for_each(|&v| value(values, v));
        if let Err(wrong) = op_ids(plan, &node.op).and(of_values) {
            report.node(b, n, format!("it names {wrong}"));
        }
    }
    for Return { target, value: v } in &block.returns {
        let of_target = match target {
            Target::State(s) => state(plan, *s),
            Target::Output | Target::Control(_) => Ok(()),
        };
        if let Err(wrong) = of_target.and(value(values, *v)) {
            report.block(b, format!("a return names {wrong}"));
        }
    }
}

fn op_ids(plan: &Plan, op: &Op) -> Outcome {
    match op {
        Op::Slot(s) => slot(plan, *s),
        Op::Get(s) => state(plan, *s),
        Op::Project(p) => p.onto.iter().try_for_each(|&l| leaf(plan, l)),
        Op::Apply(Applied::Term(t)) => term(plan, *t),
        Op::Apply(Applied::Leaf(l) | Applied::Adjoint(l)) => leaf(plan, *l),
        Op::AllToAll(a) => axis(plan, *a),
        Op::AllReduce(axes)
        | Op::ReduceScatter(axes)
        | Op::AllGather(axes)
        | Op::Pad(axes)
        | Op::Partial(axes) => axes.iter().try_for_each(|&a| axis(plan, a)),
        Op::Input(_)
        | Op::Zero
        | Op::Add
        | Op::Sub
        | Op::Neg
        | Op::Scale
        | Op::Axpy
        | Op::Conj
        | Op::Cast
        | Op::Reshape
        | Op::Concat
        | Op::Part(_)
        | Op::Dot { .. }
        | Op::Map(_)
        | Op::Call(_)
        | Op::Reduce(_)
        | Op::Take
        | Op::Put
        | Op::Combine
        | Op::Dots
        | Op::OneHot
        | Op::Exchange
        | Op::Halo
        | Op::HaloSum
        | Op::Slice
        | Op::Copy => Ok(()),
    }
}

fn term_ids(plan: &Plan, of: &Term) -> Outcome {
    match of {
        Term::Leaf(l) => leaf(plan, *l),
        Term::Adjoint(t) | Term::Transpose(t) | Term::Conj(t) | Term::Lift(t, _) => term(plan, *t),
        Term::Scale(c, t) => {
            c.slots.iter().try_for_each(|&(s, _)| slot(plan, s))?;
            term(plan, *t)
        }
        Term::Sum(ts)
        | Term::Product(ts)
        | Term::VStack(ts)
        | Term::HStack(ts)
        | Term::BlockDiag(ts) => ts.iter().try_for_each(|&t| term(plan, t)),
        Term::Kronecker(ts) => ts.iter().try_for_each(|&t| term(plan, t)),
        Term::Element(..) | Term::Regroup(..) => Ok(()),
    }
}

fn type_axes(plan: &Plan, ty: &Type) -> Outcome {
    ty.placement.splits.iter().try_for_each(|s| split(plan, s))?;
    ty.placement.pending.iter().try_for_each(|&a| axis(plan, a))
}

fn split(plan: &Plan, split: &Split) -> Outcome {
    split.axes.iter().try_for_each(|&a| axis(plan, a))
}

fn leaf(plan: &Plan, id: LeafId) -> Outcome {
    exists("leaf", id.0 as usize, plan.leaves.len())
}

fn term(plan: &Plan, id: TermId) -> Outcome {
    exists("term", id.0 as usize, plan.terms.len())
}

fn slot(plan: &Plan, id: SlotId) -> Outcome {
    exists("slot", id.0 as usize, plan.slots.len())
}

fn state(plan: &Plan, id: u32) -> Outcome {
    exists("state", id as usize, plan.states.len())
}

fn axis(plan: &Plan, id: Axis) -> Outcome {
    exists("axis", id, plan.mesh.axes.len())
}

fn value(values: usize, id: Value) -> Outcome {
    exists("value", id.index(), values)
}

fn exists(what: &str, id: usize, len: usize) -> Outcome {
    ensure(id < len, || format!("{what} {id} of {len}"))
}
