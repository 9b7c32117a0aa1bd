//! Traces from the points of an image, each at its time: `d[s, r, t] += w a[i] x[i]`, shared between
//! the two samples around `t = q[s, i] + q[r, i]`; adjoint `x[i] = Σ w a[i] d[s, r, t]`.
//!
//! Times are in samples. A point whose time is not between the first and the last sample does not
//! count.
//! A trace is summed point by point, and as pairs: `Σ v` and `Σ v f` of the values `v` between two
//! samples, at fractions `f` of the way. So a point costs one access, and the bits of a trace do not
//! depend on what other traces there are.

use super::crew::{self, Divided};
use super::simd::multiversion;
use super::{Acc, Real};
use std::ops::Range;

/// How many traces are summed side by side: a trace alone waits for its own last addition.
const SIDE: usize = 4;
/// Points at a time, so that what is known of them stays in the nearest cache.
const BLOCK: usize = 256;

/// What is known of the way between points and some sources, or receivers.
#[derive(Clone, Debug)]
pub struct Ways<R> {
    /// For each source its times to all points, in samples.
    pub times: Vec<f64>,
    /// Weights likewise, empty if all are one: that of a pair of ways is
    /// `cos[s] cos[r] + sin[s] sin[r]`.
    pub cos: Vec<R>,
    /// Empty as `cos` is.
    pub sin: Vec<R>,
    /// The place of each source, of which [`Cut`] knows.
    pub places: Vec<f64>,
}

/// Points to leave out: those with `|place[s] - place[r]| / depth[i]` not below `most`.
#[derive(Clone, Debug)]
pub struct Cut {
    /// A number for each point.
    pub depth: Vec<f64>,
    /// The bound.
    pub most: f64,
}

/// The operator, with its scratch.
#[derive(Clone, Debug)]
pub struct Spray<R> {
    sources: Ways<R>,
    receivers: Ways<R>,
    cut: Option<Cut>,
    points: usize,
    samples: usize,
    /// A column of a batch of points, its sums, and for each hand pairs of some traces.
    column: Vec<R>,
    pairs: Vec<Pairs<R>>,
}

/// Pairs of as many samples as a trace has, for some traces side by side.
type Pairs<R> = Vec<[[R; 2]; SIDE]>;

/// What a block of points is to some pair of ways.
struct Block<R> {
    at: [u32; BLOCK],
    part: [R; BLOCK],
    weight: [R; BLOCK],
}

impl<R: Real> Spray<R> {
    /// The operator between so many points and traces of so many samples.
    pub fn new(
        sources: Ways<R>,
        receivers: Ways<R>,
        cut: Option<Cut>,
        points: usize,
        samples: usize,
    ) -> Self {
        assert!(i32::try_from(samples).is_ok(), "samples are counted in 32 bits");
        let pairs = vec![vec![[[R::ZERO; 2]; SIDE]; samples.max(1)]; crew::threads()];
        Spray { sources, receivers, cut, points, samples, column: vec![R::ZERO; points], pairs }
    }

    /// `y` from `x`, both with `group` numbers an element.
    pub fn forward(&mut self, group: usize, x: &[R], y: &mut [R], acc: Acc) {
        for g in 0..group {
            self.column.iter_mut().zip(x.iter().skip(g).step_by(group)).for_each(|(c, x)| *c = *x);
            self.spread(group, g, y, acc);
        }
    }

    /// `x` from `y`, likewise.
    pub fn adjoint(&mut self, group: usize, y: &[R], x: &mut [R], acc: Acc) {
        for g in 0..group {
            self.column.fill(R::ZERO);
            self.collect(group, g, y);
            let sums = x.iter_mut().skip(g).step_by(group).zip(&self.column);
            sums.for_each(|(x, &sum)| acc.put(x, sum));
        }
    }

    fn receivers(&self) -> usize {
        self.receivers.places.len()
    }

    /// How many hands all pairs of a point and a trace are worth, of as many as there are.
    fn hands(&self) -> usize {
        let traces = self.sources.places.len() * self.receivers();
        crew::hands(16 * traces * self.points).min(self.pairs.len())
    }

