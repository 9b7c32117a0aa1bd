//! Multi-dimensional convolution: `y(t, s, v) = F⁻¹ Σᵣ G(f, s, r) F x(t, r, v)`, an expression of
//! transforms over time, a cut to the frequencies of `G`, and an integral for each frequency.
//!
//! ```text
//! M = F1.H I1.H K I F                K = √nt dt dr G, or G alone where it is prescaled
//! M.H = F.H I.H K.H I1 F1
//! ```
//! `F` has the middle of a two-sided `x` as time zero; `F1` begins at the first sample.
//! `conj` integrates with the conjugate of `G`.

use super::OperatorError;
use super::dims;
use super::fft::fft;
use super::fredholm::fredholm1;
use super::identity::identity;
use super::registry::{Arguments, Entry, RegistryError};
use crate::data::Source;
use crate::expr::Op;

const KIND: &str = "MDC";

/// A multi-dimensional convolution to be built.
#[derive(Clone, Debug)]
pub struct Mdc {
    g: Source,
    nt: usize,
    nv: usize,
    dt: f64,
    dr: f64,
    twosided: bool,
    conj: bool,
    prescaled: bool,
}

/// The convolution with `g`, of dims frequencies, sources and receivers, over `nt` samples of time
/// and `nv` virtual sources.
pub fn mdc(g: impl Into<Source>, nt: usize, nv: usize) -> Mdc {
    let g = g.into();
    Mdc { g, nt, nv, dt: 1.0, dr: 1.0, twosided: true, conj: false, prescaled: false }
}

impl Mdc {
    /// The sampling of the integral over time, 1 otherwise.
    pub fn dt(mut self, dt: f64) -> Self {
        self.dt = dt;
        self
    }

    /// The sampling of the integral over receivers, 1 otherwise.
    pub fn dr(mut self, dr: f64) -> Self {
        self.dr = dr;
        self
    }

    /// Whether there are negative times, as is taken otherwise; `nt` is odd then.
    pub fn twosided(mut self, twosided: bool) -> Self {
        self.twosided = twosided;
        self
    }

    /// Whether the integral is over the conjugate of `g`.
    pub fn conj(mut self, conj: bool) -> Self {
        self.conj = conj;
        self
    }

    /// Whether `g` has been scaled already.
    pub fn prescaled(mut self, prescaled: bool) -> Self {
        self.prescaled = prescaled;
        self
    }

    /// The expression.
    pub fn build(self) -> Result<Op, OperatorError> {
        let &[nf, ns, nr] = self.g.dims() else {
            return dims::fail(
                KIND,
                format!("G has dims {:?}, and must have three", self.g.dims()),
            );
        };
        let (nt, nv) = (self.nt, self.nv);
        if nt == 0 {
            return dims::fail(KIND, "nt is 0, and must be 1 or more");
        }
        if self.twosided && nt.is_multiple_of(2) {
            return dims::fail(KIND, format!("nt is {nt}, and must be odd with twosided=True"));
        }
        let frequencies = nt / 2 + 1;
        if nf > frequencies {
            let message = format!("G has {nf} frequencies, and nt {nt} has only {frequencies}");
            return dims::fail(KIND, message);
        }
        for (name, value) in [("dt", self.dt), ("dr", self.dr)] {
            if !value.is_finite() {
                return dims::fail(KIND, format!("{name} is {value}, and must be finite"));
            }
        }
        let dtype = self.g.dtype();
        let transform = |n: usize, shift: bool| {
            let of = fft([nt, n, nv]).axis(0).real(true).ifftshift_before(shift);
            of.dtype(dtype.real()).build().map(Op::new)
        };
        let cut = |n: usize| {
            let of = identity([nf, n, nv]).m([frequencies, n, nv]).dtype(dtype.real());
            of.build().map(Op::new)
        };
        let scale = if self.prescaled { 1.0 } else { self.dr * self.dt * (nt as f64).sqrt() };
        let g = if scale == 1.0 { self.g } else { self.g.scaled(scale) };
        let integral = Op::new(fredholm1(g).nz(nv).build()?);
        let integral = if self.conj { integral.conj() } else { integral };
        let (to, from) = (transform(nr, self.twosided)?, transform(ns, false)?);
        if nf == frequencies {
            return Ok(from.h() * integral * to);
        }
        Ok(from.h() * cut(ns)?.h() * integral * cut(nr)? * to)
    }
}

pub(super) const ENTRY: Entry<Op> = Entry {
    name: KIND,
    parameters: &["G", "nt", "nv", "dt", "dr", "twosided", "conj", "prescaled"],
    ignored: &["fftengine", "saveGt", "usematmul", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Op, RegistryError> {
    let (g, nt, nv) = (given.need("G")?, given.need("nt")?, given.need("nv")?);
    let mut operator = mdc(Source::clone(&g), nt, nv);
    given.set("dt", &mut operator.dt)?;
    given.set("dr", &mut operator.dr)?;
    given.set("twosided", &mut operator.twosided)?;
    given.set("conj", &mut operator.conj)?;
    given.set("prescaled", &mut operator.prescaled)?;
    Ok(operator.build()?)
}
