//! The discrete Fourier transform along several axes: the product of the transforms along each.
//!
//! ```text
//! F = F(first) F(..) F(last)
//! ```
//! The last of the axes is transformed first, since it is the one that a `real` transform halves.
//! It is an expression, so that a plan can keep any axis whole while another is split; see
//! [`fft`](mod@super::fft) for the transform of one axis and its adjoint.

use super::OperatorError;
use super::dims::{self, Dims};
use super::fft::{Norm, fft};
use super::registry::{Arguments, Entry, RegistryError};
use crate::expr::Op;
use adjoin_passes::Dtype;

/// A transform along several axes, to be built.
#[derive(Clone, Debug)]
pub struct FftNd {
    kind: &'static str,
    dims: Dims,
    axes: Vec<isize>,
    nffts: Option<Dims>,
    sampling: Vec<f64>,
    norm: Norm,
    real: bool,
    ifftshift_before: Vec<bool>,
    fftshift_after: Vec<bool>,
    dtype: Dtype,
}

/// The transform of arrays of `dims` along two axes, the last two otherwise.
pub fn fft2d(dims: impl Into<Dims>) -> FftNd {
    FftNd::new("FFT2D", dims.into(), vec![-2, -1])
}

/// The transform of arrays of `dims` along any number of axes, the last three otherwise.
pub fn fftnd(dims: impl Into<Dims>) -> FftNd {
    FftNd::new("FFTND", dims.into(), vec![-3, -2, -1])
}

impl FftNd {
    fn new(kind: &'static str, dims: Dims, axes: Vec<isize>) -> Self {
        FftNd {
            kind,
            dims,
            axes,
            nffts: None,
            sampling: vec![1.0],
            norm: Norm::Ortho,
            real: false,
            ifftshift_before: vec![false],
            fftshift_after: vec![false],
            dtype: Dtype::C128,
        }
    }

    /// The axes.
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = axes.into();
        self
    }

    /// The samples that are transformed along each axis, those of the axis otherwise; one number
    /// is for all axes.
    pub fn nffts(mut self, nffts: impl Into<Dims>) -> Self {
        self.nffts = Some(nffts.into());
        self
    }

    /// The distances between samples, which set the frequencies but none of the values.
    pub fn sampling(mut self, sampling: impl Into<Vec<f64>>) -> Self {
        self.sampling = sampling.into();
        self
    }

    /// The scaling, ortho otherwise.
    pub fn norm(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }

    /// Whether the samples are real and half of the frequencies of the last axis are kept.
    pub fn real(mut self, real: bool) -> Self {
        self.real = real;
        self
    }

    /// For each axis, or for all, whether the middle sample is the first of the transform.
    pub fn ifftshift_before(mut self, shift: impl Into<Vec<bool>>) -> Self {
        self.ifftshift_before = shift.into();
        self
    }

    /// For each axis, or for all, whether frequency zero is in the middle.
    pub fn fftshift_after(mut self, shift: impl Into<Vec<bool>>) -> Self {
        self.fftshift_after = shift.into();
        self
    }

    /// The type of the samples, `c128` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The product of the transforms along each axis.
    pub fn build(self) -> Result<Op, OperatorError> {
        let kind = self.kind;
        let mut dims = self.dims.0;
        dims::check(kind, &dims)?;
        let axes = dims::axes(kind, &self.axes, &dims)?;
        if kind == "FFT2D" && axes.len() != 2 {
            return dims::fail(kind, format!("axes {:?} must be two", self.axes));
        }
        let n = axes.len();
        for value in dims::each(kind, "sampling", &self.sampling, n)? {
            dims::sampling(kind, value)?;
        }
        let before = each(kind, "ifftshift_before", &self.ifftshift_before, n)?;
        let after = each(kind, "fftshift_after", &self.fftshift_after, n)?;
        let nffts = match self.nffts {
            Some(nffts) => each(kind, "nffts", &nffts.0, n)?,
            None => axes.iter().map(|&axis| dims[axis]).collect(),
        };
        if nffts.contains(&0) {
            return dims::fail(kind, format!("nffts {nffts:?} must be 1 or more"));
        }
        let mut product: Option<Op> = None;
        for (k, &axis) in axes.iter().enumerate().rev() {
            let first = product.is_none();
            let transform = fft(dims.clone())
                .axis(axis as isize)
                .nfft(nffts[k])
                .norm(self.norm)
                .real(self.real && first)
                .ifftshift_before(before[k])
                .fftshift_after(after[k])
                .dtype(if first { self.dtype } else { self.dtype.complex() });
            let next = Op::new(transform.build()?);
            dims = next.dimsd();
            product = Some(product.map_or(next.clone(), |before| next * before));
        }
        product.map_or_else(|| dims::fail(kind, "axes has none"), Ok)
    }

    fn read(mut self, given: &Arguments) -> Result<Op, RegistryError> {
        given.set("axes", &mut self.axes)?;
        given.set("nffts", &mut self.nffts)?;
        given.set("sampling", &mut self.sampling)?;
        given.set("norm", &mut self.norm)?;
        given.set("real", &mut self.real)?;
        given.set("ifftshift_before", &mut self.ifftshift_before)?;
        given.set("fftshift_after", &mut self.fftshift_after)?;
        given.set("dtype", &mut self.dtype)?;
        Ok(self.build()?)
    }
}

/// One value for each axis; one alone is for all.
fn each<T: Copy>(
    kind: &str,
    name: &str,
    values: &[T],
    axes: usize,
) -> Result<Vec<T>, OperatorError> {
    match values {
        [one] => Ok(vec![*one; axes]),
        many if many.len() == axes => Ok(many.to_vec()),
        many => dims::fail(kind, format!("{name} has {} values for {axes} axes", many.len())),
    }
}

const PARAMETERS: &[&str] = &[
    "dims",
    "axes",
    "nffts",
    "sampling",
    "norm",
    "real",
    "ifftshift_before",
    "fftshift_after",
    "dtype",
];

pub(super) const TWO: Entry<Op> = Entry {
    name: "FFT2D",
    parameters: PARAMETERS,
    ignored: &["engine", "name"],
    build: |given| fft2d(given.need::<Dims>("dims")?).read(given),
};

pub(super) const SEVERAL: Entry<Op> = Entry {
    name: "FFTND",
    parameters: PARAMETERS,
    ignored: &["engine", "name"],
    build: |given| fftnd(given.need::<Dims>("dims")?).read(given),
};
