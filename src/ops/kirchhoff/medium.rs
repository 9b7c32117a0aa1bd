//! Where image points, sources and receivers are, and what is known of the ways between them.

use super::OperatorError;
use super::tables::{self, Read, Tables};
use crate::data::Source;
use crate::elements::Element;
use crate::ops::tile;
use crate::ops::{Profile, Tile, dims};
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
    pub vel: Profile,
    /// Times that are not found by distance.
    pub trav: Option<Tables>,
    pub amp: Option<Tables>,
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
        let mut counts = [0; 2];
        for ((name, who), count) in
            [("srcs", &self.srcs), ("recs", &self.recs)].into_iter().zip(&mut counts)
        {
            match *who.dims() {
                [rows, n] if rows == coordinates => *count = n,
                ref other => {
                    let message = format!("{name} has dims {other:?}, and must have a row");
                    return dims::fail(kind, format!("{message} for each of {coordinates} axes"));
                }
            }
        }
        self.check_ways(kind, counts)?;
        Ok(vec![counts[0], counts[1], self.t.len()])
    }

    /// Whether times and amplitudes are known in one way and not in two.
    fn check_ways(&self, kind: &str, counts: [usize; 2]) -> Result<(), OperatorError> {
        let points = self.image().iter().product();
        tables::check_velocity(kind, &self.vel, points)?;
        for (name, tables) in [("trav", &self.trav), ("amp", &self.amp)] {
            if let Some(tables) = tables {
                tables.check(kind, name, points, counts)?;
            }
        }
        let apart = |tables: &Option<Tables>| matches!(tables, Some(Tables::Apart(_)));
        match (&self.trav, &self.amp) {
            (None, Some(_)) => dims::fail(kind, "amp has tables, and trav has none"),
            (None, None) if matches!(self.vel, Profile::Samples(_)) => {
                dims::fail(kind, "vel must be one number where trav is not given")
            }
            (Some(_), Some(_)) if !self.dynamic => {
                dims::fail(kind, "amp is given, and there are no amplitudes without dynamic")
            }
            (Some(_), amp) if self.dynamic && !(apart(&self.trav) && apart(amp)) => {
                let message = "trav and amp must each be a table of sources and one of receivers";
                dims::fail(kind, format!("{message} where dynamic is set"))
            }
            _ => Ok(()),
        }
    }

    /// The dims of the image.
    pub fn image(&self) -> Vec<usize> {
        let (depth, places) = self.axes.split_last().map_or((0, &[][..]), |(z, p)| (z.len(), p));
        vec![places.iter().map(Source::len).product(), depth]
    }

    /// The operator of a tile: some sources, some receivers, and a box of the image.
    pub fn spray<T: Element + Real>(
        &self,
        kind: &str,
        tile: &Tile,
    ) -> Result<Spray<T>, OperatorError> {
        let [sources, receivers, _, places, depths] = &tile.factors[..] else {
            return dims::fail(kind, "a tile has other factors than its rule");
        };
        let (points, samples) = (places.len() * depths.len(), self.t.len());
        let place = Place::read(self, kind, [places, depths])?;
        if let Some(Tables::Pairs(table)) = &self.trav {
            // All pairs are receivers of one source, where nothing takes time.
            let source = Ways { times: vec![0.0; points], ..none(1) };
            let pairs = place.pairs(table, sources, receivers)?;
            return Ok(Spray::new(source, pairs, None, points, samples));
        }
        let cut = (self.dynamic && self.axes.len() == 2).then(|| Cut {
            depth: places.clone().flat_map(|_| depths.clone()).map(|z| (z + 1) as f64).collect(),
            most: self.aperture.map_or((self.axes[0].len() + 1) as f64, |aperture| aperture.to),
        });
        let (sources, receivers) = (place.half(0, sources)?, place.half(1, receivers)?);
        Ok(Spray::new(sources, receivers, cut, points, samples))
    }
}

fn none<R>(sources: usize) -> Ways<R> {
    Ways { times: vec![], cos: vec![], sin: vec![], places: vec![0.0; sources] }
}

/// What is known of ways from sources, or receivers, to points of the image.
pub(super) trait Travel {
    /// Seconds from a source to a point.
    fn time(&self, source: usize, point: &[usize]) -> f64;
    /// The amplitude there.
    fn amplitude(&self, source: usize, point: &[usize]) -> f64;
    /// The distance of neighbours along an axis, of which slopes are.
    fn step(&self, axis: usize) -> f64;
}

