//! Complex numbers for the reference evaluator, and leaves as dense matrices in double precision.
//!
//! A number carries a bound of what was added up to make it, so that a tolerance is a multiple of
//! the unit roundoff and cancellation needs no slack.

use adjoin::Dtype;
use adjoin::data::Array;
use adjoin::elements::Elements;
use adjoin::ops::{Operator, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_passes::ir::{LeafId, Map};
use adjoin_passes::reference::{self, Leaves, Number};
use adjoin_passes::signature::{Linearity, Typing};
use num_complex::Complex64;
use std::ops::Range;
use std::sync::Arc;

/// A complex number, and the sum of the absolute values that made it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Z {
    pub value: Complex64,
    pub size: f64,
}

/// Roundings of one result in units of its size: far above what sums of a few dozen terms make.
const ROUNDINGS: f64 = 64.0;

impl Z {
    pub fn new(value: Complex64) -> Self {
        Z { value, size: value.norm() }
    }

    /// Whether another number is this one within the roundings of a precision.
    pub fn close(&self, other: Complex64, unit: f64) -> bool {
        (self.value - other).norm() <= ROUNDINGS * unit * self.size + f64::MIN_POSITIVE
    }
}

/// The larger distance between neighbours of the type near one.
pub fn unit(dtype: Dtype) -> f64 {
    if dtype.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

fn real(re: f64) -> Z {
    Z::new(re.into())
}

impl Number for Z {
    const ZERO: Self = Z { value: Complex64::ZERO, size: 0.0 };
    const ONE: Self = Z { value: Complex64::ONE, size: 1.0 };

    fn plus(self, o: Self) -> Self {
        Z { value: self.value + o.value, size: self.size + o.size }
    }

    fn negate(self) -> Self {
        Z { value: -self.value, ..self }
    }

    fn times(self, o: Self) -> Self {
        Z { value: self.value * o.value, size: self.size * o.size }
    }

    fn conjugate(self) -> Self {
        Z { value: self.value.conj(), ..self }
    }

    fn real(self) -> Self {
        Z { value: self.value.re.into(), ..self }
    }

    fn map(map: &Map, args: &[Self]) -> Self {
        let re = |k: usize| args[k].value.re;
        match map {
            Map::Mul => args[0].times(args[1]),
            Map::Div if args[1].value == Complex64::ZERO => Z::ZERO,
            Map::Div => {
                let (x, y) = (args[0], args[1]);
                let norm = y.value.norm();
                let size = x.size / norm + x.value.norm() * y.size / (norm * norm);
                Z { value: x.value / y.value, size }
            }
            Map::Sqrt => real(re(0).sqrt()),
            Map::Abs => real(args[0].value.norm()),
            Map::Max => real(re(0).max(re(1))),
            Map::Min => real(re(0).min(re(1))),
            Map::Less => real(f64::from(u8::from(re(0) < re(1)))),
            Map::Select => args[if args[0].value == Complex64::ZERO { 2 } else { 1 }],
            Map::Soft | Map::Hard | Map::Clip | Map::Named(_) => {
                panic!("no test has the map {map:?}")
            }
        }
    }

    fn call(name: &str, _: &[Vec<Self>], _: usize) -> Vec<Self> {
        panic!("no test has the function {name}")
    }

    fn larger(self, other: Self) -> bool {
        self.value.norm() > other.value.norm()
    }

    fn absolute(self) -> Self {
        real(self.value.norm())
    }

    fn integer(n: usize) -> Self {
        real(n as f64)
    }

    fn index(self, below: usize) -> usize {
        (self.value.re as usize).min(below.saturating_sub(1))
    }
}

/// The leaves of a plan as matrices, made of their operators when they are first applied.
pub struct Dense<'a> {
    operators: &'a [Arc<dyn Operator>],
    matrices: Vec<Option<Matrix>>,
}

/// `x ↦ M x + N x̄`.
struct Matrix {
    columns: usize,
    linear: Vec<Complex64>,
    antilinear: Vec<Complex64>,
}

impl<'a> Dense<'a> {
    pub fn new(operators: &'a [Arc<dyn Operator>]) -> Self {
        Dense { operators, matrices: operators.iter().map(|_| None).collect() }
    }
}

impl Leaves<Z> for Dense<'_> {
    fn apply(
        &mut self,
        leaf: LeafId,
        adjoint: bool,
        x: &[reference::Array<Z>],
    ) -> Result<Vec<reference::Array<Z>>, String> {
        let leaf = leaf.0 as usize;
        let operator = &self.operators[leaf];
        let matrix = self.matrices[leaf].get_or_insert_with(|| Matrix::of(&**operator));
        let s = operator.signature();
        let (from, to) = if adjoint { (&s.range, &s.domain) } else { (&s.domain, &s.range) };
        let extra = &x[0].dims[from[0].len()..];
        let batch = extra.iter().product();
        let flat: Vec<Z> = x.iter().flat_map(|a| a.data.iter().copied()).collect();
        let rows = to.iter().map(|d| d.iter().product::<usize>()).sum();
        let mut y = matrix.apply(adjoint, rows, &flat, batch).into_iter();
        let part = |dims: &Vec<usize>| {
            let dims = [dims, extra].concat();
            let data = y.by_ref().take(dims.iter().product()).collect();
            reference::Array { dims, data }
        };
        Ok(to.iter().map(part).collect())
    }
}

