//! Whether what ranks do at true size occurs on the small mesh too.

use crate::calls::{Call, Calls, Kernel, Kind, Transfer, View};
use crate::ir::{LeafId, Op, Over, Plan};
use crate::placement::{Split, Type};
use crate::signature::Spread;
use std::collections::{BTreeMap, BTreeSet};

/// Up to how many ranks all are lowered and looked at; of more, a sample.
pub(super) const ALL: usize = 64;

/// Whether the boxes of every rank that is looked at are of the class of some small rank's: for
/// each value none, one or many indices of each dim, and ghosts below and above.
///
/// Dims that tables or weights cut are not compared.
pub(super) fn boxes_match(large: &Plan, small: &Plan) -> Result<(), String> {
    let values = representatives(large);
    let all: Vec<_> = (0..small.mesh.ranks()).collect();
    let known: BTreeSet<_> = all.into_iter().map(|r| class(large, small, &values, r)).collect();
    for rank in sample(large) {
        if !known.contains(&class(large, large, &values, rank)) {
            return Err(format!("rank {rank} holds what no rank of a small mesh does"));
        }
    }
    Ok(())
}

/// One value of each type, by block and index.
fn representatives(plan: &Plan) -> Vec<(usize, usize)> {
    let mut seen: BTreeMap<&Type, (usize, usize)> = BTreeMap::new();
    for (b, block) in plan.blocks.iter().enumerate() {
        for (v, ty) in block.types.iter().enumerate() {
            seen.entry(ty).or_insert((b, v));
        }
    }
    seen.into_values().collect()
}

/// The class of a rank; `plan` is `large` or its small copy.
fn class(large: &Plan, plan: &Plan, values: &[(usize, usize)], rank: usize) -> Vec<usize> {
    let at = plan.mesh.coordinates(rank);
    let mut out = Vec::new();
    for &(b, v) in values {
        let (ty, splits) = (&plan.blocks[b].types[v], &large.blocks[b].types[v].placement.splits);
        let (owned, held) = (ty.owned(&plan.mesh, &at), ty.held(&plan.mesh, &at));
        for ((own, hold), split) in owned.iter().zip(&held).zip(splits) {
            if !split.axes.is_empty() && !is_irregular(split) {
                let ghosts = [hold.start < own.start, own.end < hold.end];
                out.push(own.len().min(2));
                out.extend(ghosts.map(usize::from));
            }
        }
    }
    out
}

fn is_irregular(split: &Split) -> bool {
    split.cut.as_ref().is_some_and(|c| c.weights.is_some() || matches!(c.spread, Spread::Table(_)))
}

/// All ranks of a small mesh; else the first, second, middle and last along each axis.
fn sample(plan: &Plan) -> Vec<usize> {
    if plan.mesh.ranks() <= ALL {
        return (0..plan.mesh.ranks()).collect();
    }
    let mut corners = vec![Vec::new()];
    for (_, n) in &plan.mesh.axes {
        let mut along = vec![0, 1, n / 2, n - 1];
        along.retain(|c| c < n);
        along.dedup();
        let longer = |at: Vec<usize>| {
            along.iter().map(|&c| [at.as_slice(), &[c]].concat()).collect::<Vec<_>>()
        };
        corners = corners.into_iter().flat_map(longer).collect();
    }
    let ranks: BTreeSet<_> = corners.iter().map(|at| plan.mesh.rank(at)).collect();
    ranks.into_iter().collect()
}

/// Whether the calls of every rank are those of some small rank: the same steps in the same order
/// on the same buffers, and transfers of the same form.
pub(super) fn calls_match(large: &[Calls], small: &[Calls]) -> Result<(), String> {
    let known: BTreeSet<_> = small.iter().map(steps).collect();
    let found: BTreeSet<_> = small.iter().flat_map(messages).collect();
    for calls in large {
        if !known.contains(&steps(calls)) {
            return Err(format!("rank {} does what no rank of a small mesh does", calls.rank));
        }
        if messages(calls).iter().any(|m| !found.contains(m)) {
            return Err(format!("rank {} exchanges as no rank of a small mesh does", calls.rank));
        }
    }
    Ok(())
}

/// One call without sizes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Kernel(LeafId, usize, bool, Vec<usize>, Vec<usize>),
    Local(Op, Vec<usize>, usize),
    Copy(Option<usize>, Vec<(usize, usize)>),
    Start(u32, Kind, u32, bool, Vec<usize>),
    Wait(u32),
    Region(Over),
}

fn steps(calls: &Calls) -> Vec<Step> {
    let buffers = |views: &[View]| views.iter().map(|v| v.buffer).collect::<Vec<_>>();
    let step = |call: &Call| match call {
        Call::Kernel(Kernel { leaf, tile, adjoint, inputs, outputs }) => {
            Step::Kernel(*leaf, *tile, *adjoint, buffers(inputs), buffers(outputs))
        }
        Call::Local { op, args, out } => Step::Local(op.clone(), buffers(args), out.buffer),
        Call::Copy { clear, moves } => Step::Copy(
            clear.as_ref().map(|v| v.buffer),
            moves.iter().map(|(from, to)| (from.buffer, to.buffer)).collect(),
        ),
        Call::Start { id, transfer } => {
            Step::Start(*id, transfer.kind, transfer.tag, transfer.add, form(transfer))
        }
        Call::Wait { id } => Step::Wait(*id),
        Call::Region { over, .. } => Step::Region(*over),
    };
    let calls = calls.blocks.iter().flat_map(|b| &b.calls);
    calls.flat_map(Call::inner).map(step).collect()
}

/// The buffers that a collective reads and writes; of an exchange they depend on who has what.
fn form(transfer: &Transfer) -> Vec<usize> {
    if transfer.kind == Kind::Exchange {
        return Vec::new();
    }
    let first = [transfer.sends.first(), transfer.recvs.first()].into_iter().flatten();
    first.flat_map(|p| &p.slabs).map(|s| s.buffer).collect()
}

/// For each exchange whether a rank sends and receives no, one or many messages.
fn messages(calls: &Calls) -> Vec<(usize, u32, usize, usize)> {
    let mut out = Vec::new();
    for (b, block) in calls.blocks.iter().enumerate() {
        for call in &block.calls {
            if let Call::Start { transfer: t, .. } = call
                && t.kind == Kind::Exchange
            {
                out.push((b, t.tag, t.sends.len().min(2), t.recvs.len().min(2)));
            }
        }
    }
    out
}