/// The medium with its numbers, where a tile has the image.
struct Place<'a> {
    medium: &'a Medium,
    kind: &'a str,
    axes: Vec<Vec<f64>>,
    places: &'a Range<usize>,
    depths: &'a Range<usize>,
    /// The velocity at all points, or at each of them.
    vel: Vec<f64>,
    dt: f64,
}

impl<'a> Place<'a> {
    fn read(
        medium: &'a Medium,
        kind: &'a str,
        [places, depths]: [&'a Range<usize>; 2],
    ) -> Result<Self, OperatorError> {
        let axes = medium.axes.iter().map(|axis| all(kind, axis)).collect::<Result<_, _>>()?;
        let t = tile::read::<f64>(kind, &medium.t, std::slice::from_ref(&(0..2)))?;
        let vel = match &medium.vel {
            Profile::Constant(vel) => vec![*vel],
            Profile::Samples(vel) => {
                let image = medium.image();
                let vel = vel.reshape(image).map_err(|e| OperatorError(format!("{kind}: {e}")))?;
                tile::read(kind, &vel, &[places.clone(), depths.clone()])?
            }
        };
        if let Some(wrong) = vel.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            return dims::fail(kind, format!("vel has {wrong}, and must be positive"));
        }
        Ok(Place { medium, kind, axes, places, depths, vel, dt: t[1] - t[0] })
    }

    /// What is known of the ways from some sources (`0`), or receivers (`1`). What both share of
    /// the weight of a pair is with the sources.
    fn half<T: Element + Real>(
        &self,
        which: usize,
        range: &Range<usize>,
    ) -> Result<Ways<T>, OperatorError> {
        let medium = self.medium;
        let who = [&medium.srcs, &medium.recs].map(|who| columns(self.kind, who));
        let [srcs, recs] = who;
        let who = [srcs?, recs?];
        let at = &who[which][range.clone()];
        let x = &self.axes[self.axes.len() - 2];
        let bin = |at: &Vec<f64>| floor_divide(at[at.len() - 2] - x[0], x[1] - x[0]);
        let mut ways = Ways { places: at.iter().map(bin).collect(), ..none(0) };
        let of = |tables: &'a Option<Tables>| tables.as_ref().and_then(|t| t.half(which));
        if let Some(times) = of(&medium.trav) {
            let read = self.table([Some(times), of(&medium.amp)], range)?;
            self.put(&read, at.len(), which == 0, &mut ways);
        } else {
            let near = 1e-2 * who.iter().map(|who| self.farthest(who)).sum::<f64>();
            let straight = Straight { axes: &self.axes, who: at, vel: self.vel[0], near };
            self.put(&straight, at.len(), which == 0, &mut ways);
        }
        Ok(ways)
    }

    /// What is known of the ways of pairs.
    fn pairs<T: Element + Real>(
        &self,
        table: &Source,
        sources: &Range<usize>,
        receivers: &Range<usize>,
    ) -> Result<Ways<T>, OperatorError> {
        let mut ways = none(sources.len() * receivers.len());
        for source in sources.clone() {
            let first = source * self.medium.recs.dims()[1];
            let columns = first + receivers.start..first + receivers.end;
            let read = self.table([Some(table), None], &columns)?;
            self.put(&read, receivers.len(), false, &mut ways);
        }
        Ok(ways)
    }

    fn table(
        &self,
        tables: [Option<&Source>; 2],
        columns: &Range<usize>,
    ) -> Result<Read, OperatorError> {
        let lengths = self.axes.iter().map(Vec::len).collect();
        Read::new(self.kind, lengths, tables, self.places, columns)
    }

    /// Appends times and weights of some sources.
    fn put<T: Element + Real>(
        &self,
        travel: &impl Travel,
        sources: usize,
        shared: bool,
        ways: &mut Ways<T>,
    ) {
        let horizontal = self.axes.len() - 2;
        let rows = self.axes[horizontal].len();
        for source in 0..sources {
            let points = self.places.clone().flat_map(|p| self.depths.clone().map(move |z| (p, z)));
            for (i, (place, z)) in points.enumerate() {
                let point = [place / rows, place % rows, z];
                let point = &point[1 - horizontal..];
                ways.times.push(travel.time(source, point) / self.dt);
                if self.medium.dynamic {
                    let vel = self.vel[i.min(self.vel.len() - 1)];
                    let scale = if shared { 2.0 / vel } else { 1.0 };
                    let (cos, sin) = self.weight(travel, source, point);
                    ways.cos.push(T::nearest(scale * cos));
                    ways.sin.push(T::nearest(scale * sin));
                }
            }
        }
    }

