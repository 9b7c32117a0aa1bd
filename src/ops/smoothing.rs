//! Running means: `y[i] = (1/n) Σ x[j]` over the `n` samples around `i`, along one axis or several;
//! adjoint alike.
//!
//! ```text
//! (i) <- (i~n/2:n/2)
//! ```
//! An even length is raised by one.
//! Samples outside of the array count as zero, so each mean is self-adjoint.
//! Means over several axes are products of means over one.

use super::convolve1d::convolve1d;
use super::dims::{self, Dims};
use super::registry::{Arguments, Entry, RegistryError};
use super::{Handle, OperatorError};
use crate::data::{Region, Source};
use crate::expr::Op;
use adjoin_passes::Dtype;

/// A mean along one axis, to be built.
#[derive(Clone, Debug)]
pub struct Smoothing1d {
    nsmooth: usize,
    dims: Dims,
    axis: isize,
    dtype: Dtype,
}

/// The mean over `nsmooth` samples along one axis of arrays of `dims`.
pub fn smoothing1d(nsmooth: usize, dims: impl Into<Dims>) -> Smoothing1d {
    Smoothing1d { nsmooth, dims: dims.into(), axis: -1, dtype: Dtype::F64 }
}

impl Smoothing1d {
    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        mean("Smoothing1D", self.nsmooth, self.dims.0, self.axis, self.dtype)
    }
}

/// Means along several axes, to be built.
#[derive(Clone, Debug)]
pub struct Smoothing {
    kind: &'static str,
    nsmooth: Dims,
    dims: Dims,
    axes: Vec<isize>,
    dtype: Dtype,
}

/// The mean over boxes of two sides `nsmooth`, along the last two axes otherwise.
pub fn smoothing2d(nsmooth: impl Into<Dims>, dims: impl Into<Dims>) -> Smoothing {
    Smoothing::new("Smoothing2D", nsmooth.into(), dims.into(), vec![-2, -1])
}

/// The mean over boxes of sides `nsmooth`, along the last axes otherwise.
pub fn smoothingnd(nsmooth: impl Into<Dims>, dims: impl Into<Dims>) -> Smoothing {
    let nsmooth = nsmooth.into();
    let axes = (0..nsmooth.0.len()).rev().map(|k| -1 - k as isize).collect();
    Smoothing::new("SmoothingND", nsmooth, dims.into(), axes)
}

impl Smoothing {
    fn new(kind: &'static str, nsmooth: Dims, dims: Dims, axes: Vec<isize>) -> Self {
        Smoothing { kind, nsmooth, dims, axes, dtype: Dtype::F64 }
    }

    /// The axes, one for each side.
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = axes.into();
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The product of the means along each axis.
    pub fn build(self) -> Result<Op, OperatorError> {
        let (kind, sides, dims) = (self.kind, self.nsmooth.0, self.dims.0);
        if kind == "Smoothing2D" && self.axes.len() != 2 {
            return dims::fail(kind, format!("axes {:?} must be two", self.axes));
        }
        if sides.len() != self.axes.len() {
            let message = format!("nsmooth {sides:?} and axes {:?}", self.axes);
            return dims::fail(kind, format!("{message} must have as many numbers"));
        }
        dims::axes(kind, &self.axes, &dims)?;
        let mut product: Option<Op> = None;
        for (n, axis) in sides.into_iter().zip(self.axes) {
            let next = Op::new(mean(kind, n, dims.clone(), axis, self.dtype)?);
            product = Some(product.map_or(next.clone(), |before| before * next));
        }
        product.map_or_else(|| dims::fail(kind, "nsmooth has no numbers"), Ok)
    }

    fn read(mut self, given: &Arguments) -> Result<Op, RegistryError> {
        given.set("axes", &mut self.axes)?;
        given.set("dtype", &mut self.dtype)?;
        Ok(self.build()?)
    }
}

/// The mean along one axis, as a convolution.
fn mean(
    kind: &'static str,
    nsmooth: usize,
    dims: Vec<usize>,
    axis: isize,
    dtype: Dtype,
) -> Result<Handle, OperatorError> {
    dims::check(kind, &dims)?;
    let n = dims[dims::axis(kind, axis, &dims)?];
    let len = nsmooth + usize::from(nsmooth.is_multiple_of(2));
    if nsmooth == 0 || len > n {
        let message = format!("nsmooth is {nsmooth}, and must be between 1 and the {n} samples");
        return dims::fail(kind, format!("{message} of axis {axis} of dims {dims:?}"));
    }
    let weight = 1.0 / len as f64;
    let filter = Source::function([len], move |r: &Region| vec![weight; r.len()]);
    let mean = convolve1d(dims, filter).offset((len - 1) / 2).axis(axis);
    mean.dtype(dtype).symmetric().kind(kind).build()
}

pub(super) const ONE: Entry = Entry {
    name: "Smoothing1D",
    parameters: &["nsmooth", "dims", "axis", "dtype"],
    ignored: &["name"],
    build: |given| {
        let mut operator =
            smoothing1d(given.need::<usize>("nsmooth")?, given.need::<Dims>("dims")?);
        given.set("axis", &mut operator.axis)?;
        given.set("dtype", &mut operator.dtype)?;
        Ok(operator.build()?)
    },
};

pub(super) const TWO: Entry<Op> = Entry {
    name: "Smoothing2D",
    parameters: &["nsmooth", "dims", "axes", "dtype"],
    ignored: &["name"],
    build: |given| {
        smoothing2d(given.need::<Dims>("nsmooth")?, given.need::<Dims>("dims")?).read(given)
    },
};

pub(super) const SEVERAL: Entry<Op> = Entry {
    name: "SmoothingND",
    parameters: &["nsmooth", "dims", "axes", "dtype"],
    ignored: &["name"],
    build: |given| {
        smoothingnd(given.need::<Dims>("nsmooth")?, given.need::<Dims>("dims")?).read(given)
    },
};
