//! The bandwidth of memory, by updates `y += x` of working sets of growing size.

use super::rounded;
use super::team::{Job, Team};
use crate::machine::Memory;
use crate::runtime::RunError;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::combine::linear;
use std::hint::black_box;

/// The least working set in bytes of all ranks that work, as half of a power of two.
const LEAST: u32 = 2 * 17;

/// Working sets whose bandwidths differ by less than this factor are one level.
const LEVEL: f64 = 1.75;

/// The bytes of a core's own cache where the system does not tell.
const OWN: f64 = (1 << 20) as f64;

/// How much slower a rank is beside others if they share a cache.
const SHARED: f64 = 0.75;

/// The bandwidth at a working set: of one rank alone, and of each of as many as there are cores,
/// if sets of that size were tried on all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) set: usize,
    pub(super) alone: f64,
    pub(super) beside: Option<f64>,
}

pub(super) fn levels(team: &Team<'_>) -> Result<Vec<Memory>, RunError> {
    let largest = (2 * team.effort.largest.ilog2()).max(LEAST);
    let see = |power: u32| {
        let set = half_power(power);
        let rate = |ranks: usize| {
            let what = format_args!("an update of {set} bytes");
            Ok::<_, RunError>(1.0 / team.seconds(what, ranks, || Ok(update(set)))?)
        };
        let many = team.busy > 1 && set <= half_power(largest) / team.busy;
        Ok(Seen { set, alone: rate(1)?, beside: many.then(|| rate(team.busy)).transpose()? })
    };
    let seen: Result<Vec<Seen>, RunError> = (LEAST..=largest).map(see).collect();
    // The same on all ranks.
    Ok(fit(&at_best(seen?), team.busy, team.largest(own())?))
}

/// The root of a power of two, a multiple of what vectors are laid out by.
fn half_power(power: u32) -> usize {
    (2.0_f64.powf(f64::from(power) / 2.0) as usize).next_multiple_of(1 << 10)
}

/// Each set at least as fast as all larger ones: whoever else uses the machine makes sets slower,
/// and never faster.
fn at_best(mut seen: Vec<Seen>) -> Vec<Seen> {
    for k in (1..seen.len()).rev() {
        let (alone, beside) = (seen[k].alone, seen[k].beside);
        let set = &mut seen[k - 1];
        set.alone = set.alone.max(alone);
        set.beside = set.beside.map(|known| known.max(beside.unwrap_or(known)));
    }
    seen
}

/// The levels that so many ranks see, whose cores have a cache of their own of so many bytes.
///
/// A core's own cache is a level even where updates are as fast from the next: other work is not.
pub(super) fn fit(seen: &[Seen], ranks: usize, own: f64) -> Vec<Memory> {
    let mut groups: Vec<&[Seen]> = Vec::new();
    let mut first = 0;
    for (k, next) in seen.iter().enumerate() {
        if seen[first].alone >= next.alone * LEVEL {
            groups.push(&seen[first..k]);
            first = k;
        }
    }
    groups.push(&seen[first..]);
    // A single set between two levels has a part of both.
    let last = groups.len() - 1;
    let whole = |k: usize| k == 0 || k == last || groups[k].len() > 1;
    let groups: Vec<&[Seen]> = (0..=last).filter(|&k| whole(k)).map(|k| groups[k]).collect();
    let middle = |group: &[Seen]| group[group.len() / 2].alone;
    let (mut levels, mut below) = (Vec::new(), 0.0);
    for (k, group) in groups.iter().enumerate() {
        let end = group[group.len() - 1].alone;
        let speed = if k + 1 == groups.len() { end } else { middle(group) };
        // Between the last set that is as fast and the first that is not.
        let within = groups.get(k + 1).map(|next| {
            let sets = [group[group.len() - 1].set, next[0].set].map(|set| set as f64);
            rounded((sets[0] * sets[1]).sqrt())
        });
        let shared = shared(seen, (below, within.unwrap_or(f64::MAX)), ranks);
        below = within.unwrap_or(below);
        levels.push(Memory { within, bandwidth: rounded(speed), total: shared });
    }
    if levels[0].within.is_some_and(|within| within > 4.0 * own) {
        let core = Memory { within: Some(own), total: None, ..levels[0] };
        levels.insert(0, core);
    }
    levels
}

