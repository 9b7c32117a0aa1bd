//! What prepared operations of MPI have in common: staging, requests, and whether they are active.

use super::check::{check, count};
use super::{CommError, Counters, Handle, Operation};
use crate::runtime::comm::stage::Stage;
use crate::runtime::comm::staging::{Region, Staging};
use mpi::ffi;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread;

/// Staging that the library may use while requests on it are active.
///
/// If it is dropped then, it leaks: the library may still write to it.
pub(super) struct Flight {
    pub(super) handle: Arc<Handle>,
    stage: Stage,
    requests: Vec<ffi::MPI_Request>,
    memory: ManuallyDrop<Vec<Staging>>,
    send: Region,
    recv: Region,
    /// Lent instead of `send` after a failure.
    scrap: Option<Staging>,
    counters: Arc<Counters>,
    reduction: bool,
    payload: usize,
}

// SAFETY: requests are handles that any thread may use; `Job::enter` keeps to the thread level.
unsafe impl Send for Flight {}

impl Flight {
    /// A flight with separate buffers for both directions, or one for both if `in_place`.
    pub(super) fn new(
        handle: Arc<Handle>,
        counters: Arc<Counters>,
        operation: &Operation,
        in_place: bool,
    ) -> Flight {
        let (rank, elem) = (handle.rank, operation.elem().size());
        let lens = [operation.send_count(rank) * elem, operation.recv_count(rank) * elem];
        let (memory, send, recv) = if in_place {
            let both = Staging::new(lens[0].max(lens[1]));
            let whole = both.region();
            (vec![both], whole.part(0..lens[0]), whole.part(0..lens[1]))
        } else {
            let [send, recv] = lens.map(Staging::new);
            let regions = (send.region(), recv.region());
            (vec![send, recv], regions.0, regions.1)
        };
        Flight {
            handle,
            stage: Stage::Idle,
            requests: Vec::new(),
            memory: ManuallyDrop::new(memory),
            send,
            recv,
            scrap: None,
            counters,
            reduction: operation.reduce_op().is_some(),
            payload: operation.payload(rank),
        }
    }

    /// Moves what is packed to a part of the result, for operations that find it there.
    pub(super) fn pack_at(&mut self, start: usize) {
        self.send = self.recv.part(start..start + self.send.len());
    }

    pub(super) fn send(&self) -> Region {
        self.send
    }

    pub(super) fn recv(&self) -> Region {
        self.recv
    }

    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    /// Takes over the requests that `start` activates and `wait` waits for.
    pub(super) fn set_requests(&mut self, requests: Vec<ffi::MPI_Request>) {
        self.requests = requests;
    }

    pub(super) fn pack(&mut self) -> &mut [u8] {
        assert!(self.stage != Stage::Started, "an operation in flight cannot be packed");
        let region = match self.stage {
            Stage::Idle | Stage::Started => self.send,
            Stage::Failed => {
                self.scrap.get_or_insert_with(|| Staging::new(self.send.len())).region()
            }
        };
        // SAFETY: no request is active, and the flight is borrowed for as long as the slice.
        unsafe { region.bytes_mut() }
    }

    pub(super) fn result(&self) -> &[u8] {
        assert!(self.stage == Stage::Idle, "only a successful wait has a result");
        // SAFETY: no request is active, and the flight is borrowed for as long as the slice.
        unsafe { self.recv.bytes() }
    }

    /// Starts the operation: `issue` activates the requests.
    pub(super) fn start(
        &mut self,
        issue: impl FnOnce(&mut [ffi::MPI_Request]) -> Result<(), CommError>,
    ) -> Result<(), CommError> {
        self.stage.start()?;
        let _entered = self.handle.job.enter()?;
        self.stage = Stage::Failed;
        issue(&mut self.requests)?;
        self.stage = Stage::Started;
        self.counters.count(self.reduction, self.payload);
        Ok(())
    }

    pub(super) fn wait(&mut self) -> Result<(), CommError> {
        self.stage.wait()?;
        let _entered = self.handle.job.enter()?;
        self.stage = Stage::Failed;
        let requests = count(self.requests.len())?;
        // SAFETY: the requests are active or inactive, and their memory lives.
        let code = unsafe {
            ffi::MPI_Waitall(requests, self.requests.as_mut_ptr(), ffi::RSMPI_STATUSES_IGNORE)
        };
        check(code, "MPI_Waitall")?;
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Runs the operation in one call that returns when it is done.
    pub(super) fn run(
        &mut self,
        call: impl FnOnce() -> Result<(), CommError>,
    ) -> Result<(), CommError> {
        self.stage.start()?;
        let _entered = self.handle.job.enter()?;
        self.stage = Stage::Failed;
        self.counters.count(self.reduction, self.payload);
        call()?;
        self.stage = Stage::Idle;
        Ok(())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.stage != Stage::Idle || thread::panicking() {
            return;
        }
        if self.handle.job.is_running() {
            let Ok(_entered) = self.handle.job.enter() else { return };
            for request in &mut self.requests {
                // SAFETY: requests of an idle flight are null, or persistent and inactive.
                unsafe {
                    if *request != ffi::RSMPI_REQUEST_NULL {
                        let code = ffi::MPI_Request_free(request);
                        debug_assert!(check(code, "MPI_Request_free").is_ok());
                    }
                }
            }
        }
        // SAFETY: nothing uses the memory any more, and it is dropped here only.
        unsafe { ManuallyDrop::drop(&mut self.memory) }
    }
}
