//! The world: a controller's handle of ranks.
//!
//! The ranks are threads of this process that live as long as the handle, or this process is one
//! rank of an MPI job or of somebody's communicator.
//! A rank may have more threads than its own, which share the work of its kernels.
//! Expressions and plans need no world.
//!
//! ```
//! use adjoin::runtime::World;
//! let world = World::threads(3);
//! let ranks = world.run(|rank| Ok(rank.rank()))?;
//! assert_eq!(ranks, [0, 1, 2]);
//! # Ok::<(), adjoin::runtime::RunError>(())
//! ```

mod crews;
mod launcher;
mod pool;

use super::comm::{Comm, PANICKED};
use super::error::RunError;
use super::tiles::panic_text;
use crate::trace::Trace;
use adjoin_kernels::host::crew::Crew;
use crews::Crews;
use launcher::Announced;
use pool::Pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Ranks that run what they are given.
pub struct World(Kind);

enum Kind {
    Threads(Pool),
    Rank(Arc<dyn Comm>, Arc<Crew>, Crews),
}

/// One rank, as the code that runs on it sees it.
pub struct RankContext {
    comm: Arc<dyn Comm>,
}

impl World {
    /// The job's ranks under `mpiexec`, else one thread.
    pub fn new() -> Result<World, RunError> {
        World::with_ranks(1)
    }

    /// The job's ranks under `mpiexec`, else so many threads.
    pub fn with_ranks(threads: usize) -> Result<World, RunError> {
        match Announced::here() {
            None => Ok(World::threads(threads)),
            Some(announced) => World::launched(&announced),
        }
    }

    #[cfg(feature = "mpi")]
    fn launched(announced: &Announced) -> Result<World, RunError> {
        let world = World::mpi()?;
        announced.check(world.ranks())?;
        Ok(world)
    }

    #[cfg(not(feature = "mpi"))]
    fn launched(announced: &Announced) -> Result<World, RunError> {
        announced.check(1)?;
        Ok(World::threads(1))
    }

    /// Whether this process speaks for its job where it has no world yet: it is the first task of
    /// its launcher, or no launcher has started it.
    pub fn speaks() -> bool {
        Announced::here().is_none_or(|announced| announced.is_first())
    }

    /// Ranks that are threads of this process; each has its share of the cores.
    ///
    /// # Panics
    /// If there are none, or the system refuses a thread.
    pub fn threads(ranks: usize) -> World {
        let pool = Pool::new(ranks, Crews::of_cores(ranks));
        World(Kind::Threads(pool.expect("the system has room for threads")))
    }

    /// The same ranks, each with so many threads, its own among them.
    ///
    /// Otherwise ranks that are threads have the cores of this process divided by their number, and
    /// ranks that are processes have one thread.
    /// Results are the same, bit by bit, whatever the number.
    pub fn with_threads_per_rank(self, threads: usize) -> Result<World, RunError> {
        let least = self.crews().least;
        self.with_crews(threads, least)
    }

    /// The same, where other work is worth a thread: so many bytes moved, or operations.
    pub fn with_crews(self, threads: usize, least: usize) -> Result<World, RunError> {
        if threads == 0 {
            return Err(RunError::Unfit("a rank cannot have 0 threads".into()));
        }
        let crews = Crews { threads, least };
        if crews == self.crews() {
            return Ok(self);
        }
        let refused = |error| RunError::Unfit(format!("no {threads} threads a rank: {error}"));
        Ok(World(match self.0 {
            Kind::Threads(pool) => {
                let ranks = pool.ranks();
                drop(pool);
                Kind::Threads(Pool::new(ranks, crews).map_err(refused)?)
            }
            Kind::Rank(comm, ..) => {
                Kind::Rank(comm, Arc::new(crews.crew(1).map_err(refused)?), crews)
            }
        }))
    }

    /// How many threads each rank has.
    pub fn threads_per_rank(&self) -> usize {
        self.crews().threads
    }

    fn crews(&self) -> Crews {
        match &self.0 {
            Kind::Threads(pool) => pool.crews(),
            Kind::Rank(_, _, crews) => *crews,
        }
    }

