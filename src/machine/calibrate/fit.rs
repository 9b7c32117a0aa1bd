//! From what a kind of work took to its shares of a machine's rates.
//!
//! A sample takes the time of its flops at a share of the flop rate of their precision, and then
//! that of its bytes at shares of the bandwidths of the levels where its working set lies.
//! The shares are those with which the sum of the squares of all relative errors is least.
//! Samples of a class differ in their flops for a byte, which tells what is whose; where they do not,
//! shares are near to one.

use super::rounded;
use crate::machine::{Machine, Shares};
use adjoin_passes::Dtype;

/// The largest share of a bandwidth: above it arithmetic hides the traffic.
const MOST: f64 = 10.0;

/// The least share of a rate.
const LEAST: f64 = 0.02;

/// The largest share of the flop rate.
const FASTEST: f64 = 2.0;

/// How much an unlikely share weighs beside a sample.
const CALM: f64 = 1e-5;

/// Sweeps over the unknowns, of which there are few.
const SWEEPS: usize = 3000;

/// What some ranks took, each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) dtype: Dtype,
    pub(super) ranks: usize,
    /// The bytes of a rank's working set.
    pub(super) set: f64,
    pub(super) flops: f64,
    pub(super) bytes: f64,
    /// Bytes that come from the nearest level again, as their piece has stayed there.
    pub(super) again: f64,
    pub(super) seconds: f64,
}

impl Sample {
    /// The parts of its time that flops in both precisions and the traffic of each level would have
    /// at all of the rates.
    fn parts(&self, machine: &Machine) -> Vec<f64> {
        let arithmetic = self.flops / machine.rate(self.dtype);
        let single = matches!(self.dtype, Dtype::F32 | Dtype::C64);
        let flops = [single, !single].map(|mine| if mine { arithmetic } else { 0.0 });
        let machine = machine.among(self.ranks);
        let again = if machine.memory.len() > 1 { self.again } else { 0.0 };
        let again = machine.parts(0.0).map(move |part| part * again);
        let traffic =
            machine.parts(self.set).zip(again).map(|(part, again)| part * self.bytes + again);
        flops.into_iter().chain(traffic).map(|part| part / self.seconds).collect()
    }
}

/// The shares that explain the samples; the machine has no kernels.
pub(super) fn shares(machine: &Machine, samples: &[Sample]) -> Shares {
    let rows: Vec<Vec<f64>> = samples.iter().map(|sample| sample.parts(machine)).collect();
    let unknowns = 2 + machine.memory.len();
    let most = |k: usize| if k < 2 { FASTEST } else { MOST };
    let mut slowness = vec![1.0_f64; unknowns];
    // Least squares within bounds, one unknown after the other.
    for _ in 0..SWEEPS {
        for k in 0..unknowns {
            let (mut slope, mut square) = (CALM, CALM);
            for row in &rows {
                let others: f64 =
                    (0..unknowns).filter(|&j| j != k).map(|j| row[j] * slowness[j]).sum();
                slope += row[k] * (1.0 - others);
                square += row[k] * row[k];
            }
            slowness[k] = (slope / square).clamp(1.0 / most(k), 1.0 / LEAST);
        }
    }
    let share = |k: usize| rounded(1.0 / slowness[k]);
    let seen = |k: usize| rows.iter().any(|row| row[k] > 0.0);
    let [single, double] = match [seen(0), seen(1)] {
        [true, false] => [share(0), share(0)],
        [false, true] => [share(1), share(1)],
        _ => [share(0), share(1)],
    };
    // Of a level that no sample has seen the one before is the best guess.
    let mut memory: Vec<f64> = Vec::new();
    for k in 2..unknowns {
        memory.push(if seen(k) { share(k) } else { memory.last().copied().unwrap_or(1.0) });
    }
    Shares { single, double, memory }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Kernel, Memory};
    use adjoin_passes::machine::Manner;
    use adjoin_passes::signature::Class;

    const STENCIL: Manner = Manner { class: Class::Stencil, along: 1.0 };

    fn machine() -> Machine {
        let near = Memory { within: Some(1e6), bandwidth: 1e11, total: None };
        let far = Memory { within: None, bandwidth: 2e10, total: Some(3e10) };
        Machine { cores: Some(2), memory: vec![near, far], ..Machine::default() }
    }

    /// A machine whose stencils have such shares.
    fn with(along: &Shares) -> Machine {
        let kernel = Kernel { along: along.clone(), across: Shares::default() };
        Machine { kernels: [(Class::Stencil, kernel)].into(), ..machine() }
    }

    /// What a machine says of work on different sets, with so many flops for a byte.
    fn samples(truth: &Machine, intensities: &[f64]) -> Vec<Sample> {
        let cases = [
            (Dtype::F32, 2, 5e5),
            (Dtype::F64, 2, 5e5),
            (Dtype::F32, 1, 1e8),
            (Dtype::F32, 2, 5e7),
        ];
        let sample = |(dtype, ranks, set): (Dtype, usize, f64), intensity: f64| {
            let (flops, bytes, truth) = (0.8 * intensity * set, 0.8 * set, truth.among(ranks));
            let seconds = truth.work(STENCIL, dtype, flops, bytes / truth.flow(STENCIL, set));
            Sample { dtype, ranks, set, flops, bytes, again: 0.0, seconds }
        };
        let all = intensities.iter().flat_map(|&i| cases.map(|case| sample(case, i)));
        all.collect()
    }

    fn near(found: &Shares, truth: &Shares) {
        let all = |s: &Shares| [&[s.single, s.double][..], &s.memory].concat();
        for (found, truth) in all(found).into_iter().zip(all(truth)) {
            assert!((found / truth - 1.0).abs() < 0.02, "{found} instead of {truth}");
        }
    }

    #[test]
    fn shares_are_found_again() {
        let along = Shares { single: 0.25, double: 0.5, memory: vec![0.8, 0.4] };
        near(&shares(&machine(), &samples(&with(&along), &[0.5, 6.0])), &along);
    }

    #[test]
    fn an_error_of_much_arithmetic_is_not_taken_for_slow_memory() {
        let along = Shares { single: 0.5, double: 0.5, memory: vec![1.0, 0.5] };
        let mut samples = samples(&with(&along), &[0.3, 40.0]);
        // Far away the work with many flops took a tenth more, which is several times its traffic.
        samples.iter_mut().rev().take(2).for_each(|sample| sample.seconds *= 1.1);
        let found = shares(&machine(), &samples);
        assert!((0.4..0.55).contains(&found.memory[1]), "{found:?}");
    }

    #[test]
    fn what_is_faster_than_the_model_has_shares_above_one() {
        let mut fast = samples(&machine(), &[0.5, 6.0]);
        for sample in &mut fast {
            sample.seconds /= 100.0;
        }
        let found = shares(&machine(), &fast);
        assert_eq!((found.single, found.double), (FASTEST, FASTEST));
        assert_eq!(found.memory, [MOST, MOST]);
    }

    #[test]
    fn what_was_not_seen_is_like_what_was() {
        let along = Shares { single: 0.5, double: 0.5, memory: vec![0.8, 0.8] };
        let mut samples = samples(&with(&along), &[0.5, 6.0]);
        samples.retain(|sample| sample.dtype == Dtype::F32 && sample.set < 1e6);
        near(&shares(&machine(), &samples), &along);
    }
}
