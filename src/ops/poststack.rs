//! Post-stack seismic modelling: `d = W D m`, the derivative of a profile over time, convolved with
//! a wavelet; adjoint `m = Dᵀ Wᴴ d`.
//!
//! ```text
//! W D                      one wavelet: Convolve1D * FirstDerivative, each (t) <- (t~lo:hi)
//! MatrixMult * D           a wavelet for each sample of time, in the rows of wav
//! MatrixMult               explicit: the product as one matrix
//! ```
//! A wavelet is centered at its middle sample.
//! `sparse` chooses how an explicit matrix is kept and has no effect.

use super::OperatorError;
use super::convolve1d::convolve1d;
use super::derivative::{Kind, first_derivative};
use super::dims::{self, Dims};
use super::matrix_mult::matrix_mult;
use super::registry::{Arguments, Entry, RegistryError};
use crate::data::{Region, Source};
use crate::expr::Op;
use num_complex::Complex64;

const KIND: &str = "PoststackLinearModelling";

/// A modelling operator to be built.
#[derive(Clone, Debug)]
pub struct PoststackLinearModelling {
    wav: Source,
    nt0: usize,
    spatdims: Dims,
    explicit: bool,
    kind: Kind,
}

/// The modelling of traces of `nt0` samples with the wavelet `wav`, or with a wavelet for each
/// sample if it has two dims.
pub fn poststack_linear_modelling(wav: impl Into<Source>, nt0: usize) -> PoststackLinearModelling {
    PoststackLinearModelling {
        wav: wav.into(),
        nt0,
        spatdims: Dims::default(),
        explicit: false,
        kind: Kind::Centered,
    }
}

impl PoststackLinearModelling {
    /// The numbers of traces, one trace otherwise.
    pub fn spatdims(mut self, dims: impl Into<Dims>) -> Self {
        self.spatdims = dims.into();
        self
    }

    /// Whether the operator is one dense matrix.
    pub fn explicit(mut self, explicit: bool) -> Self {
        self.explicit = explicit;
        self
    }

    /// The kind of the derivative, centered or forward; centered otherwise.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The expression.
    pub fn build(self) -> Result<Op, OperatorError> {
        let nt0 = self.nt0;
        let wavelets = match *self.wav.dims() {
            [len] if len > 0 => false,
            [rows, len] if rows == nt0 && len > 0 => true,
            ref other => {
                let message = format!("wav has dims {other:?}, and must be one wavelet");
                return dims::fail(KIND, format!("{message} or one for each of {nt0} samples"));
            }
        };
        if self.kind == Kind::Backward {
            return dims::fail(KIND, "kind is backward, and must be forward or centered");
        }
        let dims = [&[nt0], &self.spatdims.0[..]].concat();
        let dtype = self.wav.dtype();
        let (others, kind) = (self.spatdims, self.kind);
        let matrix = |derivative: Option<Kind>| {
            let matrix = explicit(&self.wav, nt0, derivative);
            matrix_mult(matrix).otherdims(others.0.clone()).build().map(Op::new)
        };
        if self.explicit {
            return matrix(Some(kind));
        }
        let derivative = first_derivative(dims.clone()).axis(0).kind(kind).dtype(dtype).build()?;
        if wavelets {
            return Ok(matrix(None)? * Op::new(derivative));
        }
        let offset = self.wav.dims()[0] / 2;
        let wavelet = convolve1d(dims, self.wav.clone()).offset(offset).axis(0).build()?;
        Ok(Op::new(wavelet) * Op::new(derivative))
    }
}

/// The matrix of the convolution, times that of a derivative.
fn explicit(wav: &Source, nt0: usize, derivative: Option<Kind>) -> Source {
    let rows = if wav.dims().len() == 2 { Some(wav.dims()[1]) } else { None };
    wav.derived([nt0, nt0], move |wav: &[Complex64], region: &Region| {
        let of = |k: usize| rows.map_or(wav, |len| &wav[k * len..(k + 1) * len]);
        let (start, len) = (region.start(), region.dims());
        let places = (0..len[0]).flat_map(|i| (0..len[1]).map(move |j| (i, j)));
        places
            .map(|(i, j)| {
                let (i, j) = (start[0] + i, start[1] + j);
                let rows = column(nt0, j, derivative);
                rows.into_iter().flatten().map(|(k, c)| tap(of(k), i, k) * c).sum()
            })
            .collect()
    })
}

/// What the wavelet that is centered at sample `k` has at sample `i`.
pub(super) fn tap(wav: &[Complex64], i: usize, k: usize) -> Complex64 {
    let at = (i + wav.len() / 2).checked_sub(k);
    at.and_then(|at| wav.get(at)).copied().unwrap_or_default()
}

/// The rows of a column of the derivative that are not zero, or of the identity.
pub(super) fn column(n: usize, j: usize, derivative: Option<Kind>) -> [Option<(usize, f64)>; 2] {
    let inside = |k: &usize| *k > 0 && *k + 1 < n;
    let row = |k: Option<usize>, c: f64| k.map(|k| (k, c));
    match derivative {
        None => [Some((j, 1.0)), None],
        Some(Kind::Centered) => {
            let (above, below) = (j.checked_sub(1), j.checked_add(1));
            [row(above.filter(inside), 0.5), row(below.filter(inside), -0.5)]
        }
        Some(Kind::Forward) => {
            [row(j.checked_sub(1), 1.0), row(Some(j).filter(|j| j + 1 < n), -1.0)]
        }
        Some(Kind::Backward) => {
            [row(Some(j).filter(|&j| j > 0), 1.0), row(Some(j + 1).filter(|&k| k < n), -1.0)]
        }
    }
}

pub(super) const ENTRY: Entry<Op> = Entry {
    name: KIND,
    parameters: &["wav", "nt0", "spatdims", "explicit", "kind"],
    ignored: &["sparse", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Op, RegistryError> {
    let wav = given.need::<Source>("wav")?;
    let mut operator = poststack_linear_modelling(wav, given.need("nt0")?);
    given.set("spatdims", &mut operator.spatdims)?;
    given.set("explicit", &mut operator.explicit)?;
    given.set("kind", &mut operator.kind)?;
    Ok(operator.build()?)
}