    /// Amplitude and taper, times the cosine and the sine of half the angle to the vertical.
    fn weight(&self, travel: &impl Travel, source: usize, point: &[usize]) -> (f64, f64) {
        let slope = |d: usize| self.slope(travel, source, point, d);
        let slopes: Vec<f64> = (0..point.len()).map(slope).collect();
        let angle = match slopes[..] {
            [x, z] => x.atan2(z),
            [_, x, z] => {
                let steepest = slopes.iter().map(|s| s * s).sum::<f64>().sqrt();
                let sign = if x == 0.0 { 0.0 } else { x.signum() };
                sign * (z / steepest).acos()
            }
            _ => 0.0,
        };
        let taper = self.medium.angle.taper(angle.abs());
        if taper == 0.0 {
            return (0.0, 0.0);
        }
        let amplitude = travel.amplitude(source, point) * taper;
        let (sin, cos) = (angle / 2.0).sin_cos();
        (amplitude * cos, amplitude * sin)
    }

    /// The difference of times along an axis, on one side only at its ends.
    fn slope(&self, travel: &impl Travel, source: usize, point: &[usize], d: usize) -> f64 {
        let last = self.axes[d].len() - 1;
        let (low, high) = (point[d].saturating_sub(1), (point[d] + 1).min(last));
        let time = |k: usize| {
            let mut moved = [0; 3];
            moved[..point.len()].copy_from_slice(point);
            moved[d] = k;
            travel.time(source, &moved[..point.len()])
        };
        (time(high) - time(low)) / ((high - low) as f64 * travel.step(d))
    }

    fn farthest(&self, who: &[Vec<f64>]) -> f64 {
        let of = |at: &Vec<f64>| {
            let spans = self.axes.iter().zip(at);
            let spans =
                spans.map(|(axis, at)| axis.iter().map(|x| (x - at).powi(2)).fold(0.0, f64::max));
            spans.sum::<f64>().sqrt()
        };
        who.iter().map(of).fold(0.0, f64::max)
    }
}

fn all(kind: &str, source: &Source) -> Result<Vec<f64>, OperatorError> {
    let whole: Vec<Range<usize>> = source.dims().iter().map(|&n| 0..n).collect();
    tile::read(kind, source, &whole)
}

/// The coordinates of each source, or receiver.
fn columns(kind: &str, source: &Source) -> Result<Vec<Vec<f64>>, OperatorError> {
    let (values, n) = (all(kind, source)?, source.dims()[1]);
    let column = |k: usize| values.iter().skip(k).step_by(n).copied().collect();
    Ok((0..n).map(column).collect())
}

/// Ways that are straight.
struct Straight<'a> {
    axes: &'a [Vec<f64>],
    who: &'a [Vec<f64>],
    vel: f64,
    /// What keeps amplitudes finite at a source.
    near: f64,
}

impl Travel for Straight<'_> {
    fn time(&self, source: usize, point: &[usize]) -> f64 {
        let square = |((axis, &k), at): ((&Vec<f64>, &usize), &f64)| (axis[k] - at).powi(2);
        let squares = self.axes.iter().zip(point).zip(&self.who[source]).map(square);
        squares.sum::<f64>().sqrt() / self.vel
    }

    fn amplitude(&self, source: usize, point: &[usize]) -> f64 {
        let distance = self.time(source, point) * self.vel + self.near;
        1.0 / if self.axes.len() == 2 { distance.sqrt() } else { distance }
    }

    fn step(&self, axis: usize) -> f64 {
        (self.axes[axis][1] - self.axes[axis][0]).abs()
    }
}

/// `⌊a / b⌋` as NumPy has it: of the exact quotient, not of the rounded one.
fn floor_divide(a: f64, b: f64) -> f64 {
    let rest = a % b;
    let whole = (a - rest) / b;
    let whole = if rest != 0.0 && (b < 0.0) != (rest < 0.0) { whole - 1.0 } else { whole };
    whole.round()
}