    /// This process's rank of an MPI job.
    #[cfg(feature = "mpi")]
    pub fn mpi() -> Result<World, RunError> {
        World::attach(Arc::new(super::comm::mpi::MpiComm::world()?)).agreed()
    }

    #[cfg(feature = "mpi")]
    fn agreed(self) -> Result<World, RunError> {
        match Announced::here() {
            Some(announced) => announced.check(self.ranks()).map(|()| self),
            None => Ok(self),
        }
    }

    /// This process's rank of a communicator.
    pub fn attach(comm: Arc<dyn Comm>) -> World {
        let alone = Crew::new(1, true).expect("no thread but this one");
        World(Kind::Rank(comm, Arc::new(alone), Crews::ALONE))
    }

    /// How many ranks there are, in all processes.
    pub fn ranks(&self) -> usize {
        match &self.0 {
            Kind::Threads(pool) => pool.ranks(),
            Kind::Rank(comm, ..) => comm.size(),
        }
    }

    /// The ranks of this process.
    pub fn here(&self) -> std::ops::Range<usize> {
        match &self.0 {
            Kind::Threads(pool) => 0..pool.ranks(),
            Kind::Rank(comm, ..) => comm.rank()..comm.rank() + 1,
        }
    }

    /// Whether this process has rank 0, which prints.
    pub fn is_root(&self) -> bool {
        self.here().start == 0
    }

    /// What runs ranks: `threads` or `mpi`.
    pub fn backend(&self) -> &'static str {
        match &self.0 {
            Kind::Threads(_) => "threads",
            Kind::Rank(..) => "mpi",
        }
    }

    /// Runs the same code on every rank of this process, and returns what each returns.
    ///
    /// A rank that fails or panics stops the others, and its error is the result.
    /// Between threads, programs that were bound before a failure cannot be used after it.
    /// Not to be called from a rank.
    pub fn run<T: Send>(
        &self,
        body: impl Fn(&RankContext) -> Result<T, RunError> + Sync,
    ) -> Result<Vec<T>, RunError> {
        match &self.0 {
            Kind::Threads(pool) => pool.run(|comm| {
                let outcome = guarded(comm, &body);
                // A rank that has found a user's error alone must not keep the others waiting.
                outcome.inspect_err(|error| comm.fail(&error.to_string()))
            }),
            Kind::Rank(comm, crew, _) => {
                let _entered = crew.enter();
                guarded(comm, &body).map(|result| vec![result])
            }
        }
    }

    /// The same, and every rank notes what it does.
    ///
    /// Programs are noted that were bound in a run with the same trace.
    pub fn traced<T: Send>(
        &self,
        trace: &Trace,
        body: impl Fn(&RankContext) -> Result<T, RunError> + Sync,
    ) -> Result<Vec<T>, RunError> {
        self.run(|rank| {
            let _recording = trace.record(rank.rank());
            body(rank)
        })
    }
}

/// Runs a rank; when it fails, the others are told unless they find the same.
fn guarded<T>(
    comm: &Arc<dyn Comm>,
    body: &impl Fn(&RankContext) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let context = RankContext { comm: comm.clone() };
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&context)));
    let error = match outcome {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(error)) => error,
        Err(panic) => RunError::Failed {
            rank: comm.rank(),
            message: format!("{PANICKED}: {}", panic_text(panic.as_ref())),
        },
    };
    match &error {
        RunError::Failed { message, .. } => comm.fail(message),
        other if !other.is_alike() => comm.fail(&other.to_string()),
        _ => {}
    }
    Err(error)
}

impl RankContext {
    /// This rank, below [`RankContext::size`].
    pub fn rank(&self) -> usize {
        self.comm.rank()
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.comm.size()
    }

    /// The communicator of all ranks.
    pub fn comm(&self) -> &Arc<dyn Comm> {
        &self.comm
    }

    /// An error that stops all ranks with this message.
    pub fn error(&self, message: impl Into<String>) -> RunError {
        RunError::Failed { rank: self.rank(), message: message.into() }
    }
}
