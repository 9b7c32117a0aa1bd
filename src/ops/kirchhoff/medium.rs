//! Where image points, sources and receivers are, and what is known of the ways between them.

use super::OperatorError;
use crate::data::Source;
use crate::ops::tile::{self, Number};
use crate::ops::{Tile, dims};
use adjoin_kernels::host::Real;
use adjoin_kernels::host::spray::{Cut, Spray, Ways};
use std::f64::consts::PI;
use std::ops::Range;

/// Nothing is lost up to the first bound, and nothing left from the second on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aperture {
    from: f64,
    to: f64,
}

impl Aperture {
    /// Both bounds, or the second of which the first is four fifths.
    pub fn of(given: &[f64]) -> Option<Self> {
        match *given {
            [to] => Some(Aperture { from: 0.8 * to, to }),
            [from, to] => Some(Aperture { from, to }),
            _ => None,
        }
    }

    /// What is left of an angle, given in radians while the bounds are degrees.
    fn taper(self, angle: f64) -> f64 {
        let (from, to) = (self.from.to_radians(), self.to.to_radians());
        if angle.is_nan() || angle >= to {
            0.0
        } else if angle < from {
            1.0
        } else {
            // Hann's window, in twenty steps.
            match floor_divide(20.0 * (angle - from), to - from) as usize {
                0 => 1.0,
                step => 0.5 - 0.5 * (2.0 * PI * (20.0 - step as f64) / 38.0).cos(),
            }
        }
    }
}

/// The medium and who is in it.
#[derive(Clone, Debug)]
pub(super) struct Medium {
    /// `y` if it is there, `x` and `z`.
    pub axes: Vec<Source>,
    pub t: Source,
    pub srcs: Source,
    pub recs: Source,
    pub vel: f64,
    pub dynamic: bool,
    pub aperture: Option<Aperture>,
    pub angle: Aperture,
}

impl Medium {
    /// The dims of the data, if all shapes belong together.
    pub fn check(&self, kind: &str) -> Result<Vec<usize>, OperatorError> {
        let names = ["y", "x", "z"];
        let axes = names[names.len() - self.axes.len().min(3)..].iter().zip(&self.axes);
        for (name, axis) in axes.chain([(&"t", &self.t)]) {
            if !matches!(*axis.dims(), [n] if n >= 2) {
                let message = format!("{name} has dims {:?}, and must be a list", axis.dims());
                return dims::fail(kind, format!("{message} of two numbers or more"));
            }
        }
        let coordinates = self.axes.len();
        let mut counts = vec![];
        for (name, who) in [("srcs", &self.srcs), ("recs", &self.recs)] {
            match *who.dims() {
                [rows, n] if rows == coordinates => counts.push(n),
                ref other => {
                    let message = format!("{name} has dims {other:?}, and must have a row");
                    return dims::fail(kind, format!("{message} for each of {coordinates} axes"));
                }
            }
        }
        if self.vel.is_nan() || self.vel <= 0.0 || self.vel.is_infinite() {
            return dims::fail(kind, format!("vel is {}, and must be positive", self.vel));
        }
        counts.push(self.t.len());
        Ok(counts)
    }

    /// The dims of the image.
    pub fn image(&self) -> Vec<usize> {
        let (depth, places) = self.axes.split_last().map_or((0, &[][..]), |(z, p)| (z.len(), p));
        vec![places.iter().map(Source::len).product(), depth]
    }

    /// The operator of a tile: some sources, some receivers, and a box of the image.
    pub fn spray<T: Number + Real>(
        &self,
        kind: &str,
        tile: &Tile,
    ) -> Result<Spray<T>, OperatorError> {
        let place = Place::read(self, kind)?;
        let [sources, receivers, _, places, depths] = &tile.factors[..] else {
            return dims::fail(kind, "a tile has other factors than its rule");
        };
        let image = [places.clone(), depths.clone()];
        // What sources and receivers share of the weight of a pair is with the sources.
        let scale = 2.0 / self.vel;
        let srcs = place.ways(&place.srcs, sources, &image, scale);
        let recs = place.ways(&place.recs, receivers, &image, 1.0);
        let points = places.len() * depths.len();
        let cut = (self.dynamic && self.axes.len() == 2).then(|| Cut {
            depth: places.clone().flat_map(|_| depths.clone()).map(|z| (z + 1) as f64).collect(),
            most: self.aperture.map_or((self.axes[0].len() + 1) as f64, |aperture| aperture.to),
        });
        Ok(Spray::new(srcs, recs, cut, points, self.t.len()))
    }
}

/// The medium with its numbers.
struct Place<'a> {
    medium: &'a Medium,
    axes: Vec<Vec<f64>>,
    /// The coordinates of each source.
    srcs: Vec<Vec<f64>>,
    recs: Vec<Vec<f64>>,
    dt: f64,
    /// What keeps amplitudes finite at a source.
    near: f64,
}

