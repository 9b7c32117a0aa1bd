//! From what a kind of work took to its shares of a machine's rates.
//!
//! A sample takes the time of its flops at a share of the flop rate, and then that of its bytes at
//! a share of the bandwidth of the level where its working set lies.
//! Samples in the first level give the share of flops, as far as bytes do not explain their time
//! already, and the share of the first level where they differ in their flops for a byte; those in
//! other levels give the share of each.

use super::rounded;
use crate::machine::{Machine, Shares};
use adjoin_passes::Dtype;
use adjoin_passes::machine::Manner;

/// The largest share of a bandwidth: above it arithmetic hides the traffic.
const MOST: f64 = 10.0;

/// The least share of the first level's bandwidth: below it samples do not fit the model.
const LEAST: f64 = 0.1;

/// The largest share of the flop rate.
const FASTEST: f64 = 2.0;

/// What some ranks took, each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) dtype: Dtype,
    pub(super) ranks: usize,
    /// The bytes of a rank's working set.
    pub(super) set: f64,
    pub(super) flops: f64,
    pub(super) bytes: f64,
    pub(super) seconds: f64,
}

impl Sample {
    /// The level of memory, and the seconds that the bytes take at all of its bandwidth.
    fn traffic(&self, machine: &Machine) -> (usize, f64) {
        let machine = machine.among(self.ranks);
        (machine.level(self.set), self.bytes / machine.flow(Manner::default(), self.set))
    }
}

/// The shares that explain the samples; the machine has no kernels.
pub(super) fn shares(machine: &Machine, samples: &[Sample]) -> Shares {
    let first = nearest(machine, samples);
    let flops = |single: bool| {
        let mine = samples.iter().filter(|s| is_single(s.dtype) == single);
        let (mut whole, mut spent) = (0.0, 0.0);
        for sample in mine {
            let (level, traffic) = sample.traffic(machine);
            if level == 0 {
                let ideal = ideal(machine, sample);
                whole += ideal;
                spent += (sample.seconds - traffic / first).max(ideal / FASTEST);
            }
        }
        if spent > 0.0 { Some(rounded(whole / spent)) } else { None }
    };
    let (single, double) = (flops(true), flops(false));
    let either = single.or(double).unwrap_or(1.0);
    let known = Shares {
        single: single.unwrap_or(either),
        double: double.unwrap_or(either),
        memory: Vec::new(),
    };
    let level = |k: usize| {
        let (mut whole, mut spent) = (0.0, 0.0);
        for sample in samples {
            let (level, traffic) = sample.traffic(machine);
            if level == k {
                whole += traffic;
                spent += sample.seconds - ideal(machine, sample) / known.rate(sample.dtype);
            }
        }
        if whole > 0.0 { rounded((whole / spent.max(whole / MOST)).min(MOST)) } else { 1.0 }
    };
    let farther = (1..machine.memory.len()).map(level);
    Shares { memory: std::iter::once(rounded(first)).chain(farther).collect(), ..known }
}

/// The seconds of a sample's flops at all of the flop rate.
fn ideal(machine: &Machine, sample: &Sample) -> f64 {
    sample.flops / machine.rate(sample.dtype)
}

/// The share of the first level's bandwidth: what explains two samples in one precision, of which
/// one has more flops for its bytes; all of it where there are no such two, for then flops have what
/// bytes do not take.
fn nearest(machine: &Machine, samples: &[Sample]) -> f64 {
    let near = samples.iter().filter(|s| is_single(s.dtype) && s.traffic(machine).0 == 0);
    let near: Vec<_> = near.map(|s| (ideal(machine, s), s.traffic(machine).1, s.seconds)).collect();
    let [(a, b, t), (c, d, u)] = near[..] else { return 1.0 };
    let determinant = a * d - b * c;
    if determinant.abs() < 0.2 * (a * d).max(b * c) {
        return 1.0;
    }
    let slowness = (a * u - c * t) / determinant;
    (1.0 / slowness.max(1.0 / MOST)).max(LEAST)
}

fn is_single(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::C64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Kernel, Memory};
    use adjoin_passes::signature::Class;

    fn machine() -> Machine {
        let near = Memory { within: Some(1e6), bandwidth: 1e11, total: None };
        let far = Memory { within: None, bandwidth: 2e10, total: Some(3e10) };
        Machine { cores: Some(2), memory: vec![near, far], ..Machine::default() }
    }

    /// What a machine says of work on different sets.
    fn samples(truth: &Machine) -> Vec<Sample> {
        let manner = Manner { class: Class::Stencil, along: 1.0 };
        let cases = [
            (Dtype::F32, 2, 5e5),
            (Dtype::F64, 2, 5e5),
            (Dtype::F32, 1, 1e8),
            (Dtype::F32, 2, 5e7),
        ];
        let sample = |(dtype, ranks, set): (Dtype, usize, f64)| {
            let (flops, bytes, truth) = (3.0 * set, 0.8 * set, truth.among(ranks));
            let seconds = truth.work(manner, dtype, flops, bytes / truth.flow(manner, set));
            Sample { dtype, ranks, set, flops, bytes, seconds }
        };
        cases.into_iter().map(sample).collect()
    }

    #[test]
    fn shares_are_found_again() {
        let along = Shares { single: 0.25, double: 0.5, memory: vec![1.0, 0.4] };
        let kernel = Kernel { along: along.clone(), across: Shares::default() };
        let truth = Machine { kernels: [(Class::Stencil, kernel)].into(), ..machine() };
        assert_eq!(shares(&machine(), &samples(&truth)), along);
    }

    #[test]
    fn flops_and_bytes_are_told_apart_by_samples_that_differ_in_them() {
        let along = Shares { single: 0.5, double: 0.25, memory: vec![0.8, 0.4] };
        let kernel = Kernel { along: along.clone(), across: Shares::default() };
        let truth = Machine { kernels: [(Class::Stencil, kernel)].into(), ..machine() };
        let mut samples = samples(&truth);
        let manner = Manner { class: Class::Stencil, along: 1.0 };
        let (dtype, set, flops, bytes) = (Dtype::C64, 5e5, 4e6, 4e5);
        let seconds = truth.work(manner, dtype, flops, bytes / truth.flow(manner, set));
        samples.push(Sample { dtype, ranks: 2, set, flops, bytes, seconds });
        assert_eq!(shares(&machine(), &samples), along);
    }

    #[test]
    fn what_is_faster_than_the_model_has_shares_above_one() {
        let mut fast = samples(&machine());
        for sample in &mut fast {
            sample.seconds /= 100.0;
        }
        let found = shares(&machine(), &fast);
        assert_eq!((found.single, found.double), (FASTEST, FASTEST));
        assert_eq!(found.memory, [1.0, MOST]);
    }
}