    /// All traces of the column, to the elements `g` of groups; each hand makes some traces.
    fn spread(&mut self, group: usize, g: usize, y: &mut [R], acc: Acc) {
        let (receivers, hands) = (self.receivers(), self.hands());
        let groups = receivers.div_ceil(SIDE);
        let mut pairs = std::mem::take(&mut self.pairs);
        let (this, y) = (&*self, Divided::new(y));
        crew::with(&mut pairs[..hands], |hand, pairs| {
            for k in crew::part(this.sources.places.len() * groups, 1, hands, hand) {
                let (s, first) = (k / groups, k % groups * SIDE);
                let side = SIDE.min(receivers - first);
                this.sum(s, first, side, pairs);
                for k in 0..side {
                    let trace = (s * receivers + first + k) * this.samples * group;
                    // SAFETY: hands have different traces.
                    let trace = unsafe { y.part(trace..trace + this.samples * group) };
                    unpair(k, pairs, trace.iter_mut().skip(g).step_by(group), acc);
                }
            }
        });
        self.pairs = pairs;
    }

    /// The pairs of some traces of a source, side by side.
    fn sum(&self, s: usize, first: usize, side: usize, pairs: &mut Pairs<R>) {
        let mut blocks = [const { Block::NEW }; SIDE];
        pairs.fill([[R::ZERO; 2]; SIDE]);
        for begin in (0..self.points).step_by(BLOCK) {
            let end = self.points.min(begin + BLOCK);
            for (k, block) in blocks[..side].iter_mut().enumerate() {
                self.locate(s, first + k, begin..end, block);
            }
            scatter(&blocks, side, &self.column[begin..end], pairs);
        }
    }

    /// The sums of all traces, from the elements `g` of groups, onto the column; each hand makes
    /// those of some points.
    fn collect(&mut self, group: usize, g: usize, y: &[R]) {
        let hands = self.hands();
        let (mut pairs, mut column) =
            (std::mem::take(&mut self.pairs), std::mem::take(&mut self.column));
        let (this, sums) = (&*self, Divided::new(&mut column));
        crew::with(&mut pairs[..hands], |hand, pairs| {
            let points = crew::part(this.points, BLOCK, hands, hand);
            // SAFETY: hands have different points.
            let sums = unsafe { sums.part(points.clone()) };
            this.gather(group, g, y, pairs, (points, sums));
        });
        (self.pairs, self.column) = (pairs, column);
    }

    /// The sums of all traces onto some points.
    fn gather(
        &self,
        group: usize,
        g: usize,
        y: &[R],
        pairs: &mut Pairs<R>,
        (points, sums): (Range<usize>, &mut [R]),
    ) {
        let (receivers, samples) = (self.receivers(), self.samples);
        let mut block = Block::NEW;
        // A trace alone is kept close together.
        let pairs = &mut pairs.as_flattened_mut()[..samples.max(1)];
        for s in 0..self.sources.places.len() {
            for r in 0..receivers {
                let trace = (s * receivers + r) * samples * group;
                let trace = &y[trace..trace + samples * group];
                pair(trace.iter().skip(g).step_by(group), pairs);
                for (begin, sums) in points.clone().step_by(BLOCK).zip(sums.chunks_mut(BLOCK)) {
                    self.locate(s, r, begin..begin + sums.len(), &mut block);
                    gather(&block, pairs, sums);
                }
            }
        }
    }

    /// Where points are on a trace, and what they weigh there.
    fn locate(&self, s: usize, r: usize, at: std::ops::Range<usize>, block: &mut Block<R>) {
        let (n, last) = (at.len(), self.samples.saturating_sub(1) as f64);
        let from = |k: usize| k * self.points + at.start..k * self.points + at.end;
        let (source, receiver) = (from(s), from(r));
        let times = (&self.sources.times[source.clone()], &self.receivers.times[receiver.clone()]);
        locate(times.0, times.1, last, &mut block.at[..n], &mut block.part[..n]);
        let weight = &mut block.weight[..n];
        if self.sources.cos.is_empty() {
            weight.fill(R::ONE);
        } else {
            let cos = (&self.sources.cos[source.clone()], &self.receivers.cos[receiver.clone()]);
            let sin = (&self.sources.sin[source], &self.receivers.sin[receiver]);
            weigh(cos, sin, weight);
        }
        if let Some(cut) = &self.cut {
            let apart = (self.sources.places[s] - self.receivers.places[r]).abs();
            for (weight, depth) in weight.iter_mut().zip(&cut.depth[at]) {
                if apart / depth >= cut.most {
                    *weight = R::ZERO;
                }
            }
        }
    }
}