impl<'a> Place<'a> {
    fn read(medium: &'a Medium, kind: &str) -> Result<Self, OperatorError> {
        let all = |source: &Source| {
            let whole: Vec<Range<usize>> = source.dims().iter().map(|&n| 0..n).collect();
            tile::read::<f64>(kind, source, &whole)
        };
        let axes = medium.axes.iter().map(all).collect::<Result<Vec<_>, _>>()?;
        let columns = |source: &Source| {
            let (values, n) = (all(source)?, source.dims()[1]);
            let column = |k: usize| values.iter().skip(k).step_by(n).copied().collect();
            Ok::<Vec<Vec<f64>>, OperatorError>((0..n).map(column).collect())
        };
        let (srcs, recs) = (columns(&medium.srcs)?, columns(&medium.recs)?);
        let t = tile::read::<f64>(kind, &medium.t, std::slice::from_ref(&(0..2)))?;
        let farthest = |who: &[Vec<f64>]| {
            let of = |at: &Vec<f64>| {
                let spans = axes
                    .iter()
                    .zip(at)
                    .map(|(axis, at)| axis.iter().map(|x| (x - at).powi(2)).fold(0.0, f64::max));
                spans.sum::<f64>().sqrt()
            };
            who.iter().map(of).fold(0.0, f64::max)
        };
        let near = 1e-2 * (farthest(&srcs) + farthest(&recs));
        Ok(Place { medium, axes, srcs, recs, dt: t[1] - t[0], near })
    }

    /// What is known of the ways between points and some sources, or receivers.
    fn ways<T: Number + Real>(
        &self,
        who: &[Vec<f64>],
        which: &Range<usize>,
        [places, depths]: &[Range<usize>; 2],
        scale: f64,
    ) -> Ways<T> {
        let mut ways = Ways { times: vec![], cos: vec![], sin: vec![], places: vec![] };
        let horizontal = self.axes.len() - 2;
        let (x, rows) = (&self.axes[horizontal], self.axes[horizontal].len());
        for at in &who[which.clone()] {
            ways.places.push(floor_divide(at[horizontal] - x[0], x[1] - x[0]));
            for (place, z) in places.clone().flat_map(|p| depths.clone().map(move |z| (p, z))) {
                let point = [place / rows, place % rows, z];
                let point = &point[1 - horizontal..];
                let time = self.time(at, point);
                ways.times.push(time / self.dt);
                if self.medium.dynamic {
                    let (cos, sin) = self.weight(at, point, time);
                    ways.cos.push(T::nearest(scale * cos));
                    ways.sin.push(T::nearest(scale * sin));
                }
            }
        }
        ways
    }

    /// Seconds to an image point.
    fn time(&self, at: &[f64], point: &[usize]) -> f64 {
        let square = |((axis, &k), at): ((&Vec<f64>, &usize), &f64)| (axis[k] - at).powi(2);
        let squares = self.axes.iter().zip(point).zip(at).map(square);
        squares.sum::<f64>().sqrt() / self.medium.vel
    }

    /// Amplitude and taper, times the cosine and the sine of half the angle to the vertical.
    fn weight(&self, at: &[f64], point: &[usize], time: f64) -> (f64, f64) {
        let slopes: Vec<f64> = (0..point.len()).map(|d| self.slope(at, point, d)).collect();
        let distance = time * self.medium.vel + self.near;
        let (angle, amplitude) = match slopes[..] {
            [x, z] => (x.atan2(z), 1.0 / distance.sqrt()),
            [_, x, z] => {
                let steepest = slopes.iter().map(|s| s * s).sum::<f64>().sqrt();
                let sign = if x == 0.0 { 0.0 } else { x.signum() };
                (sign * (z / steepest).acos(), 1.0 / distance)
            }
            _ => (0.0, 0.0),
        };
        let taper = self.medium.angle.taper(angle.abs());
        if taper == 0.0 {
            return (0.0, 0.0);
        }
        let (sin, cos) = (angle / 2.0).sin_cos();
        (amplitude * taper * cos, amplitude * taper * sin)
    }

    /// The difference of times along an axis, on one side only at its ends.
    fn slope(&self, at: &[f64], point: &[usize], d: usize) -> f64 {
        let axis = &self.axes[d];
        let (low, high) = (point[d].saturating_sub(1), (point[d] + 1).min(axis.len() - 1));
        let time = |k: usize| {
            let mut moved = [0; 3];
            moved[..point.len()].copy_from_slice(point);
            moved[d] = k;
            self.time(at, &moved[..point.len()])
        };
        let step = (axis[1] - axis[0]).abs();
        (time(high) - time(low)) / ((high - low) as f64 * step)
    }
}

/// `⌊a / b⌋` as NumPy has it: of the exact quotient, not of the rounded one.
fn floor_divide(a: f64, b: f64) -> f64 {
    let rest = a % b;
    let whole = (a - rest) / b;
    let whole = if rest != 0.0 && (b < 0.0) != (rest < 0.0) { whole - 1.0 } else { whole };
    whole.round()
}
