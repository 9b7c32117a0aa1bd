//! Ranks that are threads of this process and read each other's staging.
//!
//! Each collective is one or two phases of a shared *board*. A rank publishes that it is packed by
//! adding to the phase's counter; whoever arrives last wakes the sleepers. Each rank stages in two
//! buffers in turn, so that nobody waits for its readers: when a rank has seen everybody start
//! call k, nobody reads what was packed for call k − 1 any more.
//!
//! Sums run in the order of ranks, so results are equal on all ranks and from run to run.
//! A wait spins for a moment, yields, then sleeps; more ranks than cores do not starve each other.

mod board;
mod channel;
mod collective;
mod exchange;
mod group;
mod meeting;
mod reduce;
mod world;

use super::{Comm, CommError, Counters, Operation, PANICKED, Prepared};
use collective::Collective;
use exchange::Exchange;
use group::Group;
use meeting::{Offer, Outcome};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use world::World;

/// A rank of a world of threads.
///
/// Dropping the last handle while its thread panics fails the world.
pub struct ThreadComm {
    group: Arc<Group>,
    rank: usize,
    counters: Arc<Counters>,
    meetings: AtomicU64,
    barriers: AtomicU64,
}

impl ThreadComm {
    /// The ranks of a new world, each to be moved to its own thread.
    ///
    /// # Panics
    /// If there are no ranks.
    pub fn world(ranks: usize) -> Vec<ThreadComm> {
        assert!(ranks > 0, "a world has at least one rank");
        let group = Group::new(World::new(ranks), (0..ranks).collect());
        (0..ranks).map(|rank| ThreadComm::new(group.clone(), rank, Arc::default())).collect()
    }

    fn new(group: Arc<Group>, rank: usize, counters: Arc<Counters>) -> Self {
        let (meetings, barriers) = (AtomicU64::new(0), AtomicU64::new(0));
        ThreadComm { group, rank, counters, meetings, barriers }
    }

    fn meet(&self, offer: Offer) -> Result<Outcome, CommError> {
        self.group.meet(self.meetings.fetch_add(1, Relaxed), self.rank, offer)
    }
}

impl Comm for ThreadComm {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.group.members.len()
    }

    fn split(&self, color: usize, key: usize) -> Result<Arc<dyn Comm>, CommError> {
        let Outcome::Split(places) = self.meet(Offer::Split { color, key })? else {
            unreachable!("a meeting about a split ends in a split");
        };
        let (group, rank) = places[self.rank].clone();
        Ok(Arc::new(ThreadComm::new(group, rank, self.counters.clone())))
    }

    fn prepare(&self, operation: Operation) -> Result<Box<dyn Prepared>, CommError> {
        if let Operation::Exchange { .. } = operation {
            let exchange =
                Exchange::new(&self.group, self.rank, self.counters.clone(), &operation)?;
            return Ok(Box::new(exchange));
        }
        let Outcome::Prepare(board) = self.meet(Offer::Prepare(operation.clone()))? else {
            unreachable!("a meeting about an operation ends in a board");
        };
        Ok(Box::new(Collective::new(board, self.rank, self.counters.clone(), &operation)))
    }

    fn barrier(&self) -> Result<(), CommError> {
        let round = self.barriers.fetch_add(1, Relaxed) + 1;
        self.group.barrier.arrive(self.size());
        self.group.barrier.wait(&self.group.world, round * self.size() as u64)
    }

    fn fail(&self, message: &str) {
        self.group.world.fail(self.group.members[self.rank], message);
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for ThreadComm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.fail(PANICKED);
        }
    }
}

/// Runs `body` once for each rank of a new world and returns what the ranks return.
///
/// # Panics
/// If a rank panics, the others get an error; when all have ended, the first panic goes on.
pub fn run<T: Send>(ranks: usize, body: impl Fn(Arc<dyn Comm>) -> T + Sync) -> Vec<T> {
    let comms = ThreadComm::world(ranks);
    let world = comms[0].group.world.clone();
    let start = |comm: ThreadComm| {
        let comm: Arc<dyn Comm> = Arc::new(comm);
        catch_unwind(AssertUnwindSafe(|| body(comm.clone())))
            .inspect_err(|panic| comm.fail(&message(panic.as_ref())))
    };
    let outcomes = thread::scope(|scope| {
        let start = &start;
        let ranks: Vec<_> =
            comms.into_iter().map(|comm| scope.spawn(move || start(comm))).collect();
        ranks.into_iter().map(|rank| rank.join().and_then(|outcome| outcome)).collect::<Vec<_>>()
    });
    let first = world.failed_rank();
    let mut results = Vec::with_capacity(ranks);
    let mut panics: Vec<(usize, Box<dyn Any + Send>)> = Vec::new();
    for (rank, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(result) => results.push(result),
            Err(panic) => panics.push((rank, panic)),
        }
    }
    panics.sort_by_key(|(rank, _)| Some(*rank) != first);
    match panics.into_iter().next() {
        Some((_, panic)) => resume_unwind(panic),
        None => results,
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("{PANICKED}: {}", text.unwrap_or("without a message"))
}
