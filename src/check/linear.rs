//! Sums and scalars: `A (α x + y) = α A x + A y`, and `y += A x`.

use super::fault::{Kind, Place};
use super::numbers::{differing, zip};
use super::unit::{Unit, Way};
use crate::ops::OperatorError;
use adjoin_passes::signature::Linearity;
use num_complex::Complex64;

/// Whether the scalars that are declared to commute do so, both ways.
pub fn fault(unit: &Unit<'_>) -> Result<Option<(Kind, Place)>, OperatorError> {
    for way in [Way::Forward, Way::Adjoint] {
        let linearity = unit.signature().linearity;
        let complex = unit.types(way).0.is_complex() && linearity != Linearity::Real;
        let alpha = Complex64::new(-0.75, if complex { 0.5 } else { 0.0 });
        let (beta, name) = match linearity {
            Linearity::Antilinear if complex => (alpha.conj(), "conjugated complex numbers"),
            Linearity::Complex if complex => (alpha, "complex numbers"),
            Linearity::Antilinear | Linearity::Real | Linearity::Complex => (alpha, "real numbers"),
        };
        let (x, y) = (unit.input(way, 21), unit.input(way, 22));
        let sum = unit.apply(way, &zip(&x, &y, |x, y| alpha * x + y))?;
        let (ax, ay) = (unit.apply(way, &x)?, unit.apply(way, &y)?);
        let expected = zip(&ax, &ay, |x, y| beta * x + y);
        let wrong = differing(&sum, &expected, unit.tolerance());
        if !wrong.is_empty() {
            let place = unit.place(way == Way::Forward, &wrong);
            return Ok(Some((Kind::Linearity(name), place)));
        }
    }
    Ok(None)
}

/// Whether a tile that is asked to add does.
pub fn adding(unit: &Unit<'_>) -> Result<Vec<(Kind, Place)>, OperatorError> {
    let mut found = Vec::new();
    for (way, other) in [(Way::Forward, Way::Adjoint), (Way::Adjoint, Way::Forward)] {
        let x = unit.input(way, 31);
        let before = unit.input(other, 32);
        let made = unit.apply(way, &x)?;
        let added = unit.apply_adding(way, &x, &before)?;
        let expected = zip(&made, &before, |a, b| a + b);
        let wrong = differing(&added, &expected, unit.tolerance());
        if !wrong.is_empty() {
            let place = unit.place(way == Way::Forward, &wrong);
            found.push((Kind::Adding { adjoint: way == Way::Adjoint }, place));
        }
    }
    Ok(found)
}
