//! Ranks of an MPI communicator.
//!
//! Exchanges are persistent requests. Collectives started by themselves use the immediate form;
//! `run` uses the blocking form, which libraries do several times faster when the array is small.
//! MPI does not match the two with each other, which is why all ranks use the same form of a call.
//!
//! Counts of MPI are 32 bits wide. Long `all_reduce`, `reduce`, `broadcast` and messages are cut
//! into pieces; the collectives with a count for each rank are refused when the total is too large.

mod both;
mod check;
mod crowd;
mod collective;
mod exchange;
mod flight;
mod job;

use super::{Comm, CommError, Counters, Operation, PANICKED, Prepared, exit_code};
use check::check;
use collective::Collective;
use exchange::Exchange;
use job::Job;
use mpi::ffi;
use std::ffi::c_int;
use std::io::Write;
use std::process;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

pub use mpi::ffi::MPI_Comm as RawComm;

/// How long a failing rank leaves the word to those before it, for each doubling of its rank.
const GRACE: Duration = Duration::from_millis(400);
/// How long the launcher gets to pass the message on, since aborting may discard it.
const DRAIN: Duration = Duration::from_millis(100);

/// This process's rank of a communicator.
///
/// Dropping the last handle while its thread panics fails the job.
pub struct MpiComm {
    handle: Arc<Handle>,
    counters: Arc<Counters>,
}

/// A communicator that belongs to adjoin, freed when its last operation is.
struct Handle {
    raw: RawComm,
    rank: usize,
    size: usize,
    /// The rank among all processes, for messages.
    world_rank: usize,
    job: Arc<Job>,
}

// SAFETY: a communicator is a handle that any thread may use; `Job::enter` keeps to the thread
// level that the library grants.
unsafe impl Send for Handle {}
// SAFETY: as for Send.
unsafe impl Sync for Handle {}

impl MpiComm {
    /// All processes of the job.
    ///
    /// Initialises MPI unless somebody has. What is initialised here is finalised when the last
    /// communicator and operation are dropped, which is best done on the same thread; MPI cannot be
    /// initialised again.
    pub fn world() -> Result<MpiComm, CommError> {
        let job = Job::get()?;
        // SAFETY: MPI is initialised, so that its world is a communicator.
        unsafe { MpiComm::of(job, ffi::RSMPI_COMM_WORLD) }
    }

    /// The ranks of a communicator of somebody else, who finalises MPI.
    ///
    /// It is duplicated, which is collective, so that messages cannot be confused with theirs.
    ///
    /// # Safety
    /// `raw` is a valid intracommunicator, and MPI is finalised after all that is made from it is
    /// dropped.
    pub unsafe fn attach(raw: RawComm) -> Result<MpiComm, CommError> {
        let job = Job::get()?;
        // SAFETY: the caller's contract.
        unsafe { MpiComm::of(job, raw) }
    }

    /// # Safety
    /// `raw` is a valid intracommunicator.
    unsafe fn of(job: Arc<Job>, raw: RawComm) -> Result<MpiComm, CommError> {
        let mut copy = raw;
        {
            let _entered = job.enter()?;
            // SAFETY: the caller's contract; `copy` is written by the call.
            check(unsafe { ffi::MPI_Comm_dup(raw, &raw mut copy) }, "MPI_Comm_dup")?;
        }
        let handle = Handle::new(job, copy)?;
        Ok(MpiComm { handle: Arc::new(handle), counters: Arc::default() })
    }
}

impl Handle {
    /// Takes over a new communicator.
    fn new(job: Arc<Job>, raw: RawComm) -> Result<Handle, CommError> {
        let (mut rank, mut size, mut world_rank) = (0, 0, 0);
        {
            let _entered = job.enter()?;
            // SAFETY: both communicators are valid, and the results are written by the calls.
            unsafe {
                let returns = ffi::RSMPI_ERRORS_RETURN;
                check(ffi::MPI_Comm_set_errhandler(raw, returns), "MPI_Comm_set_errhandler")?;
                check(ffi::MPI_Comm_rank(raw, &raw mut rank), "MPI_Comm_rank")?;
                check(ffi::MPI_Comm_size(raw, &raw mut size), "MPI_Comm_size")?;
                let world = ffi::RSMPI_COMM_WORLD;
                check(ffi::MPI_Comm_rank(world, &raw mut world_rank), "MPI_Comm_rank")?;
            }
        }
        let [rank, size, world_rank] =
            [rank, size, world_rank].map(|number: c_int| number as usize);
        Ok(Handle { raw, rank, size, world_rank, job })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if thread::panicking() || !self.job.is_running() {
            return;
        }
        if let Ok(_entered) = self.job.enter() {
            // SAFETY: the communicator is valid and ours; MPI frees it after pending operations.
            let code = unsafe { ffi::MPI_Comm_free(&raw mut self.raw) };
            debug_assert!(check(code, "MPI_Comm_free").is_ok());
        }
    }
}

impl Comm for MpiComm {
    fn rank(&self) -> usize {
        self.handle.rank
    }

    fn size(&self) -> usize {
        self.handle.size
    }

    fn split(&self, color: usize, key: usize) -> Result<Arc<dyn Comm>, CommError> {
        let too_large = |_| CommError::Unusable("colors and keys of MPI are 31 bits wide");
        let color = c_int::try_from(color).map_err(too_large)?;
        let key = c_int::try_from(key).map_err(too_large)?;
        let job = &self.handle.job;
        let mut part = self.handle.raw;
        {
            let _entered = job.enter()?;
            // SAFETY: the communicator is valid, and `part` is written by the call.
            let code = unsafe { ffi::MPI_Comm_split(self.handle.raw, color, key, &raw mut part) };
            check(code, "MPI_Comm_split")?;
        }
        let handle = Arc::new(Handle::new(job.clone(), part)?);
        Ok(Arc::new(MpiComm { handle, counters: self.counters.clone() }))
    }

    fn prepare(&self, operation: Operation) -> Result<Box<dyn Prepared>, CommError> {
        operation.check(self.rank(), self.size())?;
        let (handle, counters) = (&self.handle, self.counters.clone());
        Ok(match operation {
            Operation::Exchange { .. } => Box::new(Exchange::new(handle, counters, &operation)?),
            Operation::AllReduce { .. }
            | Operation::Reduce { .. }
            | Operation::Broadcast { .. }
            | Operation::ReduceScatter { .. }
            | Operation::AllGather { .. }
            | Operation::AllToAll { .. } => {
                Box::new(Collective::new(handle, counters, &operation)?)
            }
        })
    }

    fn barrier(&self) -> Result<(), CommError> {
        let _entered = self.handle.job.enter()?;
        // SAFETY: the communicator is valid.
        check(unsafe { ffi::MPI_Barrier(self.handle.raw) }, "MPI_Barrier")
    }

    /// Does not return. When several ranks fail at once, the first of them speaks for all.
    fn fail(&self, message: &str) {
        static FAILING: OnceLock<()> = OnceLock::new();
        if FAILING.set(()).is_err() {
            return;
        }
        let rank = self.handle.world_rank;
        thread::sleep(GRACE * (usize::BITS - rank.leading_zeros()));
        let code = exit_code(message);
        let error = CommError::Failed { rank, message: message.to_owned() };
        let _ = writeln!(std::io::stderr().lock(), "adjoin: {error}");
        thread::sleep(DRAIN);
        // SAFETY: aborting is allowed at any time while MPI runs.
        unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, c_int::from(code)) };
        process::exit(c_int::from(code))
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for MpiComm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.fail(PANICKED);
        }
    }
}