/// What so many ranks get together of a level that begins and reaches so far, if they share it:
/// memory, or a cache of which each has less if all of them have large sets.
fn shared(seen: &[Seen], (below, reach): (f64, f64), ranks: usize) -> Option<f64> {
    let within = |s: &&Seen, reach: f64| (below..=reach).contains(&(s.set as f64));
    let slow = |s: &Seen| s.beside.is_some_and(|beside| beside < SHARED * s.alone);
    let large = seen.iter().filter(|s| within(s, reach)).rfind(|s| s.beside.is_some())?;
    let fits = |s: &&Seen| s.beside.is_some() && within(s, reach / ranks as f64);
    let small: Vec<&Seen> = seen.iter().filter(fits).collect();
    let memory = reach == f64::MAX;
    // In its middle a cache is as fast as it is; memory is where sets are largest.
    let middle = small.get(small.len() / 2).filter(|_| !memory);
    let rate = middle.copied().unwrap_or(large);
    let all = rounded(rate.beside.unwrap_or(rate.alone).min(rate.alone) * ranks as f64);
    (memory || slow(large)).then_some(all)
}

/// The bytes of a core's own cache.
fn own() -> f64 {
    let size = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size");
    let kibibytes = size.ok().and_then(|text| text.trim().strip_suffix('K')?.parse::<f64>().ok());
    kibibytes.map_or(OWN, |number| 1024.0 * number)
}

fn update(set: usize) -> Job {
    let n = set / 2 / size_of::<f64>();
    let (x, mut y) = (vec![1.0_f64; n], vec![1.0_f64; n]);
    let run = move || {
        linear(&[1e-9], &[black_box(&x)], &mut y, Acc::Add);
        black_box(&y);
        Ok(())
    };
    Job { units: (3 * n * size_of::<f64>()) as f64, run: Box::new(run) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(within: Option<f64>, bandwidth: f64, total: Option<f64>) -> Memory {
        Memory { within: within.map(|set| rounded(set * f64::from(1 << 20))), bandwidth, total }
    }

    fn seen<const N: usize>(of: [(usize, f64, f64); N]) -> Vec<Seen> {
        let seen = |(set, alone, beside): (usize, f64, f64)| Seen {
            set: set << 20,
            alone,
            beside: (beside > 0.0).then_some(beside),
        };
        of.map(seen).into()
    }

    #[test]
    fn working_sets_of_one_speed_are_one_level() {
        // Each core has a cache, and both share memory.
        let own = seen([(1, 8e10, 7.9e10), (2, 8e10, 8e10), (8, 2e10, 1.3e10), (16, 2e10, 0.0)]);
        let levels = [level(Some(4.0), 8e10, None), level(None, 2e10, Some(2.6e10))];
        assert_eq!(fit(&own, 2, 4e6), levels);
    }

    #[test]
    fn a_set_is_as_fast_as_larger_ones() {
        let seen = at_best(seen([(1, 5e10, 4e10), (2, 8e10, 7e10), (4, 6e10, 0.0)]));
        let speeds: Vec<_> = seen.iter().map(|s| (s.alone, s.beside)).collect();
        assert_eq!(speeds, [(8e10, Some(7e10)), (8e10, Some(7e10)), (6e10, None)]);
    }

    #[test]
    fn a_cache_that_is_shared_is_told_by_sets_that_do_not_fit_beside_each_other() {
        let near = [(1, 9e10, 8.9e10), (2, 9e10, 8.7e10), (4, 9e10, 3e10), (8, 5e10, 1.5e10)];
        let [a, b, c, d] = near;
        let seen = seen([a, b, c, d, (16, 2e10, 1.5e10), (32, 2e10, 0.0)]);
        let levels = fit(&seen, 2, 1e6);
        // A core's own cache, which is only told by the system.
        assert_eq!(levels[0], Memory { within: Some(1e6), bandwidth: 9e10, total: None });
        // What lies between the speeds of two levels is none of its own.
        let within = levels[1].within.unwrap();
        assert!((8.3e6..8.5e6).contains(&within), "{within}");
        assert_eq!((levels[1].bandwidth, levels[1].total), (9e10, Some(1.74e11)));
        assert_eq!(levels[2..], [level(None, 2e10, Some(3e10))]);
        let alone = fit(&seen, 1, 1e9);
        assert_eq!(alone.len(), 2);
    }
}
