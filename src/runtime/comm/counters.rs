//! What a rank has communicated, counted when operations start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Running totals of one rank, shared by the communicators that were split from one world.
#[derive(Debug, Default)]
pub struct Counters {
    calls: AtomicU64,
    reductions: AtomicU64,
    bytes: AtomicU64,
}

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Operations started.
    pub calls: u64,
    /// Those of them that add or compare: `all_reduce`, `reduce` and `reduce_scatter`.
    pub reductions: u64,
    /// Sum of their payloads in bytes.
    pub bytes: u64,
}

impl Counters {
    /// The totals since the last reset.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            calls: self.calls.load(Relaxed),
            reductions: self.reductions.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }

    /// Starts again from zero.
    pub fn reset(&self) {
        self.calls.store(0, Relaxed);
        self.reductions.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
    }

    pub(super) fn count(&self, reduction: bool, payload: usize) {
        self.calls.fetch_add(1, Relaxed);
        self.reductions.fetch_add(u64::from(reduction), Relaxed);
        self.bytes.fetch_add(payload as u64, Relaxed);
    }
}
