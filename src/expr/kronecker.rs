//! `Kronecker(A, B)`: `A` on the leading dims and `B` on the trailing ones.
//!
//! `y = (A ⊗ 1) Tᴴ (B ⊗ 1) T x`, where `T` moves the dims of `B` to the front, since an operator
//! is lifted to more dims behind its own. The adjoint is `Kronecker(Aᴴ, Bᴴ)`.

use super::error::{ExprError, Wrong};
use super::op::{Kind, Op};
use super::parts::Parts;
use crate::ops::{OperatorError, transpose};
use adjoin_passes::Dtype;

/// The Kronecker product, as PyLops's `Kronecker`.
///
/// Its domain has the dims of `a`'s domain followed by those of `b`'s, likewise its range; both
/// also stand for flat vectors. Sides of several parts count as flat.
pub fn kronecker(a: impl Into<Op>, b: impl Into<Op>) -> Result<Op, ExprError> {
    let (a, b) = (a.into(), b.into());
    let whole = whole(&one_part(&a), &one_part(&b));
    let made = whole.clone().unwrap_or_else(|_| Op::identity([1]));
    Op::make(Kind::Kronecker(a, b, made), || {
        whole.map(|op| op.sides()).map_err(|e| Wrong::new(e.to_string()))
    })
    .checked()
}

fn whole(a: &Op, b: &Op) -> Result<Op, OperatorError> {
    if a.0.fault.is_some() || b.0.fault.is_some() {
        return Ok(Op::identity([1]));
    }
    let (outer, inner) = (a.dims(), b.dims());
    let given = b.dimsd();
    let front = to_front(&outer, &inner)?;
    let back = if given == inner { front.h() } else { to_front(&outer, &given)?.h() };
    Ok(lift(a, &given) * back * lift(b, &outer) * front)
}

/// Moves trailing dims before leading ones.
fn to_front(leading: &[usize], trailing: &[usize]) -> Result<Op, OperatorError> {
    let dims = [leading, trailing].concat();
    let axes: Vec<isize> =
        (leading.len()..dims.len()).chain(0..leading.len()).map(|axis| axis as isize).collect();
    transpose(dims, axes).dtype(Dtype::F32).build().map(Op::new)
}

fn lift(op: &Op, extra: &[usize]) -> Op {
    let kind = Kind::Lift(op.clone(), extra.to_vec());
    Op::make(kind, || Ok((op.domain().lifted(extra), op.range().lifted(extra))))
}

fn one_part(op: &Op) -> Op {
    if op.domain().len() <= 1 && op.range().len() <= 1 {
        return op.clone();
    }
    let (rows, columns) = op.shape();
    Op::make(Kind::Flat(op.clone()), || Ok((Parts::one([columns]), Parts::one([rows]))))
}
