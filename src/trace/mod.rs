//! What was run, when and for how long, beside what was foreseen.
//!
//! A [`Trace`] is handed to a run; every rank then notes each call of its programs.
//! Afterwards [`Trace::collect`] brings the ranks together: [`Record::chrome`] is a file for Perfetto
//! or Chrome, [`Record::table`] a summary for people.
//! Where nothing is traced no clock is read.
//! On a device that works asynchronously a traced call ends when its work is done.
//!
//! ```
//! use adjoin::runtime::World;
//! use adjoin::trace::{Trace, mark};
//! let (world, trace) = (World::threads(2), Trace::new());
//! world.traced(&trace, |_| {
//!     let _assembly = mark("assembly");
//!     Ok(())
//! })?;
//! let record = trace.collect(&world)?.expect("this process has rank 0");
//! assert!(record.table().contains("assembly"));
//! # Ok::<(), adjoin::runtime::RunError>(())
//! ```

mod recorder;
mod facts;
mod collect;
mod chrome;
mod table;

pub use collect::Record;
pub(crate) use facts::{Facts, facts};
pub use recorder::{Mark, mark};
pub(crate) use recorder::{enter, is_on, leave, now, register, span};

use crate::runtime::{RunError, World};
use recorder::{HERE, Recorder, Track};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the ranks of this process have noted; copies of it are the same one.
#[derive(Clone)]
pub struct Trace(Arc<Inner>);

struct Inner {
    /// Programs know by it where they are registered.
    id: u64,
    epoch: Instant,
    /// Whether each event is kept, and not only sums.
    events: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tracks: BTreeMap<usize, Track>,
    /// The marks of the controller that are open, for the ranks that run within them.
    open: Vec<String>,
}

/// A part of the controller's work with a name, until it is dropped.
pub struct Section<'a> {
    trace: &'a Trace,
}

impl Default for Trace {
    fn default() -> Self {
        Trace::new()
    }
}

impl Trace {
    /// Notes every event.
    pub fn new() -> Self {
        Trace::with(true)
    }

    /// Notes sums only, which takes the same memory however long a run is.
    pub fn sums() -> Self {
        Trace::with(false)
    }

    fn with(events: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (epoch, state) = (Instant::now(), Mutex::default());
        Trace(Arc::new(Inner { id, epoch, events, state }))
    }

    /// Gives a name to all that ranks do in runs of this thread until the section is dropped;
    /// sections nest. What runs on a rank calls [`mark`] instead.
    pub fn section(&self, name: impl Into<String>) -> Section<'_> {
        self.state().open.push(name.into());
        Section { trace: self }
    }

    /// What all ranks have noted so far, on the process of rank 0; all processes must ask.
    pub fn collect(&self, world: &World) -> Result<Option<Record>, RunError> {
        collect::collect(self, world)
    }

    /// Notes what this thread does, which is that rank, until the guard is dropped.
    pub(crate) fn record(&self, rank: usize) -> Recording {
        let mut state = self.state();
        let track = state.tracks.remove(&rank).unwrap_or_else(|| Track::new(rank));
        let open = state.open.clone();
        drop(state);
        let mut recorder = Recorder::new(self.0.id, self.0.epoch, self.0.events, track);
        for name in open {
            recorder.enter_mark(name);
        }
        HERE.set(Some(recorder));
        Recording(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        self.trace.state().open.pop();
    }
}

/// This thread notes what it does.
pub(crate) struct Recording(Trace);

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(recorder) = HERE.take() {
            let track = recorder.finish();
            self.0.state().tracks.insert(track.rank, track);
        }
    }
}
