//! How many threads ranks have, and when they share work.

use adjoin_kernels::host::crew::{Crew, LEAST};
use std::io;
use std::thread::available_parallelism;

/// The crew of each rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crews {
    /// Threads of a rank.
    pub(super) threads: usize,
    /// Work that is worth a thread.
    pub(super) least: usize,
}

impl Crews {
    /// What ranks have if nothing is said: one thread each.
    pub(super) const ALONE: Crews = Crews { threads: 1, least: LEAST };

    /// The cores of this process, divided among so many ranks.
    pub(super) fn of_cores(ranks: usize) -> Crews {
        Crews { threads: (cores() / ranks.max(1)).max(1), ..Crews::ALONE }
    }

    /// A crew, one of as many as there are ranks in this process.
    pub(super) fn crew(self, ranks: usize) -> io::Result<Crew> {
        let fits = ranks * self.threads <= cores();
        Ok(Crew::new(self.threads, fits)?.sharing_from(self.least))
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
