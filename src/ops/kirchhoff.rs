//! Kirchhoff demigration: `d(s, r, t) = w(t) * Σᵢ a(s, i, r) m(i)` at the time that it takes from
//! source `s` by image point `i` to receiver `r`; adjoint, the migration.
//!
//! ```text
//! K = W S                  W: Convolve1D over time, (s,r,t) <- (s,r,t~lo:hi)
//! S                        (s,r,t) <- (i,j), summed over the image; traces are made as a whole
//! ```
//! Amplitudes are one; with `dynamic` they have geometrical spreading, the opening angle, and what
//! the apertures leave.
//! The image has dims `[x, z]`, or `[y x, z]` if there is an axis `y`.
//! Times are found by distance (`analytic`), or are in tables that the user brings (`byot`).
//! `engine` and `snell` have no effect. Of PyLops's modes `eikonal` is not there: what it computes
//! can be brought as tables.

mod medium;
mod tables;
mod wavelet;

pub use tables::Tables;

use super::OperatorError;
use super::avo::Profile;
use super::convolve1d::convolve1d;
use super::dims;
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use crate::data::Source;
use crate::elements::Element;
use crate::expr::Op;
use adjoin_kernels::host::spray::Spray;
use adjoin_kernels::host::{Acc, Real};
use adjoin_passes::signature::{
    Binding, Class, Cost, Factor, Laws, Linearity, Rule, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};
use medium::{Aperture, Medium};

const KIND: &str = "Kirchhoff";

/// Bounds of the angle where the user gives none at all, as PyLops has them.
const UNBOUNDED: [f64; 2] = [0.0, 1000.0];

/// How travel times are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By distance, at one velocity.
    Analytic,
    /// They are brought in tables.
    Byot,
}

/// A demigration to be built.
#[derive(Clone, Debug)]
pub struct Kirchhoff {
    medium: Medium,
    wav: Source,
    wavcenter: usize,
    wavfilter: bool,
    dtype: Dtype,
}

/// The demigration of an image with the depths and places `[z, x]` to the times `t`, from sources
/// to receivers with their coordinates in columns, at a velocity, with a wavelet and its center.
pub fn kirchhoff(
    [z, x]: [Source; 2],
    t: impl Into<Source>,
    srcs: impl Into<Source>,
    recs: impl Into<Source>,
    vel: f64,
    wav: impl Into<Source>,
    wavcenter: usize,
) -> Kirchhoff {
    let medium = Medium {
        axes: vec![x, z],
        t: t.into(),
        srcs: srcs.into(),
        recs: recs.into(),
        vel: Profile::Constant(vel),
        trav: None,
        amp: None,
        dynamic: false,
        aperture: None,
        angle: Aperture::of(&[90.0]).unwrap_or_default(),
    };
    Kirchhoff { medium, wav: wav.into(), wavcenter, wavfilter: false, dtype: Dtype::F64 }
}

impl Kirchhoff {
    /// A second horizontal axis: the image has three dims.
    pub fn y(mut self, y: impl Into<Source>) -> Self {
        self.medium.axes.insert(0, y.into());
        self
    }

    /// A velocity for all points of the image, or where there are tables of times, one for each.
    pub fn vel(mut self, vel: impl Into<Profile>) -> Self {
        self.medium.vel = vel.into();
        self
    }

    /// Times from tables, in seconds.
    pub fn trav(mut self, trav: impl Into<Tables>) -> Self {
        self.medium.trav = Some(trav.into());
        self
    }

    /// Amplitudes from tables, for times that are.
    pub fn amp(mut self, amp: impl Into<Tables>) -> Self {
        self.medium.amp = Some(amp.into());
        self
    }

    /// Whether the wavelet is filtered as the wave equation asks for.
    pub fn wavfilter(mut self, wavfilter: bool) -> Self {
        self.wavfilter = wavfilter;
        self
    }

    /// Whether there are amplitudes.
    pub fn dynamic(mut self, dynamic: bool) -> Self {
        self.medium.dynamic = dynamic;
        self
    }

    /// The largest ratio of offset over depth, or from where to where it is tapered.
    pub fn aperture(mut self, aperture: &[f64]) -> Result<Self, OperatorError> {
        self.medium.aperture = Some(two("aperture", aperture)?);
        Ok(self)
    }

