//! Placements of nodes that do not communicate: linear maps, maps, dots, whole values.

use super::Outcome;
use super::compare::{
    alike, expect, no_dual, no_ghosts, of_dims, replicated, same_splits, settled,
};
use super::node::{At, ensure};
use crate::ir::{Op, Value};
use crate::placement::{Placement, Type};

/// `spaces`
pub(super) fn spaces(at: &At) -> Outcome {
    let values = || at.node.args.iter().chain(&at.node.results);
    let space = |v: &Value| at.block.ty(*v).placement.space;
    let Some(first) = values().next() else { return Ok(()) };
    let other = values().find(|v| space(v) != space(first));
    ensure(other.is_none(), || {
        let other = other.map_or_else(String::new, |v| at.say(*v));
        format!("{} and {other} are in different memories", at.say(*first))
    })
}

/// `elementwise-place`
pub(super) fn elementwise(at: &At) -> Outcome {
    for k in 1..at.node.args.len() {
        alike(at, 0, k)?;
    }
    if matches!(at.node.op, Op::Conj | Op::Cast | Op::Project(_)) {
        no_dual(at, 0)?;
    }
    expect(at, 0, &at.arg(0).placement)
}

/// `scale-place`
pub(super) fn scale(at: &At) -> Outcome {
    settled(at, 0)?;
    let (a, x) = (at.arg(0), at.arg(1));
    let (a, dims) = (&a.placement, &a.dims);
    let from = x.dims.len() - dims.len();
    let trailing = &x.placement.splits[from..];
    let alike = same_splits(&a.splits, trailing, dims) && a.ghosts == x.placement.ghosts[from..];
    ensure(alike, || {
        format!("{} should be placed as the trailing dims of {}", at.say_arg(0), at.say_arg(1))
    })?;
    if at.node.op == Op::Axpy {
        super::compare::alike(at, 1, 2)?;
    }
    expect(at, 0, &x.placement)
}

/// `map-place`
pub(super) fn map(at: &At) -> Outcome {
    let dims = &at.result(0).dims;
    let shaped = |t: &Type| t.dims == *dims;
    let first = at.args().position(shaped).unwrap_or(0);
    for k in 0..at.node.args.len() {
        settled(at, k)?;
        no_ghosts(at, k)?;
        if shaped(at.arg(k)) {
            alike(at, first, k)?;
        }
    }
    expect(at, 0, &at.arg(first).placement)
}

/// `whole-place`
pub(super) fn whole(at: &At) -> Outcome {
    for k in 0..at.node.args.len() {
        replicated(at, k)?;
    }
    for (k, ty) in at.results().enumerate() {
        expect(at, k, &Placement::replicated(ty.dims.len()))?;
    }
    Ok(())
}

/// `one-hot-place`
pub(super) fn one_hot(at: &At) -> Outcome {
    replicated(at, 0)?;
    let place = &at.result(0).placement;
    ensure(place.pending.is_empty() && !place.has_ghosts(), || {
        format!("{} should be settled, without ghosts", at.say_result(0))
    })
}

/// `reduce-place`
pub(super) fn reduce(at: &At) -> Outcome {
    settled(at, 0)?;
    no_ghosts(at, 0)?;
    expect(at, 0, &Placement::replicated(0))
}

/// `dot-place`
pub(super) fn dot(at: &At) -> Outcome {
    let Op::Dot { columns, .. } = at.node.op else { return Ok(()) };
    settled(at, 0)?;
    no_ghosts(at, 0)?;
    alike(at, 0, 1)?;
    let place = &at.arg(0).placement;
    let n = place.splits.len();
    let pending = of_dims(place, 0..n - columns).split_axes();
    expect(at, 0, &Placement { pending, ..of_dims(place, n - columns..n) })
}
