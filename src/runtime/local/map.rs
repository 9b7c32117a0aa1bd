//! Functions of elements, computed in double precision; numbers apply to every element.
//!
//! Orders compare real parts. `soft` shrinks the absolute value by the threshold, and `hard`
//! keeps what is larger than it in absolute value.

use super::Arg;
use super::elementwise::{MOST, alike, chunks, wide};
use super::functions::Function;
use crate::elements::{Element, SliceMut, each};
use adjoin_kernels::host::{Acc, vector};
use adjoin_passes::ir::Map;
use num_complex::Complex64;

/// How many arguments the function has; none if any number will do.
pub(super) fn arity(map: &Map) -> Result<Option<usize>, String> {
    Ok(Some(match map {
        Map::Sqrt | Map::Abs => 1,
        Map::Mul | Map::Div | Map::Max | Map::Min | Map::Less | Map::Soft | Map::Hard => 2,
        Map::Select | Map::Clip => 3,
        Map::Named(_) => return Ok(None),
    }))
}

/// Applies the function to each element.
pub(super) fn apply(
    map: &Map,
    function: &Function,
    args: &[Arg<'_>],
    y: SliceMut<'_>,
) -> Result<(), String> {
    fn product<S: Element>(pair: [Arg<'_>; 2], y: &mut [S]) {
        chunks(y, pair, |_, [x, z], y| vector::mul(x, z, y, Acc::Set));
    }
    let real = !y.dtype().is_complex();
    match map {
        Map::Mul => each!(SliceMut, y, y => if alike(args, y) {
            product([args[0], args[1]], y);
        } else {
            wide(args, Element::slice_mut(y), |v| v[0] * v[1]);
        }),
        Map::Div => wide(args, y, |v| quotient(v[0], v[1])),
        Map::Sqrt if real => wide(args, y, |v| v[0].re.sqrt().into()),
        Map::Sqrt => wide(args, y, |v| v[0].sqrt()),
        Map::Abs => wide(args, y, |v| v[0].norm().into()),
        Map::Max => wide(args, y, |v| choose(v[0].re < v[1].re, v[1], v[0])),
        Map::Min => wide(args, y, |v| choose(v[1].re < v[0].re, v[1], v[0])),
        Map::Less => wide(args, y, |v| f64::from(v[0].re < v[1].re).into()),
        Map::Select => wide(args, y, |v| if v[0] == Complex64::ZERO { v[2] } else { v[1] }),
        Map::Soft => wide(args, y, |v| soft(v[0], v[1].re)),
        Map::Hard => wide(args, y, |v| if v[0].norm() > v[1].re { v[0] } else { 0.0.into() }),
        Map::Clip => wide(args, y, |v| clip(v[0], v[1], v[2])),
        Map::Named(name) => {
            let Function::Element(function) = function else {
                return Err(format!("the function {name} is no function of elements"));
            };
            if args.len() > MOST {
                return Err(format!("the function {name} has more than {MOST} arguments"));
            }
            wide(args, y, |v| function(v));
        }
    }
    Ok(())
}

fn quotient(x: Complex64, y: Complex64) -> Complex64 {
    if y == Complex64::ZERO {
        return Complex64::ZERO;
    }
    // Real numbers are divided as such, which rounds once.
    if y.im == 0.0 { Complex64::new(x.re / y.re, x.im / y.re) } else { x / y }
}

/// The one that was chosen, unless another one is not a number.
fn choose(second: bool, chosen: Complex64, other: Complex64) -> Complex64 {
    if second {
        return chosen;
    }
    if chosen.re.is_nan() { chosen } else { other }
}

fn soft(x: Complex64, threshold: f64) -> Complex64 {
    let size = x.norm();
    if size <= threshold {
        return Complex64::ZERO;
    }
    if x.im == 0.0 {
        return (x.re - threshold.copysign(x.re)).into();
    }
    x * ((size - threshold) / size)
}

fn clip(x: Complex64, low: Complex64, high: Complex64) -> Complex64 {
    if x.re < low.re {
        return low;
    }
    if x.re > high.re { high } else { x }
}
