//! The bandwidth of memory, by updates `y += x` of working sets of growing size.

use super::rounded;
use super::team::{Job, Team};
use crate::machine::Memory;
use crate::runtime::RunError;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::combine::linear;
use std::hint::black_box;

/// The least working set in bytes of all ranks that work, as a power of two.
const LEAST: u32 = 17;

/// Working sets whose bandwidths differ by less than this factor are one level.
const LEVEL: f64 = 1.5;

/// How much slower a rank is beside others if they share a level.
const SHARED: f64 = 0.85;

/// The bandwidth at a working set: of one rank alone, and of each of as many as there are cores,
/// which share the set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) set: usize,
    pub(super) alone: f64,
    pub(super) beside: f64,
}

pub(super) fn levels(team: &Team<'_>) -> Result<Vec<Memory>, RunError> {
    let (mut seen, largest) = (Vec::<Seen>::new(), team.effort.largest.ilog2().max(LEAST));
    for turn in 0..team.effort.turns {
        for (k, set) in (LEAST..=largest).map(|power| 1_usize << power).enumerate() {
            let alone = 1.0 / team.seconds(1, || Ok(update(set)))?;
            let beside = 1.0 / team.seconds(team.busy, || Ok(update(set / team.busy)))?;
            match turn {
                0 => seen.push(Seen { set, alone, beside }),
                _ => seen[k].keep(alone, beside),
            }
        }
    }
    Ok(fit(&seen, team.busy))
}

impl Seen {
    fn keep(&mut self, alone: f64, beside: f64) {
        self.alone = self.alone.max(alone);
        self.beside = self.beside.max(beside);
    }
}

/// The levels that so many ranks see.
pub(super) fn fit(seen: &[Seen], ranks: usize) -> Vec<Memory> {
    let ranks = ranks as f64;
    let each = |m: &Memory| m.total.map_or(m.bandwidth, |total| m.bandwidth.min(total / ranks));
    let mut levels: Vec<Memory> = Vec::new();
    // The speed with which the last level begins; what it ends with is the level's.
    let mut begins = 0.0;
    for Seen { set, alone, beside } in seen.iter().copied() {
        let total = (beside < SHARED * alone).then(|| rounded(beside * ranks));
        let level = Memory { within: Some(set as f64), bandwidth: rounded(alone), total };
        match levels.last_mut() {
            Some(last) if begins < each(&level) * LEVEL => *last = level,
            _ => {
                begins = each(&level);
                levels.push(level);
            }
        }
    }
    levels.last_mut().into_iter().for_each(|last| last.within = None);
    levels
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

    #[test]
    fn working_sets_of_one_speed_are_one_level() {
        let seen = [(1, 9e10, 8.8e10), (2, 7e10, 7.1e10), (4, 4e10, 3.9e10), (8, 2e10, 1.2e10)];
        let seen = seen.map(|(set, alone, beside)| Seen { set: set << 20, alone, beside });
        let level = |within: Option<usize>, bandwidth, total| {
            let within = within.map(|set| (set << 20) as f64);
            Memory { within, bandwidth, total }
        };
        let far = level(None, 2e10, Some(2.4e10));
        let levels = [level(Some(2), 7e10, None), level(Some(4), 4e10, None), far];
        assert_eq!(fit(&seen, 2), levels);
    }
}
