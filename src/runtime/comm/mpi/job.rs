//! The MPI library in this process: who initialised it, and which threads may call it.

use super::CommError;
use super::check::check;
use super::crowd::give_way;
use mpi::ffi;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

static JOB: Mutex<Weak<Job>> = Mutex::new(Weak::new());

pub(super) struct Job {
    /// Whether it was initialised here, and is finalised here.
    ours: bool,
    threads: Threads,
    in_place: usize,
}

enum Threads {
    /// Any thread at any time.
    Any,
    /// One thread at a time.
    OneAtATime(Mutex<()>),
    /// The thread that came first.
    Only(ThreadId),
}

impl Job {
    /// The library, initialised if nobody has done it.
    pub(super) fn get() -> Result<Arc<Job>, CommError> {
        let mut job = JOB.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = job.upgrade() {
            return Ok(job);
        }
        let ours = initialise()?;
        let new = Arc::new(Job { ours, threads: threads()?, in_place: in_place()? });
        *job = Arc::downgrade(&new);
        Ok(new)
    }

    /// Keeps to the thread level: held while MPI is called.
    pub(super) fn enter(&self) -> Result<Option<MutexGuard<'_, ()>>, CommError> {
        match &self.threads {
            Threads::Any => Ok(None),
            Threads::OneAtATime(lock) => {
                Ok(Some(lock.lock().unwrap_or_else(PoisonError::into_inner)))
            }
            Threads::Only(thread) if *thread == thread::current().id() => Ok(None),
            Threads::Only(_) => Err(CommError::Unusable(
                "MPI was initialised for one thread, and another one communicates",
            )),
        }
    }

    /// Whether MPI is not finalised by its owner.
    pub(super) fn is_running(&self) -> bool {
        self.ours || matches!(flag(ffi::MPI_Finalized, "MPI_Finalized"), Ok(false))
    }

    /// `MPI_IN_PLACE`, a macro that bindings cannot see.
    pub(super) fn in_place(&self) -> *mut c_void {
        ptr::without_provenance_mut(self.in_place)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.ours && !thread::panicking() {
            // SAFETY: MPI runs, and all that used it is dropped, since each holds the job.
            let code = unsafe { ffi::MPI_Finalize() };
            debug_assert!(check(code, "MPI_Finalize").is_ok());
        }
    }
}

/// Initialises MPI, or returns that somebody has.
fn initialise() -> Result<bool, CommError> {
    if flag(ffi::MPI_Finalized, "MPI_Finalized")? {
        return Err(CommError::Unusable("MPI was finalised and cannot be initialised again"));
    }
    if flag(ffi::MPI_Initialized, "MPI_Initialized")? {
        return Ok(false);
    }
    give_way();
    let mut granted = 0;
    // SAFETY: MPI is not initialised; no arguments are allowed since MPI 2.
    let code = unsafe {
        let wanted = ffi::RSMPI_THREAD_MULTIPLE;
        ffi::MPI_Init_thread(ptr::null_mut(), ptr::null_mut(), wanted, &raw mut granted)
    };
    check(code, "MPI_Init_thread")?;
    Ok(true)
}

/// Asks one of the two questions that are allowed at any time.
fn flag(
    call: unsafe extern "C" fn(*mut c_int) -> c_int,
    name: &'static str,
) -> Result<bool, CommError> {
    let mut flag = 0;
    // SAFETY: the call writes the flag.
    check(unsafe { call(&raw mut flag) }, name)?;
    Ok(flag != 0)
}

fn threads() -> Result<Threads, CommError> {
    let mut level = 0;
    // SAFETY: MPI is initialised, and the call writes the level.
    check(unsafe { ffi::MPI_Query_thread(&raw mut level) }, "MPI_Query_thread")?;
    // SAFETY: constants of the library.
    let (any, one_at_a_time) =
        unsafe { (ffi::RSMPI_THREAD_MULTIPLE, ffi::RSMPI_THREAD_SERIALIZED) };
    Ok(if level >= any {
        Threads::Any
    } else if level >= one_at_a_time {
        Threads::OneAtATime(Mutex::new(()))
    } else {
        Threads::Only(thread::current().id())
    })
}

/// Open MPI's `MPI_IN_PLACE` is 1, that of MPICH and its descendants is −1.
fn in_place() -> Result<usize, CommError> {
    // SAFETY: a constant of the library.
    let room = unsafe { ffi::RSMPI_MAX_LIBRARY_VERSION_STRING } as usize;
    let mut version = vec![0_u8; room];
    let mut len = 0;
    // SAFETY: the buffer has the length that the standard asks for.
    let code = unsafe {
        ffi::MPI_Get_library_version(version.as_mut_ptr().cast::<c_char>(), &raw mut len)
    };
    check(code, "MPI_Get_library_version")?;
    let version = String::from_utf8_lossy(&version[..len as usize]);
    Ok(if version.contains("Open MPI") { 1 } else { usize::MAX })
}
