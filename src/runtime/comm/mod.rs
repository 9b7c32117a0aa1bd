//! Communicators: prepared operations between ranks.
//!
//! Planning is static, so each communication call is *prepared* once, when a program is bound.
//! Preparing allocates the staging buffers, builds the requests and agrees on counts.
//! In the steady state a call is packed, started, waited for and unpacked, and sends no metadata:
//!
//! ```
//! use adjoin::runtime::comm::{Elem, Operation, ReduceOp, threads};
//! let sums = threads::run(3, |comm| {
//!     let operation = Operation::AllReduce { count: 1, elem: Elem::F64, op: ReduceOp::Sum };
//!     let mut sum = comm.prepare(operation).unwrap();
//!     sum.send_as::<f64>()[0] = comm.rank() as f64;
//!     sum.run().unwrap();
//!     sum.recv_as::<f64>()[0]
//! });
//! assert_eq!(sums, [3.0; 3]);
//! ```
//!
//! Contract of every back end:
//!
//! - `prepare`, `split` and `barrier` are called by all ranks of the communicator in one order.
//!   Only `prepare` of an [`Operation::Exchange`] is local.
//! - Collectives are started in one order on all ranks; several may be in flight.
//!   All ranks use `start` and `wait` for a call, or all use `run`.
//! - Messages match by (peer, tag), first in, first out, in the order in which they are started.
//! - Zero counts, ranks without data, one rank, and messages to oneself are ordinary cases.
//! - If a rank fails, the others get an error or are ended, in bounded time.

mod counters;
mod error;
#[cfg(feature = "mpi")]
pub mod mpi;
mod operation;
mod setup;
mod stage;
mod staging;
pub mod threads;

pub use counters::{Counters, Traffic};
pub use error::CommError;
pub(crate) use error::{PANICKED, exit_code};
pub use operation::{Elem, LARGEST_TAG, Message, Operation, ReduceOp};
use std::sync::Arc;

/// One rank's handle of a group of ranks.
pub trait Comm: Send + Sync {
    /// This rank, below [`Comm::size`].
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// The communicator of the ranks that give the same `color`, in the order of `key`, then rank.
    fn split(&self, color: usize, key: usize) -> Result<Arc<dyn Comm>, CommError>;

    /// Builds everything that the operation needs, so that it can be started many times.
    fn prepare(&self, operation: Operation) -> Result<Box<dyn Prepared>, CommError>;

    /// Returns when all ranks have called it.
    fn barrier(&self) -> Result<(), CommError>;

    /// Stops all ranks of the world because this one cannot go on.
    ///
    /// Rank threads get [`CommError::Failed`] from every pending and later call.
    /// Under MPI the job ends after one message on standard error, with exit code 1 if the rank
    /// has panicked and 2 if not.
    fn fail(&self, message: &str);

    /// What this rank has communicated, together with all communicators split from the same world.
    fn counters(&self) -> &Counters;
}

/// A communication call that can be started many times.
pub trait Prepared: Send {
    /// The staging that the caller packs before each start.
    ///
    /// Its contents are unspecified, so all of it is packed each time; the result of the previous
    /// start is given up. It is aligned to 64 bytes, except in an `all_gather`, where the parts of
    /// the ranks lie next to each other.
    ///
    /// # Panics
    /// Between `start` and `wait`.
    fn send(&mut self) -> &mut [u8];

    /// Hands over what was packed.
    fn start(&mut self) -> Result<(), CommError>;

    /// Returns when the result has arrived and `send` may be packed again.
    fn wait(&mut self) -> Result<(), CommError>;

    /// `start` and `wait` at once, which some back ends do faster.
    fn run(&mut self) -> Result<(), CommError> {
        self.start()?;
        self.wait()
    }

    /// The result, aligned to 64 bytes, from a successful `wait` to the next `send` or `start`.
    ///
    /// # Panics
    /// Between `start` and `wait`, and after a failure.
    fn recv(&self) -> &[u8];

    /// Bytes that one start counts: the larger of operand and result, or what an exchange receives.
    fn payload(&self) -> usize;
}

impl dyn Prepared + '_ {
    /// [`Prepared::send`] as elements.
    ///
    /// # Panics
    /// If the elements do not fit the staging exactly.
    pub fn send_as<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.send())
    }

    /// [`Prepared::recv`] as elements.
    ///
    /// # Panics
    /// If the elements do not fit the staging exactly.
    pub fn recv_as<T: bytemuck::Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.recv())
    }
}
