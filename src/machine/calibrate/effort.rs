//! How much a calibration measures, which decides how long it takes and how good it is.

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Bytes of the largest working set, all ranks together: memory beyond it is taken to be as
    /// fast as it.
    pub largest: usize,
    /// Rows, columns and right-hand sides of the matrix product that gives the flop rate.
    pub product: usize,
    /// How long a part of a measurement takes at least.
    pub part: Duration,
    /// How often all is measured, one after the other.
    pub turns: usize,
    /// Sums of a number between ranks that are timed together.
    pub sums: usize,
}

impl Effort {
    /// Less than a minute: working sets of 128 MB, beyond the caches of most machines.
    pub const FULL: Effort = Effort {
        largest: 1 << 27,
        product: 320,
        part: Duration::from_millis(4),
        turns: 3,
        sums: 1000,
    };

    /// Some seconds, for rough numbers: working sets of 256 kB, so that main memory is taken for a
    /// cache, and parts so short that whoever else uses the machine shows in them.
    pub const QUICK: Effort = Effort {
        largest: 1 << 18,
        product: 64,
        part: Duration::from_micros(200),
        turns: 1,
        sums: 40,
    };
}

impl Effort {
    /// All of it once, for whoever comes back later.
    #[must_use]
    pub fn once(self) -> Effort {
        Effort { turns: 1, ..self }
    }
}
