//! Element types of maps and reductions.

use super::Outcome;
use super::node::{At, ensure};
use crate::dtype::Dtype;
use crate::ir::{Map, Op};
use std::ops::Range;

/// What a map makes of the type of the operands that it moves.
enum Gives {
    /// The same.
    Same,
    /// The same, which must be real.
    Real,
    /// The real type of it.
    Modulus,
    /// Whatever the result says.
    Anything,
}

/// Which arguments of a map give the result its type, and how; the others must be real.
fn kind(map: &Map) -> (Range<usize>, Gives) {
    match map {
        Map::Mul | Map::Div => (0..2, Gives::Same),
        Map::Sqrt | Map::Soft | Map::Hard => (0..1, Gives::Same),
        Map::Abs => (0..1, Gives::Modulus),
        Map::Max | Map::Min | Map::Less => (0..2, Gives::Real),
        Map::Select => (1..3, Gives::Same),
        Map::Clip => (0..1, Gives::Real),
        Map::Named(_) => (0..0, Gives::Anything),
    }
}

/// `map-types`
pub(super) fn map(at: &At) -> Outcome {
    let Op::Map(map) = &at.node.op else { return Ok(()) };
    let out = at.result(0);
    dims(at)?;
    let (moved, gives) = kind(map);
    if matches!(gives, Gives::Anything) {
        return Ok(());
    }
    for k in (0..at.node.args.len()).filter(|k| !moved.contains(k)) {
        let real = !at.arg(k).dtype.is_complex();
        ensure(real, || format!("{map:?} takes a real value where {} is", at.say_arg(k)))?;
    }
    let dtype = promoted(at, moved)?;
    let dtype = match gives {
        Gives::Same | Gives::Anything => dtype,
        Gives::Modulus => dtype.real(),
        Gives::Real => {
            ensure(!dtype.is_complex(), || format!("{map:?} takes real values, not {dtype}"))?;
            dtype
        }
    };
    ensure(out.dtype == dtype, || format!("{} should be {dtype}", at.say_result(0)))
}

/// Arguments are scalars or have the dims of the result, and one has them.
fn dims(at: &At) -> Outcome {
    let out = at.result(0);
    for k in 0..at.node.args.len() {
        let arg = at.arg(k);
        ensure(arg.dims.is_empty() || arg.dims == out.dims, || {
            format!("{} should be a scalar or shaped as {}", at.say_arg(k), at.say_result(0))
        })?;
    }
    ensure(at.args().any(|t| t.dims == out.dims), || {
        format!("{} has dims although all operands are scalars", at.say_result(0))
    })
}

/// The type of these arguments together: arrays of one precision, scalars are weak beside them.
fn promoted(at: &At, moved: Range<usize>) -> Result<Dtype, String> {
    let types: Vec<_> = at.args().skip(moved.start).take(moved.len()).collect();
    let arrays: Vec<_> = types.iter().filter(|t| !t.dims.is_empty()).map(|t| t.dtype).collect();
    let precise = arrays.windows(2).all(|w| w[0].is_double() == w[1].is_double());
    ensure(precise, || "operands of a map differ in precision".into())?;
    let complex = types.iter().any(|t| t.dtype.is_complex());
    let all = || types.iter().map(|t| t.dtype).reduce(Dtype::promote);
    let strong = arrays.first().copied().or_else(all).unwrap_or(Dtype::F64);
    Ok(strong.promote_weak(complex))
}

/// `reduce-types`
pub(super) fn reduce(at: &At) -> Outcome {
    let out = at.result(0);
    ensure(out.dims.is_empty() && out.dtype == Dtype::F64, || {
        format!("{} should be an f64 scalar", at.say_result(0))
    })
}