impl<R: Real> Block<R> {
    const NEW: Self = Block { at: [0; BLOCK], part: [R::ZERO; BLOCK], weight: [R::ZERO; BLOCK] };
}

multiversion! {
    /// Whole samples, and what is beyond them. From the last sample on all is at the last sample.
    fn locate {R: Real} {R}
    (source: &[f64], receiver: &[f64], last: f64, at: &mut [u32], part: &mut [R]) {
        let points = source.iter().zip(receiver).zip(at.iter_mut().zip(part));
        for ((s, r), (at, part)) in points {
            let time = s + r;
            // A time that is no number is at the last sample as well.
            let time = if time >= 0.0 && time < last { time } else { last };
            // SAFETY: The time is between zero and the last sample, which `Spray::new` has checked
            // to be a number of this type.
            let whole = unsafe { time.to_int_unchecked::<i32>() };
            *at = whole as u32;
            *part = R::nearest(time - f64::from(whole));
        }
    }
}

multiversion! {
    fn weigh {R: Real} {R} (cos: (&[R], &[R]), sin: (&[R], &[R]), weight: &mut [R]) {
        let pairs = cos.0.iter().zip(cos.1).zip(sin.0.iter().zip(sin.1));
        for (weight, ((&cs, &cr), (&ss, &sr))) in weight.iter_mut().zip(pairs) {
            *weight = cs.fused::<FMA>(cr, ss * sr);
        }
    }
}

multiversion! {
    /// Adds points to the pairs of traces, side by side.
    fn scatter {R: Real} {R}
    (blocks: &[Block<R>; SIDE], side: usize, x: &[R], pairs: &mut [[[R; 2]; SIDE]]) {
        if side == SIDE {
            for (i, &x) in x.iter().enumerate() {
                for (k, block) in blocks.iter().enumerate() {
                    put(block, i, x, k, pairs);
                }
            }
        } else {
            for (i, &x) in x.iter().enumerate() {
                for (k, block) in blocks[..side].iter().enumerate() {
                    put(block, i, x, k, pairs);
                }
            }
        }
    }
}

#[allow(clippy::inline_always)] // The loops around it are compiled for several instruction sets.
#[inline(always)]
fn put<R: Real>(block: &Block<R>, i: usize, x: R, k: usize, pairs: &mut [[[R; 2]; SIDE]]) {
    let value = block.weight[i] * x;
    let pair = &mut pairs[block.at[i] as usize][k];
    *pair = [pair[0] + value, pair[1] + value * block.part[i]];
}

multiversion! {
    /// Adds to points what their traces have there.
    fn gather {R: Real} {R} (block: &Block<R>, pairs: &[[R; 2]], x: &mut [R]) {
        let known = block.at.iter().zip(&block.part).zip(&block.weight);
        for (x, ((&at, part), weight)) in x.iter_mut().zip(known) {
            let [here, step] = pairs[at as usize];
            let value = part.fused::<FMA>(step, here);
            *x = weight.fused::<FMA>(value, *x);
        }
    }
}

/// A trace from its pairs; those at the last sample do not count.
fn unpair<'a, R: Real>(
    k: usize,
    pairs: &[[[R; 2]; SIDE]],
    trace: impl Iterator<Item = &'a mut R>,
    acc: Acc,
) {
    let last = pairs.len() - 1;
    let mut carried = R::ZERO;
    for (t, y) in trace.enumerate() {
        let [sum, part] = if t < last { pairs[t][k] } else { [R::ZERO; 2] };
        acc.put(y, carried + (sum - part));
        carried = part;
    }
}

