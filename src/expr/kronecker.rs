//! `Kronecker(A, B)`: `A` on the leading dims and `B` on the trailing ones.
//!
//! `(A ⊗ B) x = (A ⊗ 1)(1 ⊗ B) x`, and the adjoint is that of `A` and then that of `B`.
//! Which goes first, and which products of Kronecker products are one, is the compiler's choice
//! ([`adjoin_passes::expand_kronecker`]), as far as the two commute: complex numbers must pass both.

use super::error::{ExprError, Wrong};
use super::op::{Kind, Op};
use super::parts::Parts;
use super::shape;

/// The Kronecker product, as PyLops's `Kronecker`.
///
/// Its domain has the dims of `a`'s domain followed by those of `b`'s, likewise its range; both
/// also stand for flat vectors. Sides of several parts count as flat.
pub fn kronecker(a: impl Into<Op>, b: impl Into<Op>) -> Result<Op, ExprError> {
    let (a, b) = (a.into(), b.into());
    Op::make(Kind::Kronecker(a.clone(), b.clone()), || sides(&a, &b)).checked()
}

fn sides(a: &Op, b: &Op) -> Result<(Parts, Parts), Wrong> {
    shape::passes_on(a, b, &b.0.fields.forward.complex, 1)?;
    let (a, b) = (one_part(a), one_part(b));
    let join = |a: Vec<usize>, b: Vec<usize>| Parts::one([a, b].concat());
    let between = [join(a.dims(), b.dimsd()), join(a.dimsd(), b.dims())];
    if between.iter().any(Parts::too_large) {
        return Err(Wrong::new("has more elements between its operators than any memory can hold"));
    }
    Ok((join(a.dims(), b.dims()), join(a.dimsd(), b.dimsd())))
}

/// An operator with one part on either side.
pub(super) fn one_part(op: &Op) -> Op {
    if op.domain().len() <= 1 && op.range().len() <= 1 {
        return op.clone();
    }
    let (rows, columns) = op.shape();
    Op::make(Kind::Flat(op.clone()), || Ok((Parts::one([columns]), Parts::one([rows]))))
}
