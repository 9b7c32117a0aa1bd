//! Sweeps over memory on the system's small pages and on large ones, in turn.
//!
//! `cargo bench --bench pages -- 16 64 256` takes so many MiB.

mod support;

use adjoin::LargePages;
use adjoin_kernels::host::stream;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use support::medians;

const ROUNDS: usize = 31;

fn main() {
    let words = std::env::args().skip(1).filter(|w| !w.starts_with('-'));
    let mut sizes: Vec<usize> = words.filter_map(|w| w.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![4, 16, 64, 256];
    }
    println!("  MiB  read: small  large pages   update: small  large pages   [GB/s]");
    for mib in sizes {
        let bytes = mib << 20;
        let (small, large) = (block(&System, bytes), block(&LargePages, bytes));
        let (to_small, to_large) = (block(&System, bytes), block(&LargePages, bytes));
        let times = medians(
            ROUNDS,
            &mut [
                &mut || _ = black_box(stream::read(black_box(&*small))),
                &mut || _ = black_box(stream::read(black_box(&*large))),
                &mut || stream::update(1e-3, small, black_box(&mut *to_small)),
                &mut || stream::update(1e-3, large, black_box(&mut *to_large)),
            ],
        );
        let rate = |k: usize, moved: usize| (moved * bytes) as f64 / times[k] / 1e9;
        let (a, b, c, d) = (rate(0, 1), rate(1, 1), rate(2, 3), rate(3, 3));
        println!("{mib:5}  {a:11.1}  {b:11.1}   {c:13.1}  {d:11.1}");
    }
}

/// Numbers from one allocator, for as long as the program runs.
fn block(from: &impl GlobalAlloc, bytes: usize) -> &'static mut [f64] {
    let layout = Layout::from_size_align(bytes, 64).expect("a size in MiB");
    // SAFETY: the block is zeroed, as long as the slice, nobody else's, and never given back.
    unsafe {
        let start = from.alloc_zeroed(layout);
        assert!(!start.is_null(), "there is no memory for {bytes} bytes");
        let numbers = std::slice::from_raw_parts_mut(start.cast(), bytes / 8);
        numbers.fill(1.0);
        numbers
    }
}
