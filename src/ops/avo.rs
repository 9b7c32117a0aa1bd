//! Linearised reflection at angles: `y[t, θ, ..] = Σₚ G[t, θ, p] x[t, p, ..]`, adjoint
//! `x[t, p, ..] = Σ_θ G[t, θ, p] y[t, θ, ..]`, of three elastic parameters `p`.
//!
//! ```text
//! (k, i, z..) <- (k, j, z..)      a small matrix for each sample of time, as Fredholm1 has them
//! akirich:   1/(2 cos²θ),    -4 r² sin²θ,                           1/2 - 2 r² sin²θ
//! fatti:     (1 + tan²θ)/2,  -4 r² sin²θ,                           (4 r² sin²θ - tan²θ)/2
//! ps:        0,              (tan φ/2)(4 r² sin²φ - 4 r cos θ cos φ),
//!                            -(tan φ/2)(1 - 2 r² sin²φ + 2 r cos θ cos φ)
//! ```
//! `r` is the ratio of velocities `vsvp`, `θ` an angle of incidence, and `sin φ = r sin θ`.

use super::dims::{self, Dims};
use super::fredholm::fredholm1;
use super::registry::{Arguments, Entry, RegistryError};
use super::{Handle, OperatorError};
use crate::data::{Region, Source};
use adjoin_passes::Dtype;
use num_complex::Complex64;

const KIND: &str = "AVOLinearModelling";

/// The elastic parameters.
pub(super) const PARAMETERS: usize = 3;

/// How reflection depends on the elastic parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linearization {
    /// Three terms of Aki and Richards: contrasts of both velocities and of density.
    AkiRichards,
    /// Three terms of Fatti: contrasts of both impedances and of density.
    Fatti,
    /// Converted waves: the contrast of the second velocity and of density.
    Ps,
}

impl Linearization {
    /// The coefficients of the three parameters at an angle in radians.
    pub(super) fn coefficients(self, theta: f64, r: f64) -> [f64; PARAMETERS] {
        let (sin, cos, tan) = (theta.sin(), theta.cos(), theta.tan());
        let square = (r * sin).powi(2);
        match self {
            Linearization::AkiRichards => {
                [1.0 / (2.0 * cos * cos), -4.0 * square, 0.5 - 2.0 * square]
            }
            Linearization::Fatti => {
                let tan = tan * tan;
                [0.5 * (1.0 + tan), -4.0 * square, 0.5 * (4.0 * square - tan)]
            }
            Linearization::Ps => {
                let phi = (r * sin).asin();
                let half = phi.tan() / 2.0;
                let (square, mixed) = ((r * phi.sin()).powi(2), r * cos * phi.cos());
                let shear = half * (4.0 * square - 4.0 * mixed);
                [0.0, shear, -half * (1.0 - 2.0 * square + 2.0 * mixed)]
            }
        }
    }
}

/// A number for all samples of time, or one for each.
#[derive(Clone, Debug)]
pub enum Profile {
    /// For all samples.
    Constant(f64),
    /// For each sample.
    Samples(Source),
}

impl From<f64> for Profile {
    fn from(value: f64) -> Self {
        Profile::Constant(value)
    }
}

impl From<Source> for Profile {
    fn from(values: Source) -> Self {
        Profile::Samples(values)
    }
}

/// Angles and velocities: what the coefficients are computed of.
#[derive(Clone, Debug)]
pub(super) struct Angles {
    pub theta: Source,
    pub vsvp: Profile,
    pub nt0: usize,
    pub linearization: Linearization,
}

impl Angles {
    pub fn new(theta: Source) -> Self {
        let (vsvp, linearization) = (Profile::Constant(0.5), Linearization::AkiRichards);
        Angles { theta, vsvp, nt0: 1, linearization }
    }

    /// The numbers of samples of time and of angles.
    pub fn sizes(&self, kind: &str) -> Result<(usize, usize), OperatorError> {
        let one = |name: &str, source: &Source| match *source.dims() {
            [n] => Ok(n),
            ref other => dims::fail(kind, format!("{name} has dims {other:?}, and must have one")),
        };
        let angles = one("theta", &self.theta)?;
        match &self.vsvp {
            Profile::Samples(samples) => Ok((one("vsvp", samples)?, angles)),
            Profile::Constant(r) if !r.is_finite() => {
                dims::fail(kind, format!("vsvp is {r}, and must be finite"))
            }
            Profile::Constant(_) => Ok((self.nt0, angles)),
        }
    }

    /// The angles, and behind them the ratios of velocities where each sample has its own.
    pub fn source(&self, kind: &str, dtype: Dtype) -> Result<Source, OperatorError> {
        let mut parts = vec![self.theta.clone()];
        if let Profile::Samples(samples) = &self.vsvp {
            parts.push(samples.clone());
        }
        joined(kind, parts, dtype)
    }

    /// The coefficients of sample `t` and angle `i`, of the elements of [`Angles::source`].
    pub fn at(&self, given: &[Complex64], t: usize, i: usize) -> [f64; PARAMETERS] {
        let r = match self.vsvp {
            Profile::Constant(r) => r,
            Profile::Samples(_) => given[self.theta.len() + t].re,
        };
        self.linearization.coefficients(given[i].re.to_radians(), r)
    }

    pub fn read(&mut self, given: &Arguments) -> Result<(), RegistryError> {
        given.set("vsvp", &mut self.vsvp)?;
        given.set("nt0", &mut self.nt0)?;
        given.set("linearization", &mut self.linearization)
    }
}

/// Arrays of one dim one after another, in one type.
pub(super) fn joined(
    kind: &str,
    parts: Vec<Source>,
    dtype: Dtype,
) -> Result<Source, OperatorError> {
    let cast = |part: Source| part.cast(dtype);
    let parts = parts.into_iter().map(cast).collect::<Result<Vec<_>, _>>();
    let all = parts.and_then(|parts| Source::concat(0, parts));
    all.or_else(|error| dims::fail(kind, error.to_string()))
}

/// A modelling operator to be built.
#[derive(Clone, Debug)]
pub struct AvoLinearModelling {
    angles: Angles,
    spatdims: Dims,
    dtype: Option<Dtype>,
}

/// The modelling of reflections at the angles `theta`, in degrees.
pub fn avo_linear_modelling(theta: impl Into<Source>) -> AvoLinearModelling {
    AvoLinearModelling { angles: Angles::new(theta.into()), spatdims: Dims::default(), dtype: None }
}

impl AvoLinearModelling {
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

    /// The type of the operator, that of the angles otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let (samples, angles) = self.angles.sizes(KIND)?;
        let dtype = self.dtype.unwrap_or(self.angles.theta.dtype());
        let given = self.angles.source(KIND, dtype)?;
        let of = self.angles;
        let coefficients = move |given: &[Complex64], region: &Region| {
            let (start, len) = (region.start(), region.dims());
            let places = (0..len[0]).flat_map(|t| (0..len[1]).map(move |i| (t, i)));
            let of = |(t, i)| of.at(given, start[0] + t, start[1] + i);
            let own = start[2]..start[2] + len[2];
            places.flat_map(|place| of(place)[own.clone()].to_vec()).map(Complex64::from).collect()
        };
        let g = given.derived([samples, angles, PARAMETERS], coefficients);
        fredholm1(g).seen_as(KIND, self.spatdims).build()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["theta", "vsvp", "nt0", "spatdims", "linearization", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = avo_linear_modelling(given.need::<Source>("theta")?);
    operator.angles.read(given)?;
    given.set("spatdims", &mut operator.spatdims)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
