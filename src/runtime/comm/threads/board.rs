//! The memory and the counters that ranks share for one prepared collective.

use super::super::operation::ranges;
use super::super::staging::{Region, Staging};
use super::world::{Signal, World};
use super::{CommError, Operation};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts arrivals; never reset, so that a late rank cannot miss a round.
#[repr(align(64))]
pub(super) struct Phase {
    arrivals: AtomicU64,
    signal: Arc<Signal>,
}

impl Phase {
    pub(super) fn new(world: &World) -> Phase {
        Phase { arrivals: AtomicU64::new(0), signal: world.signal() }
    }

    /// Publishes what this rank wrote; the last of `size` ranks wakes the others.
    pub(super) fn arrive(&self, size: usize) {
        let arrivals = self.arrivals.fetch_add(1, Ordering::AcqRel) + 1;
        if arrivals.is_multiple_of(size as u64) {
            self.signal.ring();
        }
    }

    /// Returns when there were so many arrivals in all.
    pub(super) fn wait(&self, world: &World, arrivals: u64) -> Result<(), CommError> {
        self.signal.wait(world, || self.arrivals.load(Ordering::Acquire) >= arrivals)
    }
}

pub(super) struct Board {
    pub(super) world: Arc<World>,
    /// What each rank packs, in even and odd rounds.
    pub(super) sends: Vec<[Region; 2]>,
    /// Where ranks assemble a result together: in even and odd rounds for `all_gather`,
    /// the same in both for reductions.
    pub(super) shared: [Region; 2],
    /// For `all_to_all`, the bytes in what each rank packs that each rank gets.
    pub(super) parts: Vec<Vec<Range<usize>>>,
    /// All ranks are packed.
    pub(super) packed: Phase,
    /// All ranks have written their part of `shared`.
    pub(super) written: Phase,
    _memory: Vec<Staging>,
}

impl Board {
    /// The board for the operations of all ranks, which agree.
    pub(super) fn new(world: &Arc<World>, operations: &[&Operation]) -> Arc<Board> {
        let mut memory = Vec::new();
        let mut allocate = |len| {
            memory.push(Staging::new(len));
            memory[memory.len() - 1].region()
        };
        let elem = operations[0].elem().size();
        let mut shared = [Region::EMPTY; 2];
        let sends = match operations[0] {
            Operation::AllGather { counts, .. } => {
                let parts = ranges(counts, elem);
                let len = parts.last().map_or(0, |part| part.end);
                shared = [allocate(len), allocate(len)];
                parts.into_iter().map(|part| shared.map(|whole| whole.part(part.clone()))).collect()
            }
            Operation::AllReduce { .. }
            | Operation::Reduce { .. }
            | Operation::Broadcast { .. }
            | Operation::ReduceScatter { .. }
            | Operation::AllToAll { .. }
            | Operation::Exchange { .. } => {
                if super::collective::is_shared(operations[0], operations.len()) {
                    shared = [allocate(operations[0].send_count(0) * elem); 2];
                }
                let len = |rank: usize| operations[rank].send_count(rank) * elem;
                (0..operations.len()).map(|r| [allocate(len(r)), allocate(len(r))]).collect()
            }
        };
        Arc::new(Board {
            world: world.clone(),
            sends,
            shared,
            parts: operations.iter().filter_map(|operation| parts(operation)).collect(),
            packed: Phase::new(world),
            written: Phase::new(world),
            _memory: memory,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.sends.len()
    }
}

fn parts(operation: &Operation) -> Option<Vec<Range<usize>>> {
    match operation {
        Operation::AllToAll { send, elem, .. } => Some(ranges(send, elem.size())),
        Operation::AllReduce { .. }
        | Operation::Reduce { .. }
        | Operation::Broadcast { .. }
        | Operation::ReduceScatter { .. }
        | Operation::AllGather { .. }
        | Operation::Exchange { .. } => None,
    }
}
