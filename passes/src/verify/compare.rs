//! When two placements are the same: names of cuts do not matter, memories are another rule's.

use super::Outcome;
use super::node::{At, ensure};
use crate::placement::{Cut, Placement, Split, Type};

/// The cut of a dim of `n`, unless it is the balanced one.
fn declared(split: &Split, n: usize) -> Option<&Cut> {
    let balanced =
        |c: &Cut| c.size == n && c.weights.is_none() && c.spread == crate::signature::Spread::One;
    split.cut.as_deref().filter(|c| !split.axes.is_empty() && !balanced(c))
}

/// Whether a dim of `n` is cut at the same points.
pub(super) fn same_cut(a: &Split, b: &Split, n: usize) -> bool {
    match (declared(a, n), declared(b, n)) {
        (None, None) => true,
        (Some(a), Some(b)) => a.size == b.size && a.weights == b.weights && a.spread == b.spread,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Whether a dim of `n` is split alike.
pub(super) fn same_split(a: &Split, b: &Split, n: usize) -> bool {
    a.axes == b.axes && same_cut(a, b, n)
}

/// Whether all dims are split alike.
pub(super) fn same_splits(a: &[Split], b: &[Split], dims: &[usize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).zip(dims).all(|((a, b), &n)| same_split(a, b, n))
}

/// Whether a part of these dims is placed alike, in whichever memory.
pub(super) fn same_place(a: &Placement, b: &Placement, dims: &[usize]) -> bool {
    same_splits(&a.splits, &b.splits, dims)
        && a.ghosts == b.ghosts
        && a.dual == b.dual
        && a.pending == b.pending
}

/// Whether two types are the same.
pub(super) fn same_type(a: &Type, b: &Type) -> bool {
    a.same_shape(b)
        && same_place(&a.placement, &b.placement, &a.dims)
        && a.placement.space == b.placement.space
}

/// Compares the placement of a result with the one that follows from the arguments.
pub(super) fn expect(at: &At, k: usize, want: &Placement) -> Outcome {
    let have = at.result(k);
    ensure(same_place(&have.placement, want, &have.dims), || {
        let want = have.placed(Placement { space: have.placement.space, ..want.clone() });
        format!("{} should be {}", at.say_result(k), want.text(&at.plan.mesh))
    })
}

/// Demands that a result differs from its argument in its splits at most.
pub(super) fn expect_resplit(at: &At, pending: &[usize]) -> Outcome {
    let (from, to) = (&at.arg(0).placement, &at.result(0).placement);
    no_ghosts(at, 0)?;
    ensure(!to.has_ghosts(), || format!("{} should have no ghosts", at.say_result(0)))?;
    ensure(to.pending == pending, || {
        let was = at.names(&from.pending);
        let pending = at.names(pending);
        format!("{} should be pending over [{pending}], as it was over [{was}]", at.say_result(0))
    })
}

/// Demands an argument without ghosts.
pub(super) fn no_ghosts(at: &At, k: usize) -> Outcome {
    let ghosts = at.arg(k).placement.has_ghosts();
    ensure(!ghosts, || format!("{} should have no ghosts", at.say_arg(k)))
}

/// Demands an argument without dual ghosts.
pub(super) fn no_dual(at: &At, k: usize) -> Outcome {
    let dual = at.arg(k).placement.dual;
    ensure(!dual, || format!("ghosts of {} are still to be added", at.say_arg(k)))
}

/// Demands an argument that is no pending sum.
pub(super) fn settled(at: &At, k: usize) -> Outcome {
    let settled = at.arg(k).placement.pending.is_empty();
    ensure(settled, || format!("{} is a pending sum where none can be", at.say_arg(k)))
}

/// Demands an argument that every rank holds whole and settled.
pub(super) fn replicated(at: &At, k: usize) -> Outcome {
    let whole = at.arg(k).placement.is_replicated();
    ensure(whole, || format!("{} should be settled and the same on every rank", at.say_arg(k)))
}

/// Demands two arguments that are placed alike.
pub(super) fn alike(at: &At, a: usize, b: usize) -> Outcome {
    let (x, y) = (at.arg(a), at.arg(b));
    ensure(same_place(&x.placement, &y.placement, &x.dims), || {
        format!("{} and {} should be placed alike", at.say_arg(a), at.say_arg(b))
    })
}

/// The placement of some of a part's dims, settled and without ghosts.
pub(super) fn of_dims(place: &Placement, dims: std::ops::Range<usize>) -> Placement {
    Placement {
        splits: place.splits[dims.clone()].to_vec(),
        ghosts: vec![(0, 0); dims.len()],
        space: place.space,
        ..Placement::default()
    }
}
