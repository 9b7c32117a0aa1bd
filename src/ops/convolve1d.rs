//! Convolution along one axis: `y[i] = Σⱼ h[i + offset - j] x[j]`, adjoint
//! `x[j] = Σᵢ conj(h[i + offset - j]) y[i]`.
//!
//! ```text
//! compact filter, no longer than the axis:   (i) <- (i~lo:hi)    lo = nh - 1 - offset, hi = offset
//! extended filter, longer than the axis:     (i) <- (j)          the range has nh samples
//! ```
//! Element `offset` of a compact filter leaves samples where they are; for an extended filter it is
//! the sample `offset` of `x` that leaves the filter where it is.
//! A filter of one dim is that of all places; one of as many dims as `x` has a filter for each
//! place, or one for all places along axes on which its length is 1.
//! `method` chooses between ways of computing the same and has no effect.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, typed};
use super::{Handle, OperatorError, Tile};
use crate::data::Source;
use crate::elements::Element;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::convolve::{Bank, Filter};
use adjoin_passes::signature::{
    Binding, Class, Cost, Factor, Laws, Linearity, Rule, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};
use std::ops::Range;

const KIND: &str = "Convolve1D";

/// A convolution to be built.
#[derive(Clone, Debug)]
pub struct Convolve1d {
    dims: Dims,
    h: Source,
    offset: usize,
    axis: isize,
    dtype: Option<Dtype>,
    kind: &'static str,
    symmetric: bool,
}

/// The convolution of arrays of `dims` with the filter `h`.
pub fn convolve1d(dims: impl Into<Dims>, h: impl Into<Source>) -> Convolve1d {
    let (dims, h) = (dims.into(), h.into());
    Convolve1d { dims, h, offset: 0, axis: -1, dtype: None, kind: KIND, symmetric: false }
}

impl Convolve1d {
    /// The index of the filter's center, 0 otherwise.
    pub fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The type of the operator, that of the filter otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Declares that the filter is real and the same on both sides of its center.
    pub(super) fn symmetric(mut self) -> Self {
        self.symmetric = true;
        self
    }

    /// The name of the operator in plans and messages.
    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let dims = self.dims.0;
        dims::check(self.kind, &dims)?;
        let axis = dims::axis(self.kind, self.axis, &dims)?;
        let shape = Shape::new(self.kind, dims, axis, self.h.dims(), self.offset)?;
        let own = self.h.dtype();
        let dtype = match self.dtype {
            Some(dtype) if own.is_complex() => dtype.complex(),
            Some(dtype) => dtype,
            None => own,
        };
        let mut signature = shape.signature(self.kind, dtype, own.is_complex());
        signature.laws.self_adjoint = self.symmetric;
        let taps = if own.is_complex() { dtype.complex() } else { dtype.real() };
        let (kind, h) = (self.kind, tile::cast(self.kind, self.h, Some(taps))?);
        leaf(signature, move |signature, tile| {
            typed!(tile.arithmetic(own), T => {
                let taps = shape.taps::<T>(kind, &h, tile)?;
                Ok(tile::local(signature, tile, Convolution { taps, axis }))
            })
        })
    }
}

/// What a convolution makes of what.
struct Shape {
    dims: Vec<usize>,
    axis: usize,
    /// The dims of the filter, with as many axes as `dims` if it is a bank.
    filter: Vec<usize>,
    /// The length of the filter.
    nh: usize,
    offset: usize,
}

impl Shape {
    fn new(
        kind: &str,
        dims: Vec<usize>,
        axis: usize,
        filter: &[usize],
        offset: usize,
    ) -> Result<Self, OperatorError> {
        let fits = |d: usize| d == axis || filter[d] == 1 || filter[d] == dims[d];
        let nh = match filter {
            [nh] => *nh,
            _ if filter.len() == dims.len() && (0..dims.len()).all(fits) => filter[axis],
            _ => {
                let message = format!("h has dims {filter:?}, and must have one, or");
                let wanted = format!("those of dims {dims:?} or 1 along all axes but {axis}");
                return dims::fail(kind, format!("{message} {wanted}"));
            }
        };
        let (longest, what) = if nh <= dims[axis] { (nh, "h") } else { (dims[axis], "dims") };
        if offset >= longest {
            let message = format!("offset is {offset}, and must be less than the {longest} of");
            return dims::fail(kind, format!("{message} {what} along axis {axis}"));
        }
        Ok(Shape { dims, axis, filter: filter.to_vec(), nh, offset })
    }

    /// Whether the filter is no longer than the axis.
    fn compact(&self) -> bool {
        self.nh <= self.dims[self.axis]
    }

