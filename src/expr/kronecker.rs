//! `Kronecker(A, B)`: `A` on the leading dims and `B` on the trailing ones.
//!
//! `y = (A ⊗ 1) Tᴴ (B ⊗ 1) T x`, where `T` moves the dims of `B` to the front, since an operator
//! is lifted to more dims behind its own. The adjoint is `Kronecker(Aᴴ, Bᴴ)`.
//!
//! Of complex-linear operators `(A ⊗ 1)` and `(1 ⊗ B)` commute, which is all that this needs:
//! - the one goes first that leaves less work to the other,
//!   `|dom A| B + |rng B| A` operations against `|dom B| A + |rng A| B`;
//! - `(A ⊗ B)(C ⊗ D)` is applied as `AC ⊗ BD` where that is less work than one after the other,
//!   so that `K.H K` is `AᴴA ⊗ BᴴB`, of which each may be applied in one pass.
//!
//! With an operator that is not complex-linear, such as a real part, `B` goes first.

use super::error::{ExprError, Wrong};
use super::op::{Kind, Op};
use super::parts::Parts;
use crate::ops::{OperatorError, transpose};
use adjoin_passes::Dtype;
use adjoin_passes::ir::Elementwise;
use adjoin_passes::signature::{Linearity, Typing};
use std::sync::Arc;

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
    if !a_first(a, b) {
        let front = to_front(&outer, &inner)?;
        let back = if given == inner { front.h() } else { to_front(&outer, &given)?.h() };
        return Ok(lift(a, &given) * back * lift(b, &outer) * front);
    }
    let outer = a.dimsd();
    let front = to_front(&outer, &inner)?;
    let back = if given == inner { front.h() } else { to_front(&outer, &given)?.h() };
    Ok(back * lift(b, &outer) * front * lift(a, &inner))
}

/// Whether `a` goes first.
fn a_first(a: &Op, b: &Op) -> bool {
    let [b_first, a_first] = orders(a, b);
    commute(a, b) && a_first < b_first
}

/// Operations and moved elements of `a ⊗ b` with `b` first, and with `a` first.
fn orders(a: &Op, b: &Op) -> [f64; 2] {
    let ((am, an), (bm, bn)) = (a.shape(), b.shape());
    let [am, an, bm, bn] = [am, an, bm, bn].map(|n| n as f64);
    let (a, b) = (flops(a), flops(b));
    [an * b + bm * a + an * (bn + bm), bn * a + am * b + am * (bn + bm)]
}

/// Operations and moved elements of `a ⊗ b`.
fn work(a: &Op, b: &Op) -> f64 {
    let [b_first, a_first] = orders(a, b);
    if commute(a, b) { b_first.min(a_first) } else { b_first }
}

fn commute(a: &Op, b: &Op) -> bool {
    is_complex_linear(a) && is_complex_linear(b)
}

/// The factors of a product, of which Kronecker products that follow each other are one where that
/// is less work; each with the name by which its leaves go.
pub(super) fn met(factors: &[&Op]) -> Vec<(Op, Option<Arc<str>>)> {
    let mut out: Vec<(Op, Option<Arc<str>>)> = Vec::new();
    for &factor in factors {
        let both = out.last().and_then(|(last, _)| mixed(last, factor));
        match both {
            Some((made, name)) => {
                let known = out.pop().and_then(|(_, name)| name);
                out.push((made, known.or(name)));
            }
            None => out.push((factor.clone(), None)),
        }
    }
    out
}

/// `AC ⊗ BD` for `(A ⊗ B)(C ⊗ D)`, if it is less work, and the name that one of them has.
fn mixed(left: &Op, right: &Op) -> Option<(Op, Option<Arc<str>>)> {
    let ((a, b, name), (c, d, other)) = (operands(left)?, operands(right)?);
    let fit = a.shape().1 == c.shape().0 && b.shape().1 == d.shape().0;
    if !fit || !commute(&a, &b) || !commute(&c, &d) {
        return None;
    }
    let (ac, bd) = (&a * &c, &b * &d);
    if work(&ac, &bd) >= work(&a, &b) + work(&c, &d) {
        return None;
    }
    let made = kronecker(ac, bd).ok()?;
    Some((made, name.or(other)))
}

/// The operands of a Kronecker product or of its adjoint as one part each, and its name.
fn operands(op: &Op) -> Option<(Op, Op, Option<Arc<str>>)> {
    match &op.0.kind {
        Kind::Kronecker(a, b, _) => Some((one_part(a), one_part(b), None)),
        Kind::Named(name, a) => operands(a).map(|(a, b, _)| (a, b, Some(name.clone()))),
        Kind::Adjoint(k) => operands(k).map(|(a, b, name)| (a.h(), b.h(), name)),
        _ => None,
    }
}

/// Operations of one application.
fn flops(op: &Op) -> f64 {
    match &op.0.kind {
        Kind::Leaf(operator, _) => operator.signature().cost_or_estimate().flops,
        Kind::Kronecker(_, _, whole) => flops(whole),
        Kind::Power(a, n) => f64::from(*n) * flops(a),
        Kind::Lift(a, extra) => flops(a) * extra.iter().product::<usize>() as f64,
        kind => kind.operands().into_iter().map(flops).sum(),
    }
}

/// Whether complex numbers pass through it.
fn is_complex_linear(op: &Op) -> bool {
    match &op.0.kind {
        Kind::Leaf(operator, _) => {
            let s = operator.signature();
            s.linearity == Linearity::Complex && s.typing == Typing::Same
        }
        Kind::Element(map) => matches!(map, Elementwise::Identity | Elementwise::Zero),
        Kind::Deep => false,
        Kind::Kronecker(_, _, whole) => is_complex_linear(whole),
        kind => kind.operands().into_iter().all(is_complex_linear),
    }
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
