//! What the benchmarks share: medians of alternating runs, the bandwidth of memory, and the rate of
//! arithmetic.

#![allow(dead_code)] // Each benchmark uses some of it.

use adjoin_kernels::host::{Real, stream};
use std::hint::black_box;
use std::time::Instant;

/// The median seconds of each of some works, run in turn.
pub fn medians(rounds: usize, works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); works.len()];
    for _ in 0..rounds {
        for (work, times) in works.iter_mut().zip(&mut times) {
            let start = Instant::now();
            work();
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.into_iter().map(median).collect()
}

pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Bytes per second, of reading and of updating arrays of so many bytes in all.
#[derive(Clone, Copy)]
pub struct Bandwidth {
    pub read: f64,
    pub update: f64,
}

impl Bandwidth {
    pub fn measure(bytes: usize, rounds: usize) -> Bandwidth {
        Bandwidth::together(bytes, rounds, &|| ())
    }

    /// The same while others measure theirs, all of whom meet before each sweep.
    pub fn together(bytes: usize, rounds: usize, meet: &dyn Fn()) -> Bandwidth {
        let sweeps = |sweep: &mut dyn FnMut()| {
            // The first one finds other things in the caches.
            let mut seconds = || {
                meet();
                let start = Instant::now();
                sweep();
                start.elapsed().as_secs_f64()
            };
            seconds();
            median((0..rounds).map(|_| seconds()).collect())
        };
        let whole = vec![1.0; bytes / 8];
        let read = sweeps(&mut || {
            black_box(stream::read(black_box(&whole)));
        });
        drop(whole);
        let (x, mut y) = (vec![1.0; bytes / 16], vec![1.0; bytes / 16]);
        let update = sweeps(&mut || stream::update(black_box(1e-3), &x, black_box(&mut y)));
        let bytes = bytes as f64;
        Bandwidth { read: bytes / read, update: 1.5 * bytes / update }
    }
}

/// Multiplications and additions a second on one thread, with nothing from memory.
pub fn flops<R: Real>() -> f64 {
    const TIMES: usize = 100_000;
    let mut x = [R::nearest(1.0); stream::CHAINS];
    let (a, b) = (R::nearest(0.5), R::nearest(0.25));
    let mut work = || stream::chain(black_box(a), black_box(b), TIMES, black_box(&mut x));
    let times = medians(21, &mut [&mut work]);
    (2 * TIMES * stream::CHAINS) as f64 / times[0]
}