impl Matrix {
    fn of(operator: &dyn Operator) -> Matrix {
        let s = operator.signature();
        let n = s.columns();
        let halves = |unit| applied_to_units(operator, unit);
        let straight = halves(Complex64::ONE);
        let zero = vec![Complex64::ZERO; straight.len()];
        if s.typing == Typing::RealToComplex || s.linearity == Linearity::Complex {
            return Matrix { columns: n, linear: straight, antilinear: zero };
        }
        let turned = halves(Complex64::I);
        let half = |sign: f64| {
            let pairs = straight.iter().zip(&turned);
            pairs.map(|(a, b)| (a + sign * Complex64::I * b) * 0.5).collect()
        };
        Matrix { columns: n, linear: half(-1.0), antilinear: half(1.0) }
    }

    fn apply(&self, adjoint: bool, rows: usize, x: &[Z], batch: usize) -> Vec<Z> {
        let mut y = vec![Z::ZERO; rows * batch];
        for (k, (&m, &n)) in self.linear.iter().zip(&self.antilinear).enumerate() {
            let (r, c) = (k / self.columns, k % self.columns);
            let (to, from, m) = if adjoint { (c, r, m.conj()) } else { (r, c, m) };
            for b in 0..batch {
                let x = x[from * batch + b];
                let sum = Z::new(m).times(x).plus(Z::new(n).times(x.conjugate()));
                y[to * batch + b] = y[to * batch + b].plus(sum);
            }
        }
        y
    }
}

/// The images of all unit vectors times a number, row by row.
fn applied_to_units(operator: &dyn Operator, unit: Complex64) -> Vec<Complex64> {
    let n = operator.signature().columns();
    let entry = |k: usize| if k / n == k % n { unit } else { Complex64::ZERO };
    whole(operator, false, &(0..n * n).map(entry).collect::<Vec<_>>(), &[n])
}

/// An operator or its adjoint as one tile in double precision, on all parts one after the other.
fn whole(
    operator: &dyn Operator,
    adjoint: bool,
    x: &[Complex64],
    batch: &[usize],
) -> Vec<Complex64> {
    let s = operator.signature();
    let tile = Tile::whole(s, Dtype::C128);
    let mut from = (&s.domain, tile.domain);
    let mut to = (&s.range, tile.range);
    if adjoint {
        std::mem::swap(&mut from, &mut to);
    }
    let shape = |dims: &Vec<usize>| [dims, batch].concat();
    let size = |dims: &Vec<usize>| shape(dims).iter().product::<usize>();
    let held = |dims: &Vec<usize>| -> Vec<Range<usize>> {
        shape(dims).into_iter().map(|n| 0..n).collect()
    };
    let (reads, writes): (Vec<_>, Vec<_>) =
        (from.0.iter().map(held).collect(), to.0.iter().map(held).collect());
    let mut outputs: Vec<_> = to.0.iter().map(|d| Elements::zeros(to.1, size(d))).collect();
    if x.is_empty() || outputs.iter().all(Elements::is_empty) {
        return outputs.iter().flat_map(Elements::widest).collect();
    }
    let mut rest = x;
    let part = |dims: &Vec<usize>| {
        let (mine, others) = rest.split_at(size(dims));
        rest = others;
        Elements::nearest(mine, from.1)
    };
    let inputs: Vec<_> = from.0.iter().map(part).collect();
    let mut local = operator.build(&tile).expect("a whole tile can be built");
    let x: Vec<_> =
        inputs.iter().zip(&reads).map(|(e, held)| Patch { data: e.slice(), held }).collect();
    let pairs = outputs.iter_mut().zip(&writes);
    let mut y: Vec<_> = pairs.map(|(e, held)| PatchMut { data: e.slice_mut(), held }).collect();
    let applied = if adjoint {
        local.adjoint(&x, &mut y, Acc::Set)
    } else {
        local.forward(&x, &mut y, Acc::Set)
    };
    applied.expect("a whole tile can be applied");
    outputs.iter().flat_map(Elements::widest).collect()
}

/// The leaves of a plan that is too large for matrices, as whole tiles.
///
/// The sizes of what comes out are the largest absolute value of it.
pub struct Whole<'a>(pub &'a [Arc<dyn Operator>]);

impl Leaves<Z> for Whole<'_> {
    fn apply(
        &mut self,
        leaf: LeafId,
        adjoint: bool,
        x: &[reference::Array<Z>],
    ) -> Result<Vec<reference::Array<Z>>, String> {
        let operator = &*self.0[leaf.0 as usize];
        let s = operator.signature();
        let (from, to) = if adjoint { (&s.range, &s.domain) } else { (&s.domain, &s.range) };
        let extra = &x[0].dims[from[0].len()..];
        let flat: Vec<_> = x.iter().flat_map(|a| a.data.iter().map(|z| z.value)).collect();
        let y = whole(operator, adjoint, &flat, extra);
        let size = y.iter().map(|v| v.norm()).fold(0.0, f64::max);
        let mut y = y.into_iter().map(|value| Z { value, size });
        let part = |dims: &Vec<usize>| {
            let dims = [dims, extra].concat();
            let data = y.by_ref().take(dims.iter().product()).collect();
            reference::Array { dims, data }
        };
        Ok(to.iter().map(part).collect())
    }
}

/// An array of pseudo-random numbers between -1 and 1.
pub fn array(seed: u64, dims: &[usize], dtype: Dtype) -> Array {
    let values = super::tiles::values(seed, dims.iter().product(), dtype);
    Array::new(dims, Elements::nearest(&values, dtype)).expect("as many numbers as elements")
}
