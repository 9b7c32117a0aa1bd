//! Operations on the leading dim of a part: a Krylov basis and its coefficients.

use super::Outcome;
use super::compare::{expect, no_dual, no_ghosts, replicated, same_place, settled};
use super::node::{At, ensure};
use crate::dtype::Dtype;
use crate::ir::Op;
use crate::placement::{Placement, Type};

/// Which argument is the basis.
fn basis(op: &Op) -> usize {
    usize::from(matches!(op, Op::Combine))
}

/// `index-types`
pub(super) fn types(at: &At) -> Outcome {
    if at.node.op == Op::OneHot {
        index(at, 0)?;
        let dims = at.result(0).dims.len();
        return ensure(dims == 1, || format!("{} should have one dim", at.say_result(0)));
    }
    let v = basis(&at.node.op);
    let Some((&n, rest)) = at.arg(v).dims.split_first() else {
        return Err(format!("{} has no leading dim", at.say_arg(v)));
    };
    let dtype = at.arg(v).dtype;
    match at.node.op {
        Op::Take => {
            index(at, 1)?;
            result(at, rest, dtype)
        }
        Op::Put => {
            index(at, 1)?;
            shaped(at, 2, rest, dtype)?;
            result(at, &at.arg(0).dims, dtype)
        }
        Op::Combine => {
            let h = at.arg(0);
            ensure(h.dims == [n] && h.dtype.is_double(), || {
                format!("{} should hold {n} double scalars", at.say_arg(0))
            })?;
            result(at, rest, dtype.promote_weak(h.dtype.is_complex()))
        }
        Op::Dots => {
            shaped(at, 1, rest, dtype)?;
            result(at, &[n], Dtype::new(dtype.is_complex(), true))
        }
        _ => Ok(()),
    }
}

fn index(at: &At, k: usize) -> Outcome {
    let ty = at.arg(k);
    ensure(ty.dims.is_empty() && ty.dtype == Dtype::F64, || {
        format!("{} should be an f64 scalar, an index", at.say_arg(k))
    })
}

fn shaped(at: &At, k: usize, dims: &[usize], dtype: Dtype) -> Outcome {
    let ty = at.arg(k);
    ensure(ty.dims == dims && ty.dtype == dtype, || {
        format!("{} should be {dtype}{dims:?}", at.say_arg(k))
    })
}

fn result(at: &At, dims: &[usize], dtype: Dtype) -> Outcome {
    let ty = at.result(0);
    ensure(ty.dims == dims && ty.dtype == dtype, || {
        format!("{} should be {dtype}{dims:?}", at.say_result(0))
    })
}

/// `index-place`
pub(super) fn place(at: &At) -> Outcome {
    let v = basis(&at.node.op);
    let whole = at.arg(v).placement.splits[0].axes.is_empty();
    ensure(whole, || format!("the leading dim of {} should not be split", at.say_arg(v)))?;
    no_dual(at, v)?;
    let row = row(at.arg(v));
    match at.node.op {
        Op::Take => {
            replicated(at, 1)?;
            expect(at, 0, &row)
        }
        Op::Put => {
            replicated(at, 1)?;
            as_row(at, 2, &row)?;
            expect(at, 0, &at.arg(0).placement)
        }
        Op::Combine => {
            replicated(at, 0)?;
            expect(at, 0, &row)
        }
        Op::Dots => {
            settled(at, 0)?;
            no_ghosts(at, 0)?;
            as_row(at, 1, &row)?;
            let pending = row.split_axes();
            expect(at, 0, &Placement { pending, ..Placement::replicated(1) })
        }
        _ => Ok(()),
    }
}

/// The placement of one index of the leading dim.
fn row(ty: &Type) -> Placement {
    let p = &ty.placement;
    Placement { splits: p.splits[1..].to_vec(), ghosts: p.ghosts[1..].to_vec(), ..p.clone() }
}

fn as_row(at: &At, k: usize, row: &Placement) -> Outcome {
    let ty = at.arg(k);
    ensure(same_place(&ty.placement, row, &ty.dims), || {
        format!("{} should be placed as one index of {}", at.say_arg(k), at.say_arg(0))
    })
}
