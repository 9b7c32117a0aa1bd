//! Pre-stack seismic modelling: `d = W G D m`, the derivatives of elastic parameters over time,
//! reflected at each angle and convolved with a wavelet; adjoint `m = Dᵀ Gᵀ Wᴴ d`.
//!
//! ```text
//! Convolve1D * AVOLinearModelling * FirstDerivative     (t, θ, ..) from (t, p, ..)
//! MatrixMult                                            explicit: (θ t, ..) from (p t, ..)
//! ```

use super::OperatorError;
use super::avo::{Angles, Linearization, PARAMETERS, Profile, avo_linear_modelling, joined};
use super::convolve1d::convolve1d;
use super::derivative::{Kind, first_derivative};
use super::dims::{self, Dims};
use super::matrix_mult::matrix_mult;
use super::poststack::{column, tap};
use super::registry::{Arguments, Entry, RegistryError};
use crate::data::{Region, Source};
use crate::expr::Op;
use num_complex::Complex64;

const KIND: &str = "PrestackLinearModelling";

/// A modelling operator to be built.
#[derive(Clone, Debug)]
pub struct PrestackLinearModelling {
    wav: Source,
    angles: Angles,
    spatdims: Dims,
    explicit: bool,
    kind: Kind,
}

/// The modelling of reflections at the angles `theta`, in degrees, with the wavelet `wav`.
pub fn prestack_linear_modelling(
    wav: impl Into<Source>,
    theta: impl Into<Source>,
) -> PrestackLinearModelling {
    PrestackLinearModelling {
        wav: wav.into(),
        angles: Angles::new(theta.into()),
        spatdims: Dims::default(),
        explicit: false,
        kind: Kind::Centered,
    }
}

impl PrestackLinearModelling {
    /// The ratio of velocities, 0.5 otherwise.
    pub fn vsvp(mut self, vsvp: impl Into<Profile>) -> Self {
        self.angles.vsvp = vsvp.into();
        self
    }

    /// The samples of time where `vsvp` does not say it, 1 otherwise.
    pub fn nt0(mut self, nt0: usize) -> Self {
        self.angles.nt0 = nt0;
        self
    }

    /// The numbers of traces, one trace otherwise.
    pub fn spatdims(mut self, dims: impl Into<Dims>) -> Self {
        self.spatdims = dims.into();
        self
    }

    /// The approximation, that of Aki and Richards otherwise.
    pub fn linearization(mut self, linearization: Linearization) -> Self {
        self.angles.linearization = linearization;
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
        let (samples, angles) = self.angles.sizes(KIND)?;
        let &[len] = self.wav.dims() else {
            let message = format!("wav has dims {:?}, and must have one", self.wav.dims());
            return dims::fail(KIND, message);
        };
        if self.kind == Kind::Backward {
            return dims::fail(KIND, "kind is backward, and must be forward or centered");
        }
        if self.explicit {
            return self.matrix(samples, angles);
        }
        let dtype = self.angles.theta.dtype();
        let dims = |n: usize| [&[samples, n], &self.spatdims.0[..]].concat();
        let wavelet = convolve1d(dims(angles), self.wav).offset(len / 2).axis(0).dtype(dtype);
        let derivative = first_derivative(dims(PARAMETERS)).axis(0).kind(self.kind).dtype(dtype);
        let Angles { theta, vsvp, nt0, linearization } = self.angles;
        let reflection = avo_linear_modelling(theta).vsvp(vsvp).nt0(nt0).spatdims(self.spatdims);
        let reflection = reflection.linearization(linearization).build()?;
        Ok(Op::new(wavelet.build()?) * Op::new(reflection) * Op::new(derivative.build()?))
    }

    /// The product as one matrix: rows are angles and samples, columns parameters and samples.
    fn matrix(self, samples: usize, angles: usize) -> Result<Op, OperatorError> {
        let dtype = self.angles.theta.dtype();
        let (kind, of) = (self.kind, self.angles);
        let len = self.wav.len();
        let given = joined(KIND, vec![self.wav, of.source(KIND, dtype)?], dtype)?;
        let dims = [angles * samples, PARAMETERS * samples];
        let matrix = given.derived(dims, move |given: &[Complex64], region: &Region| {
            let (wav, given) = given.split_at(len);
            let entry = |row: usize, col: usize| -> Complex64 {
                let (angle, i) = (row / samples, row % samples);
                let (parameter, j) = (col / samples, col % samples);
                let reflected = |k| of.at(given, k, angle)[parameter];
                let rows = column(samples, j, Some(kind)).into_iter().flatten();
                rows.map(|(k, c)| tap(wav, i, k) * (c * reflected(k))).sum()
            };
            let (start, len) = (region.start(), region.dims());
            let places = (0..len[0]).flat_map(|i| (0..len[1]).map(move |j| (i, j)));
            places.map(|(i, j)| entry(start[0] + i, start[1] + j)).collect()
        });
        matrix_mult(matrix).otherdims(self.spatdims).build().map(Op::new)
    }
}

pub(super) const ENTRY: Entry<Op> = Entry {
    name: KIND,
    parameters: &["wav", "theta", "vsvp", "nt0", "spatdims", "linearization", "explicit", "kind"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Op, RegistryError> {
    let (wav, theta) = (given.need::<Source>("wav")?, given.need::<Source>("theta")?);
    let mut operator = prestack_linear_modelling(wav, theta);
    operator.angles.read(given)?;
    given.set("spatdims", &mut operator.spatdims)?;
    given.set("explicit", &mut operator.explicit)?;
    given.set("kind", &mut operator.kind)?;
    Ok(operator.build()?)
}
