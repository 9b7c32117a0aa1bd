//! The same elements in other shapes.

use super::Outcome;
use super::compare::{expect, no_dual, no_ghosts, same_split};
use super::node::{At, ensure};
use crate::ir::Op;
use crate::mesh::{Axis, Mesh};
use crate::placement::{Placement, Split, Type};
use crate::signature::Spread;

/// `regroup-types`
pub(super) fn types(at: &At) -> Outcome {
    let out = at.result(0);
    for k in 0..at.node.args.len() {
        ensure(at.arg(k).dtype == out.dtype, || {
            format!("{} and {} should have one type", at.say_arg(k), at.say_result(0))
        })?;
    }
    let given: usize = at.args().map(Type::len).sum();
    match at.node.op {
        Op::Part(offset) => {
            ensure(at.arg(0).dims.len() == 1, || format!("{} should be flat", at.say_arg(0)))?;
            ensure(offset.checked_add(out.len()).is_some_and(|end| end <= given), || {
                format!("{} ends behind {}", at.say_result(0), at.say_arg(0))
            })
        }
        Op::Concat => ensure(out.dims == [given], || {
            format!("{} should be flat and have {given} elements", at.say_result(0))
        }),
        _ => ensure(out.len() == given, || {
            format!("{} should have {given} elements", at.say_result(0))
        }),
    }
}

/// `concat-place`
pub(super) fn concat(at: &At) -> Outcome {
    let pending = &at.arg(0).placement.pending;
    for (k, ty) in at.args().enumerate() {
        let axes = ty.placement.split_axes();
        ensure(axes.is_empty(), || format!("{} should not be split", at.say_arg(k)))?;
        ensure(ty.placement.pending == *pending, || {
            format!("{} and {} should be pending alike", at.say_arg(0), at.say_arg(k))
        })?;
    }
    let replicated = Placement::replicated(at.result(0).dims.len());
    expect(at, 0, &Placement { pending: pending.clone(), ..replicated })
}

/// `reshape-place`
pub(super) fn reshape(at: &At) -> Outcome {
    no_dual(at, 0)?;
    if at.arg(0).dims == at.result(0).dims {
        return expect(at, 0, &at.arg(0).placement);
    }
    let (from, to) = (&squeezed(at.arg(0)), &squeezed(at.result(0)));
    ensure(from.placement.pending == to.placement.pending, || {
        format!("{} and {} should be pending alike", at.say_arg(0), at.say_result(0))
    })?;
    let common = from.dims.iter().zip(&to.dims).take_while(|(a, b)| a == b).count();
    leading(at, common, from, to)?;
    ensure(same_elements(&at.plan.mesh, common, from, to), || {
        format!("{} and {} are cut at different elements", at.say_arg(0), at.say_result(0))
    })?;
    for (ty, said) in [(from, at.say_arg(0)), (to, at.say_result(0))] {
        let trailing = ty.placement.splits.iter().skip(common + 1);
        let unsplit = trailing.into_iter().all(|s| s.axes.is_empty());
        ensure(unsplit, || format!("{said} is split on a dim that the reshape mixes"))?;
    }
    if from.placement.ghosts.iter().skip(common).any(|&g| g != (0, 0)) {
        return no_ghosts(at, 0);
    }
    Ok(())
}

/// The type without unsplit dims of one element, which change no order.
fn squeezed(ty: &Type) -> Type {
    let p = &ty.placement;
    let keep = |&d: &usize| ty.dims[d] != 1 || !p.splits[d].axes.is_empty();
    let kept: Vec<_> = (0..ty.dims.len()).filter(keep).collect();
    let placement = Placement {
        splits: kept.iter().map(|&d| p.splits[d].clone()).collect(),
        ghosts: kept.iter().map(|&d| p.ghosts[d]).collect(),
        ..p.clone()
    };
    Type { dims: kept.iter().map(|&d| ty.dims[d]).collect(), dtype: ty.dtype, placement }
}

/// The dims with which both shapes begin are placed alike, ghosts included.
fn leading(at: &At, common: usize, from: &Type, to: &Type) -> Outcome {
    let (p, q) = (&from.placement, &to.placement);
    for d in 0..common {
        let alike = same_split(&p.splits[d], &q.splits[d], from.dims[d]);
        ensure(alike && p.ghosts[d] == q.ghosts[d], || {
            format!("{} and {} differ where they begin alike", at.say_arg(0), at.say_result(0))
        })?;
    }
    let more = q.ghosts.iter().skip(common).any(|&g| g != (0, 0)) || q.dual;
    ensure(!more, || format!("{} has ghosts that nothing filled", at.say_result(0)))
}

/// Whether the first differing dim of both is split over the same axes, at the same elements.
fn same_elements(mesh: &Mesh, d: usize, from: &Type, to: &Type) -> bool {
    let none = Split::none();
    let a = from.placement.splits.get(d).unwrap_or(&none);
    let b = to.placement.splits.get(d).unwrap_or(&none);
    if a.axes != b.axes {
        return false;
    }
    let stride = |ty: &Type| ty.dims.iter().skip(d + 1).product::<usize>();
    let size = |ty: &Type| ty.dims.get(d).copied().unwrap_or(1);
    if a.axes.is_empty() || same_cuts((a, size(from), stride(from)), (b, size(to), stride(to))) {
        return true;
    }
    let flat = |ty: &Type, split: &Split, at: &[usize]| {
        let own = split.interval(size(ty), mesh, at);
        own.start * stride(ty)..own.end * stride(ty)
    };
    coordinates(mesh, &a.axes).all(|at| {
        let (a, b) = (flat(from, a, &at), flat(to, b, &at));
        a == b || (a.is_empty() && b.is_empty())
    })
}

/// A split of a dim of so many elements, each of which is so many of the flat array.
type Strided<'a> = (&'a Split, usize, usize);

/// Whether two splits cut the same index alike and spread it over the same flat elements, which is
/// then so on every mesh.
fn same_cuts(a: Strided<'_>, b: Strided<'_>) -> bool {
    let index = |(split, n, _): Strided<'_>| split.cut.as_ref().map_or(n, |cut| cut.size);
    let weights = |(split, ..): Strided<'_>| split.cut.as_ref().and_then(|c| c.weights.clone());
    let begin = |(split, _, stride): Strided<'_>, i: usize| {
        split.cut.as_ref().map_or(i, |cut| cut.spread.at(i)) * stride
    };
    let uniform = |(split, ..): Strided<'_>| {
        split.cut.as_ref().is_none_or(|cut| !matches!(cut.spread, Spread::Table(_)))
    };
    let last = index(a);
    let first = if uniform(a) && uniform(b) { last.min(1) } else { last };
    let same = |i: usize| begin(a, i) == begin(b, i);
    last == index(b) && weights(a) == weights(b) && (0..=first).chain([last]).all(same)
}

/// How many coordinates are compared at most.
const SAMPLES: usize = 4096;

/// Coordinates along some axes, zero along the others: all, or evenly spaced up to the last.
fn coordinates<'a>(mesh: &'a Mesh, axes: &'a [Axis]) -> impl Iterator<Item = Vec<usize>> + 'a {
    let total = mesh.sizes(axes);
    let samples = total.min(SAMPLES);
    (0..samples).map(move |s| {
        let mut rest = if samples < 2 { 0 } else { s * (total - 1) / (samples - 1) };
        let mut at = vec![0; mesh.axes.len()];
        for &axis in axes.iter().rev() {
            at[axis] = rest % mesh.size(axis);
            rest /= mesh.size(axis);
        }
        at
    })
}
