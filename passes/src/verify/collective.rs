//! Placements around communication, slice, pad, partial and copy.

use super::Outcome;
use super::compare::{expect, expect_resplit, no_dual, no_ghosts, same_cut, same_place};
use super::node::{At, ensure};
use crate::ir::Op;
use crate::mesh::Axis;
use crate::placement::{Placement, Split};
use std::collections::BTreeSet;

/// The axes that the operation names.
fn axes(op: &Op) -> &[Axis] {
    match op {
        Op::AllReduce(axes)
        | Op::ReduceScatter(axes)
        | Op::AllGather(axes)
        | Op::Pad(axes)
        | Op::Partial(axes) => axes,
        Op::AllToAll(axis) => std::slice::from_ref(axis),
        _ => &[],
    }
}

/// Demands that an argument is pending over the operation's axes; what stays pending.
fn less(at: &At, k: usize) -> Result<Vec<Axis>, String> {
    let (axes, pending) = (axes(&at.node.op), &at.arg(k).placement.pending);
    ensure(axes.iter().all(|a| pending.contains(a)), || {
        format!("{} is not pending over all of [{}]", at.say_arg(k), at.names(axes))
    })?;
    Ok(pending.iter().copied().filter(|a| !axes.contains(a)).collect())
}

/// The pending axes of the argument and the operation's, if they are different ones.
fn more(at: &At) -> Result<Vec<Axis>, String> {
    let (axes, pending) = (axes(&at.node.op), &at.arg(0).placement.pending);
    ensure(!axes.iter().any(|a| pending.contains(a)), || {
        format!("{} is pending over some of [{}] already", at.say_arg(0), at.names(axes))
    })?;
    let all: BTreeSet<_> = pending.iter().chain(axes).copied().collect();
    Ok(all.into_iter().collect())
}

/// The dims of which the splits of argument and result differ.
fn changed(at: &At) -> Vec<usize> {
    let (from, to) = (at.arg(0), at.result(0));
    let differs = |&d: &usize| {
        let (a, b) = (&from.placement.splits[d], &to.placement.splits[d]);
        !super::compare::same_split(a, b, from.dims[d])
    };
    (0..from.dims.len()).filter(differs).collect()
}

/// The minor axes by which `fine` splits a dim of `n` further than `coarse`, at the same cuts.
fn finer<'a>(coarse: &Split, fine: &'a Split, n: usize) -> Option<&'a [Axis]> {
    let nested = coarse.axes.is_empty() || same_cut(coarse, fine, n);
    fine.axes.strip_prefix(coarse.axes.as_slice()).filter(|_| nested)
}

/// The axes by which dim `d` of the argument is split further than the result's.
fn lost<'a>(at: &At<'a>, d: usize) -> Option<&'a [Axis]> {
    finer(&at.result(0).placement.splits[d], &at.arg(0).placement.splits[d], at.arg(0).dims[d])
}

/// The axes by which dim `d` of the result is split further than the argument's.
fn gained<'a>(at: &At<'a>, d: usize) -> Option<&'a [Axis]> {
    finer(&at.arg(0).placement.splits[d], &at.result(0).placement.splits[d], at.arg(0).dims[d])
}

fn same_set(a: &[Axis], b: &[Axis]) -> bool {
    a.len() == b.len() && a.iter().all(|axis| b.contains(axis))
}

/// Operands from one on are settled, and nothing else changes.
fn settles(at: &At, first: usize) -> Outcome {
    for k in first..at.node.args.len() {
        let pending = less(at, k)?;
        expect(at, k, &Placement { pending, ..at.arg(k).placement.clone() })?;
    }
    Ok(())
}

/// `all-reduce`
pub(super) fn all_reduce(at: &At) -> Outcome {
    settles(at, 0)
}

/// `riders`
pub(super) fn riders(at: &At) -> Outcome {
    settles(at, 1)?;
    for k in 1..at.node.args.len() {
        no_ghosts(at, k)?;
    }
    Ok(())
}

/// `reduce-scatter`
pub(super) fn reduce_scatter(at: &At) -> Outcome {
    let axes = axes(&at.node.op);
    expect_resplit(at, &less(at, 0)?)?;
    let one = match changed(at).as_slice() {
        [d] => gained(at, *d).is_some_and(|more| same_set(more, axes)),
        _ => false,
    };
    ensure(one, || {
        let axes = at.names(axes);
        format!("{} should have one dim split further over [{axes}]", at.say_result(0))
    })
}

