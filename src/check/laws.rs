//! Declared laws on random vectors.

use super::fault::{Kind, Place};
use super::numbers::{Vector, differing, map, zip};
use super::unit::{Unit, Way};
use crate::ops::OperatorError;
use adjoin_passes::spectrum::HalfSpectrum;
use num_complex::Complex64;

type Broken = Result<Option<Place>, OperatorError>;

/// The laws that are declared and do not hold.
pub fn faults(unit: &Unit<'_>) -> Result<Vec<(Kind, Place)>, OperatorError> {
    let mut found = Vec::new();
    for law in unit.signature().laws.names() {
        let broken = match law {
            "self_adjoint" => self_adjoint(unit)?,
            "isometry" => returns(unit, Way::Forward)?,
            "co_isometry" => returns(unit, Way::Adjoint)?,
            "diagonal" => diagonal(unit)?,
            "permutation" => permutation(unit)?,
            "projection" => projection(unit)?,
            "zero" => zero(unit)?,
            "identity" => identity(unit)?,
            "fourier" => fourier(unit)?,
            "half_spectrum" => half_spectrum(unit)?,
            _ => None,
        };
        found.extend(broken.map(|place| (Kind::Law(law), place)));
    }
    Ok(found)
}

fn compared(unit: &Unit<'_>, range: bool, a: &Vector, b: &Vector) -> Option<Place> {
    let sizes = |v: &Vector| v.iter().map(Vec::len).collect::<Vec<_>>();
    if sizes(a) != sizes(b) {
        return Some(Place { range, ..Place::default() });
    }
    let wrong = differing(a, b, unit.tolerance());
    (!wrong.is_empty()).then(|| unit.place(range, &wrong))
}

/// `Aᴴ A x = x`, or `A Aᴴ x = x`.
fn returns(unit: &Unit<'_>, way: Way) -> Broken {
    let back = if way == Way::Forward { Way::Adjoint } else { Way::Forward };
    let x = unit.input(way, 41);
    let y = unit.apply(way, &x)?;
    Ok(compared(unit, way == Way::Adjoint, &unit.apply(back, &y)?, &x))
}

fn self_adjoint(unit: &Unit<'_>) -> Broken {
    let x = unit.input(Way::Forward, 42);
    if unit.sizes(Way::Forward) != unit.sizes(Way::Adjoint) {
        return Ok(Some(Place { range: true, ..Place::default() }));
    }
    Ok(compared(unit, true, &unit.apply(Way::Forward, &x)?, &unit.apply(Way::Adjoint, &x)?))
}

/// Masking what goes in masks what comes out.
fn diagonal(unit: &Unit<'_>) -> Broken {
    let x = unit.input(Way::Forward, 43);
    let sign = unit.input(Way::Forward, 44);
    let masked = |x: &Vector| zip(x, &sign, |x, s| if s.re > 0.0 { x } else { Complex64::ZERO });
    if unit.sizes(Way::Forward) != unit.sizes(Way::Adjoint) {
        return Ok(Some(Place { range: true, ..Place::default() }));
    }
    let y = unit.apply(Way::Forward, &x)?;
    Ok(compared(unit, true, &unit.apply(Way::Forward, &masked(&x))?, &masked(&y)))
}

/// Every element of the longer side appears, unchanged, at most once on the other.
fn permutation(unit: &Unit<'_>) -> Broken {
    let sorted = |v: &Vector| {
        let bits = |z: &Complex64| (z.re.to_bits(), z.im.to_bits());
        let mut all: Vec<_> =
            v.iter().flatten().filter(|z| **z != Complex64::ZERO).map(bits).collect();
        all.sort_unstable();
        all
    };
    for way in [Way::Forward, Way::Adjoint] {
        let x = unit.input(way, 45);
        let y = unit.apply(way, &x)?;
        let (from, to) = (sorted(&x), sorted(&y));
        let mut rest = from.iter();
        let contained = to.iter().all(|value| rest.any(|other| other == value));
        if !contained || (unit.sizes(Way::Forward) == unit.sizes(Way::Adjoint) && from != to) {
            let all: Vec<_> = (0..y.first().map_or(0, Vec::len)).map(|at| (0, at)).collect();
            return Ok(Some(unit.place(way == Way::Forward, &all)));
        }
    }
    Ok(None)
}

fn projection(unit: &Unit<'_>) -> Broken {
    if let Some(place) = self_adjoint(unit)? {
        return Ok(Some(place));
    }
    let y = unit.apply(Way::Forward, &unit.input(Way::Forward, 46))?;
    Ok(compared(unit, true, &unit.apply(Way::Forward, &y)?, &y))
}

fn zero(unit: &Unit<'_>) -> Broken {
    for way in [Way::Forward, Way::Adjoint] {
        let y = unit.apply(way, &unit.input(way, 47))?;
        let nothing = map(&y, |_| Complex64::ZERO);
        if let Some(place) = compared(unit, way == Way::Forward, &y, &nothing) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn identity(unit: &Unit<'_>) -> Broken {
    let x = unit.input(Way::Forward, 48);
    Ok(compared(unit, true, &unit.apply(Way::Forward, &x)?, &x))
}

/// Unitary, and every entry along the transformed factor is as large as any other.
fn fourier(unit: &Unit<'_>) -> Broken {
    for way in [Way::Forward, Way::Adjoint] {
        if let Some(place) = returns(unit, way)? {
            return Ok(Some(place));
        }
    }
    let sizes = unit.sizes(Way::Forward);
    let mut x: Vector = sizes.iter().map(|&n| vec![Complex64::ZERO; n]).collect();
    let Some(first) = x.first_mut().and_then(|part| part.first_mut()) else { return Ok(None) };
    *first = Complex64::ONE;
    let y = map(&unit.apply(Way::Forward, &x)?, |v| v.norm().into());
    let top = super::numbers::top(&y);
    let flat = map(&y, |v| if v.norm() > 0.5 * top { top.into() } else { Complex64::ZERO });
    Ok(compared(unit, true, &y, &flat))
}

/// `A Aᴴ` drops the imaginary parts of the frequencies that are real, and nothing else.
fn half_spectrum(unit: &Unit<'_>) -> Broken {
    let signature = unit.signature();
    let Some(spectrum) = HalfSpectrum::of(signature) else {
        return Ok(Some(Place { range: true, ..Place::default() }));
    };
    let real = spectrum.real();
    let dims: Vec<_> = unit.range[0].iter().map(std::ops::Range::len).collect();
    let stride: usize = dims[spectrum.dim + 1..].iter().product();
    let y = unit.input(Way::Adjoint, 49);
    let is_real = |at: usize| real.contains(&(at / stride % dims[spectrum.dim]));
    let kept = |part: &Vec<Complex64>| {
        let each = part.iter().enumerate();
        each.map(|(at, z)| if is_real(at) { z.re.into() } else { *z }).collect()
    };
    let wanted: Vector = y.iter().map(kept).collect();
    let x = unit.apply(Way::Adjoint, &y)?;
    Ok(compared(unit, true, &unit.apply(Way::Forward, &x)?, &wanted))
}