    fn is_bank(&self) -> bool {
        self.filter.len() > 1
    }

    fn signature(&self, kind: &str, dtype: Dtype, complex: bool) -> Signature {
        let (axis, dims) = (self.axis, &self.dims);
        let mut rule = Rule::elementwise(dims);
        let mut range = dims.clone();
        if self.compact() {
            rule.domain[0][axis] = Binding::halo(axis, self.nh - 1 - self.offset, self.offset);
        } else {
            range[axis] = self.nh;
            rule.factors[axis] = Factor::free(letter(axis), self.nh);
            rule.factors.push(Factor::free(letter(dims.len()), dims[axis]));
            rule.domain[0][axis] = Binding::plain(dims.len());
        }
        let arithmetic = if complex { dtype.complex() } else { dtype.real() };
        let parts = if dtype.is_complex() && !complex { 2.0 } else { 1.0 };
        let taps = self.nh.min(dims[axis]) as f64;
        let bytes = tile::count(&self.filter) * arithmetic.size() as f64;
        let flops = tile::flops(arithmetic) * parts * taps * tile::count(&range);
        let reads = if self.is_bank() { bytes } else { 0.0 };
        Signature {
            kind: kind.into(),
            dtype,
            typing: Typing::Same,
            domain: vec![dims.clone()],
            range: vec![range],
            rule,
            linearity: Linearity::Complex,
            laws: Laws::default(),
            cost: Cost {
                flops,
                reads,
                holds: bytes,
                class: Some(Class::Convolution),
                ..Cost::default()
            },
        }
    }

    /// The filter of a tile: all of it, or the filters of the tile's places.
    fn taps<T: Element>(
        &self,
        kind: &str,
        h: &Source,
        tile: &Tile,
    ) -> Result<Taps<T>, OperatorError> {
        let all = |d: usize| 0..self.filter[d];
        if !self.is_bank() {
            let filter = Filter::new(&tile::read(kind, h, &[all(0)])?, self.offset);
            return Ok(Taps::One(Box::new(filter)));
        }
        let own = |d: usize| {
            if d == self.axis || self.filter[d] == 1 { all(d) } else { tile.factors[d].clone() }
        };
        let held: Vec<Range<usize>> = (0..self.dims.len()).map(own).collect();
        let mut wanted = tile.factors[..self.dims.len()].to_vec();
        wanted[self.axis] = 0..self.nh;
        let wanted = tile::lens(&wanted);
        let values = repeated(&tile::read(kind, h, &held)?, &tile::lens(&held), &wanted);
        let inner = wanted[self.axis + 1..].iter().product();
        Ok(Taps::Many(Bank::new(values, self.nh, inner, self.offset)))
    }
}

/// An array with its axes of length 1 repeated to those of `wanted`.
fn repeated<T: Copy>(values: &[T], dims: &[usize], wanted: &[usize]) -> Vec<T> {
    let place = |mut k: usize| {
        let (mut at, mut stride) = (0, 1);
        for (&n, &want) in dims.iter().zip(wanted).rev() {
            at += if n == 1 { 0 } else { k % want * stride };
            k /= want;
            stride *= n;
        }
        values[at]
    };
    (0..wanted.iter().product()).map(place).collect()
}

enum Taps<T: Element> {
    One(Box<Filter<T>>),
    Many(Bank<T>),
}

struct Convolution<T: Element> {
    taps: Taps<T>,
    axis: usize,
}

impl<T: Element> Kernel for Convolution<T> {
    type X = T;
    type Y = T;

    fn axis(&self) -> Option<usize> {
        Some(self.axis)
    }

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        let (inner, group) = (y.inner(self.axis + 1), y.group);
        let from = (tile::window(&x.held[self.axis]), x.data);
        let to = (tile::window(&y.held[self.axis]), y.data);
        match &mut self.taps {
            Taps::One(filter) => filter.apply(inner, from, to, acc),
            Taps::Many(bank) => bank.apply(group, from, to, acc),
        }
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        let (inner, group) = (y.inner(self.axis + 1), y.group);
        let to = (tile::window(&y.held[self.axis]), y.data);
        let from = (tile::window(&x.held[self.axis]), x.data);
        match &mut self.taps {
            Taps::One(filter) => filter.adjoint(inner, to, from, acc),
            Taps::Many(bank) => bank.adjoint(group, to, from, acc),
        }
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "h", "offset", "axis", "dtype"],
    ignored: &["method", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = convolve1d(given.need::<Dims>("dims")?, given.need::<Source>("h")?);
    given.set("offset", &mut operator.offset)?;
    given.set("axis", &mut operator.axis)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