/// `all-gather`
pub(super) fn all_gather(at: &At) -> Outcome {
    let axes = axes(&at.node.op);
    expect_resplit(at, &at.arg(0).placement.pending)?;
    let one = match changed(at).as_slice() {
        [d] => lost(at, *d).is_some_and(|less| same_set(less, axes)),
        _ => false,
    };
    ensure(one, || {
        let axes = at.names(axes);
        format!("{} should have one dim gathered over [{axes}]", at.say_result(0))
    })
}

/// `all-to-all`
pub(super) fn all_to_all(at: &At) -> Outcome {
    let axes = axes(&at.node.op);
    expect_resplit(at, &at.arg(0).placement.pending)?;
    let two = match changed(at).as_slice() {
        [d, e] => {
            let moves = |d, e| lost(at, d) == Some(axes) && gained(at, e) == Some(axes);
            moves(*d, *e) || moves(*e, *d)
        }
        _ => false,
    };
    ensure(two, || {
        let axes = at.names(axes);
        format!("{axes} should move from one dim to another of {}", at.say_result(0))
    })
}

/// `exchange`
pub(super) fn exchange(at: &At) -> Outcome {
    expect_resplit(at, &at.arg(0).placement.pending)?;
    let (from, to) = (&at.arg(0).placement, &at.result(0).placement);
    ensure(from.split_axes() == to.split_axes(), || {
        format!("{} and {} should be split over one set of axes", at.say_arg(0), at.say_result(0))
    })
}

/// `halo`
pub(super) fn halo(at: &At) -> Outcome {
    for k in 0..at.node.args.len() {
        no_dual(at, k)?;
        let (from, to) = (&at.arg(k).placement, &at.result(k).placement);
        ensure(to.has_ghosts() && !to.dual, || {
            format!("{} should have valid ghosts", at.say_result(k))
        })?;
        expect(at, k, &Placement { ghosts: to.ghosts.clone(), ..from.clone() })?;
        same_axes(at, k)?;
    }
    Ok(())
}

/// Values of one call are split over one set of axes.
fn same_axes(at: &At, k: usize) -> Outcome {
    let axes = |k| at.arg(k).placement.split_axes();
    ensure(axes(k) == axes(0), || {
        format!("{} and {} should be split over one set of axes", at.say_arg(0), at.say_arg(k))
    })
}

/// `halo-sum`
pub(super) fn halo_sum(at: &At) -> Outcome {
    for k in 0..at.node.args.len() {
        let from = &at.arg(k).placement;
        ensure(from.dual, || format!("{} has no ghosts to be added", at.say_arg(k)))?;
        expect(at, k, &from.without_ghosts())?;
        same_axes(at, k)?;
    }
    Ok(())
}

/// `slice`
pub(super) fn slice(at: &At) -> Outcome {
    no_dual(at, 0)?;
    let (from, to) = (&at.arg(0).placement, &at.result(0).placement);
    ensure(!to.dual && from.pending == to.pending, || {
        format!("{} should be pending alike, its ghosts valid", at.say_result(0))
    })?;
    for d in 0..at.arg(0).dims.len() {
        ensure(gained(at, d).is_some(), || {
            format!("dim {d} of {} is not split further in {}", at.say_arg(0), at.say_result(0))
        })?;
        let (have, want) = (from.ghosts[d], to.ghosts[d]);
        let held = from.splits[d].axes.is_empty() || (want.0 <= have.0 && want.1 <= have.1);
        ensure(held, || format!("{} has ghosts that {} lacks", at.say_result(0), at.say_arg(0)))?;
    }
    Ok(())
}

/// `pad`
pub(super) fn pad(at: &At) -> Outcome {
    expect_resplit(at, &more(at)?)?;
    let mut all = Vec::new();
    for d in changed(at) {
        let less = lost(at, d).ok_or_else(|| {
            format!("dim {d} of {} should lose minor axes only", at.say_result(0))
        })?;
        all.extend_from_slice(less);
    }
    let axes = axes(&at.node.op);
    ensure(same_set(&all, axes), || {
        format!("{} should lose the axes [{}]", at.say_result(0), at.names(axes))
    })
}

/// `partial`
pub(super) fn partial(at: &At) -> Outcome {
    no_dual(at, 0)?;
    let pending = more(at)?;
    expect(at, 0, &Placement { pending, ..at.arg(0).placement.clone() })
}

/// `copy`
pub(super) fn copy(at: &At) -> Outcome {
    let (from, to) = (at.arg(0), at.result(0));
    let alike = same_place(&from.placement, &to.placement, &from.dims);
    ensure(alike && from.placement.space != to.placement.space, || {
        format!("{} should differ from {} in its memory only", at.say_result(0), at.say_arg(0))
    })
}