    /// The largest angle to the vertical in degrees, or from where to where it is tapered; 90
    /// otherwise.
    pub fn angleaperture(mut self, angle: &[f64]) -> Result<Self, OperatorError> {
        self.medium.angle = two("angleaperture", angle)?;
        Ok(self)
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The expression.
    pub fn build(self) -> Result<Op, OperatorError> {
        let Kirchhoff { medium, wav, wavcenter, wavfilter, dtype } = self;
        let range = medium.check(KIND)?;
        let &[len] = wav.dims() else {
            let message = format!("wav has dims {:?}, and must have one", wav.dims());
            return dims::fail(KIND, message);
        };
        if wav.dtype().is_complex() {
            return dims::fail(KIND, "wav is complex, and must be real");
        }
        if len > range[2] {
            let message = format!("wav has {len} samples, and t has only {}", range[2]);
            return dims::fail(KIND, message);
        }
        let dims = medium.axes.len();
        let wav = if wavfilter { wavelet::filtered(&wav, &medium.t, dims)? } else { wav };
        let convolution = convolve1d(range.clone(), wav).offset(wavcenter).dtype(dtype).build()?;
        let signature = signature(&medium, range, dtype);
        let spray = leaf(signature, move |signature, tile| {
            real_typed!(tile.domain, T => {
                let spray = medium.spray::<T>(KIND, tile)?;
                Ok(tile::local(signature, tile, Sum { spray }))
            })
        })?;
        Ok(Op::new(convolution) * Op::new(spray))
    }
}

fn two(name: &str, given: &[f64]) -> Result<Aperture, OperatorError> {
    match Aperture::of(given) {
        Some(aperture) => Ok(aperture),
        None => dims::fail(KIND, format!("{name} is {given:?}, and must be one number or two")),
    }
}

fn signature(medium: &Medium, range: Vec<usize>, dtype: Dtype) -> Signature {
    let domain = medium.image();
    let mut rule = Rule::elementwise(&range);
    rule.factors[2] = Factor::whole(letter(2), range[2]);
    rule.factors.extend((0..2).map(|d| Factor::free(letter(3 + d), domain[d])));
    rule.domain[0] = vec![Binding::plain(3), Binding::plain(4)];
    let (points, parts) = (tile::count(&domain), if dtype.is_complex() { 2.0 } else { 1.0 });
    let numbers = if medium.dynamic { 24.0 } else { 8.0 };
    let ways = match medium.trav {
        Some(Tables::Pairs(_)) => range[0] * range[1],
        _ => range[0] + range[1],
    };
    let tables = numbers * points * ways as f64;
    // Two additions and a product, each in a place of its own.
    let flops = 16.0 * parts * points * (range[0] * range[1]) as f64;
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![domain],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost {
            flops,
            reads: tables,
            holds: tables,
            class: Some(Class::Gather),
            ..Cost::default()
        },
    }
}

/// Traces of an image, before the wavelet.
struct Sum<T> {
    spray: Spray<T>,
}

impl<T: Element + Real> Kernel for Sum<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        self.spray.forward(x.group, x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        self.spray.adjoint(y.group, y.data, x.data, acc);
    }
}

pub(super) const ENTRY: Entry<Op> = Entry {
    name: KIND,
    parameters: &[
        "z",
        "x",
        "t",
        "srcs",
        "recs",
        "vel",
        "wav",
        "wavcenter",
        "y",
        "mode",
        "trav",
        "amp",
        "wavfilter",
        "dynamic",
        "aperture",
        "angleaperture",
        "dtype",
    ],
    ignored: &["snell", "engine", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Op, RegistryError> {
    let image = [given.need::<Source>("z")?, given.need::<Source>("x")?];
    let (t, srcs, recs): (Source, Source, Source) =
        (given.need("t")?, given.need("srcs")?, given.need("recs")?);
    let (vel, wav): (Profile, Source) = (given.need("vel")?, given.need("wav")?);
    let center = given.need("wavcenter")?;
    let mut operator = kirchhoff(image, t, srcs, recs, 1.0, wav, center).vel(vel);
    if let Some(y) = given.get::<Source>("y")? {
        operator = operator.y(y);
    }
    let mode: Mode = given.need("mode")?;
    let (trav, amp) = (given.get("trav")?, given.get("amp")?);
    operator.medium.trav = trav;
    operator.medium.amp = amp;
    given.set("wavfilter", &mut operator.wavfilter)?;
    given.set("dynamic", &mut operator.medium.dynamic)?;
    given.set("dtype", &mut operator.dtype)?;
    let (aperture, angle) = (given.get::<Vec<f64>>("aperture")?, given.get("angleaperture")?);
    if let Some(aperture) = aperture {
        operator = operator.aperture(&aperture)?;
    }
    if given.is_nothing("angleaperture") {
        operator = operator.angleaperture(&UNBOUNDED)?;
    }
    if let Some(angle) = angle {
        operator = operator.angleaperture(&Vec::<f64>::clone(&angle))?;
    }
    match (mode, &operator.medium.trav) {
        (Mode::Analytic, Some(_)) => dims::fail(KIND, "trav is given, and mode is not byot")?,
        (Mode::Byot, None) => dims::fail(KIND, "trav must be given where mode is byot")?,
        _ => {}
    }
    Ok(operator.build()?)
}