/// A trace as pairs of a sample and the step to the next; nothing is at the last sample.
fn pair<'a, R: Real>(trace: impl Iterator<Item = &'a R>, pairs: &mut [[R; 2]]) {
    let mut before: Option<R> = None;
    for (t, &y) in trace.enumerate() {
        if let Some(before) = before {
            pairs[t - 1] = [before, y - before];
        }
        before = Some(y);
    }
    if let Some(last) = pairs.last_mut() {
        *last = [R::ZERO; 2];
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    fn ways<R: Real>(seed: u64, n: usize, points: usize, longest: f64, weigh: bool) -> Ways<R> {
        let times: Vec<f64> = values(seed, n * points);
        let times = times.iter().map(|t| t.abs() * longest).collect();
        let weights = |seed| if weigh { values(seed, n * points) } else { vec![] };
        Ways { times, cos: weights(seed + 1), sin: weights(seed + 2), places: values(seed + 3, n) }
    }

    /// The formula, element by element.
    fn plain<R: Real>(spray: &Spray<R>, x: &[R]) -> Vec<R> {
        let (ni, nt, nr) = (spray.points, spray.samples, spray.receivers());
        let mut y = vec![R::ZERO; spray.sources.places.len() * nr * nt];
        for (k, trace) in y.chunks_mut(nt).enumerate() {
            let (s, r) = (k / nr, k % nr);
            for (i, &x) in x.iter().enumerate() {
                let (a, b) = (s * ni + i, r * ni + i);
                let time = spray.sources.times[a] + spray.receivers.times[b];
                let at = time as usize;
                let part = R::nearest(time - at as f64);
                let (cos, sin) = (&spray.sources.cos, &spray.sources.sin);
                let mut value = x;
                if !cos.is_empty() {
                    let w = cos[a] * spray.receivers.cos[b] + sin[a] * spray.receivers.sin[b];
                    value *= w;
                }
                let apart = (spray.sources.places[s] - spray.receivers.places[r]).abs();
                let left_out = |cut: &Cut| apart / cut.depth[i] >= cut.most;
                if spray.cut.as_ref().is_some_and(left_out) || at + 1 >= nt {
                    continue;
                }
                trace[at] += value * (R::ONE - part);
                trace[at + 1] += value * part;
            }
        }
        y
    }

    pub fn sprays_are_their_formula<R: Real>() {
        let sizes = [(1, 1, 1, 2), (2, 3, 300, 40), (3, 9, 257, 7), (1, 4, 511, 1), (2, 5, 0, 6)];
        for (k, (ns, nr, ni, nt)) in sizes.into_iter().enumerate() {
            for weigh in [false, true] {
                // Some points are beyond the end.
                let longest = 0.6 * nt as f64;
                let (sources, receivers) =
                    (ways(1, ns, ni, longest, weigh), ways(7, nr, ni, longest, weigh));
                let depth = (1..=ni).map(|i| i as f64 / 50.0).collect();
                let cut = weigh.then_some(Cut { depth, most: 0.7 });
                let mut spray = Spray::<R>::new(sources, receivers, cut, ni, nt);
                let x: Vec<R> = values(20 + k as u64, ni);
                let mut y = values(30, ns * nr * nt);
                let wanted: Vec<R> = plain(&spray, &x);
                let sums: Vec<R> = wanted.iter().zip(&y).map(|(&a, &b)| a + b).collect();
                let mut set = vec![R::ONE; y.len()];
                spray.forward(1, &x, &mut y, Acc::Add);
                spray.forward(1, &x, &mut set, Acc::Set);
                assert_close(&y, &sums);
                assert_close(&set, &wanted);
                let u: Vec<R> = values(40, y.len());
                let mut z = vec![R::ZERO; ni];
                spray.adjoint(1, &u, &mut z, Acc::Set);
                assert_dots(&x, &set, &u, &z);
            }
        }
    }

    pub fn batches_are_columns<R: Real>() {
        let (ns, nr, ni, nt, group) = (2, 6, 270, 30, 2);
        let ways = |seed, n| ways(seed, n, ni, 16.0, true);
        let mut spray = Spray::<R>::new(ways(1, ns), ways(7, nr), None, ni, nt);
        let mut apply = |group, forward: bool, x: &[R]| {
            let mut y = vec![R::ZERO; if forward { ns * nr * nt } else { ni } * group];
            if forward {
                spray.forward(group, x, &mut y, Acc::Set);
            } else {
                spray.adjoint(group, x, &mut y, Acc::Set);
            }
            y
        };
        for (forward, n) in [(true, ni), (false, ns * nr * nt)] {
            let both: Vec<R> = values(9, n * group);
            let found = apply(group, forward, &both);
            for g in 0..group {
                let column = |all: &[R]| all.iter().skip(g).step_by(group).copied().collect();
                let (x, y): (Vec<R>, Vec<R>) = (column(&both), column(&found));
                assert_eq!(apply(1, forward, &x), y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sprays_are_their_formula() {
        super::checks::sprays_are_their_formula::<f32>();
        super::checks::sprays_are_their_formula::<f64>();
    }

    #[test]
    fn batches_are_columns() {
        super::checks::batches_are_columns::<f32>();
        super::checks::batches_are_columns::<f64>();
    }
}
