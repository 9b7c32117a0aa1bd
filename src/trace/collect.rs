//! Brings what all ranks have noted to rank 0, on one clock.

use super::Trace;
use super::recorder::Track;
use crate::runtime::comm::Comm;
use crate::runtime::{RunError, World};
use std::time::Instant;

/// How often clocks are compared.
const ROUNDS: usize = 16;

/// What all ranks have noted, on the clock of rank 0.
pub struct Record {
    pub(super) tracks: Vec<Track>,
    /// Threads of each rank.
    pub(super) threads: usize,
}

pub(super) fn collect(trace: &Trace, world: &World) -> Result<Option<Record>, RunError> {
    let mine: Vec<Track> = trace.state().tracks.values().cloned().collect();
    if world.backend() == "threads" {
        return Ok(Some(Record { tracks: mine, threads: world.threads_per_rank() }));
    }
    let gathered = world.run(|rank| {
        let comm = &**rank.comm();
        let ahead = ahead(comm, trace.0.epoch)?;
        let mut mine = mine.clone();
        for event in mine.iter_mut().flat_map(|track| &mut track.events) {
            event.begin = event.begin.saturating_add_signed(-ahead);
            event.end = event.end.saturating_add_signed(-ahead);
        }
        let bytes = serde_json::to_vec(&mine).map_err(|error| rank.error(error.to_string()))?;
        Ok(comm.gather_bytes(0, &bytes)?)
    })?;
    if !world.is_root() {
        return Ok(None);
    }
    let read = |bytes: &Vec<u8>| serde_json::from_slice::<Vec<Track>>(bytes);
    let tracks = gathered.iter().flatten().map(read).collect::<Result<Vec<_>, _>>();
    let tracks = tracks.map_err(|error| RunError::Unfit(error.to_string()))?;
    let (tracks, threads) = (tracks.into_iter().flatten().collect(), world.threads_per_rank());
    Ok(Some(Record { tracks, threads }))
}

/// By how many nanoseconds this rank's clock is ahead of that of rank 0.
///
/// Nobody leaves a barrier before everybody has come: that bounds the difference on both sides.
fn ahead(comm: &dyn Comm, epoch: Instant) -> Result<i64, RunError> {
    let now = || epoch.elapsed().as_nanos() as i64;
    let mut stamps = Vec::with_capacity(2 * ROUNDS);
    for _ in 0..ROUNDS {
        stamps.push(now());
        comm.barrier()?;
        stamps.push(now());
    }
    let bytes: Vec<u8> = stamps.iter().flat_map(|stamp| stamp.to_le_bytes()).collect();
    let mut root = bytes;
    comm.broadcast_bytes(0, &mut root)?;
    let word = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let root: Vec<i64> = root.chunks_exact(8).map(word).collect();
    Ok(between(&stamps, &root))
}

/// The middle of the differences that are possible, from stamps before and after each barrier.
fn between(mine: &[i64], root: &[i64]) -> i64 {
    let rounds = || mine.chunks_exact(2).zip(root.chunks_exact(2));
    let most = rounds().map(|(mine, root)| mine[1] - root[0]).min().unwrap_or(0);
    let least = rounds().map(|(mine, root)| mine[0] - root[1]).max().unwrap_or(0);
    i64::midpoint(most, least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_barriers_decide() {
        // The clock is 100 ahead; barriers are left 5 and 1 after the last has come.
        let root = [10, 25, 40, 43];
        let mine = [120, 125, 142, 143];
        assert_eq!(between(&mine, &root), 101);
        assert_eq!(between(&root, &root), 0);
    }
}
