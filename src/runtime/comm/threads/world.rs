//! What all ranks of a world share: its failure, and how a rank sleeps.

use super::CommError;
use std::hint::spin_loop;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicUsize, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;

/// Checks before yielding, when each rank can have a core.
const SPINS: u32 = 300;
/// Checks between which the core is yielded, before sleeping.
const YIELDS: u32 = 30;

pub(super) struct World {
    failure: OnceLock<(usize, String)>,
    signals: Mutex<Vec<Weak<Signal>>>,
    spins: u32,
}

impl World {
    pub(super) fn new(ranks: usize) -> Arc<World> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let spins = if ranks <= cores { SPINS } else { 0 };
        Arc::new(World { failure: OnceLock::new(), signals: Mutex::default(), spins })
    }

    /// A signal that a failure rings.
    pub(super) fn signal(&self) -> Arc<Signal> {
        let signal = Arc::new(Signal::default());
        let mut signals = lock(&self.signals);
        if signals.len() == signals.capacity() {
            signals.retain(|signal| signal.strong_count() > 0);
        }
        signals.push(Arc::downgrade(&signal));
        signal
    }

    /// Makes every pending and later call of every rank an error; the first failure stays.
    pub(super) fn fail(&self, rank: usize, message: &str) {
        let _ = self.failure.set((rank, message.to_owned()));
        for signal in lock(&self.signals).iter().filter_map(Weak::upgrade) {
            signal.ring_all();
        }
    }

    pub(super) fn failed_rank(&self) -> Option<usize> {
        self.failure.get().map(|(rank, _)| *rank)
    }

    pub(super) fn check(&self) -> Result<(), CommError> {
        match self.failure.get() {
            None => Ok(()),
            Some((rank, message)) => {
                Err(CommError::Failed { rank: *rank, message: message.clone() })
            }
        }
    }
}

/// Where ranks sleep until something that they check for has happened.
#[derive(Default)]
pub(super) struct Signal {
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Signal {
    /// Wakes sleepers after a store that they check for.
    ///
    /// Either the fence makes that store visible to a rank that is about to sleep, or the rank is
    /// seen here as a sleeper; it holds the lock from its last check until it sleeps.
    pub(super) fn ring(&self) {
        fence(SeqCst);
        if self.sleepers.load(Relaxed) > 0 {
            self.ring_all();
        }
    }

    fn ring_all(&self) {
        drop(lock(&self.lock));
        self.bell.notify_all();
    }

    /// Returns when `until` holds, or with an error when the world has failed.
    pub(super) fn wait(&self, world: &World, until: impl Fn() -> bool) -> Result<(), CommError> {
        for _ in 0..world.spins {
            if until() {
                return world.check();
            }
            spin_loop();
        }
        for _ in 0..YIELDS {
            if until() {
                return world.check();
            }
            thread::yield_now();
        }
        self.sleep(world, until)
    }

    #[cold]
    fn sleep(&self, world: &World, until: impl Fn() -> bool) -> Result<(), CommError> {
        let mut guard = lock(&self.lock);
        self.sleepers.fetch_add(1, SeqCst);
        fence(SeqCst);
        while world.failure.get().is_none() && !until() {
            guard = self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
        world.check()
    }
}

/// Locks data that is valid between any two statements, so that a panic elsewhere does not matter.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
