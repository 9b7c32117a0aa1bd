//! Results that are written past the caches.
//!
//! A store reads the line that it writes to, unless all of it is written at once past the caches.
//! That saves a third of the traffic of `y = x + z`, and keeps what the caches hold; but whoever
//! reads the result must get it from memory. So only results that the caches could not keep until
//! then are written like that: [`LARGE`] ones, and neither those that are written over what is read
//! nor stretches of a vector, of which a region makes one after the other and reads them soon.

use super::simd::versions;
use super::{Real, Scalar, reals, reals_mut};
use std::ops::Range;

/// Bytes of a result that are too many for a last cache that holds operands too.
pub const LARGE: usize = 1 << 24;

/// Whether a result is written past the caches.
pub(super) fn is_large<S>(y: &[S]) -> bool {
    size_of_val(y) >= LARGE
}

/// Replaces `y` by what `make` makes of each range of elements: all at once, or piece by piece in
/// the nearest cache and from there past the others.
#[inline]
pub(super) fn made<S: Scalar>(y: &mut [S], make: impl Fn(Range<usize>, &mut [S])) {
    if is_large(y) { pieces(y, make) } else { make(0..y.len(), y) }
}

fn pieces<S: Scalar>(y: &mut [S], make: impl Fn(Range<usize>, &mut [S])) {
    const PIECE: usize = 512;
    let mut own = [S::ZERO; PIECE];
    for (k, y) in y.chunks_mut(PIECE).enumerate() {
        let own = &mut own[..y.len()];
        make(k * PIECE..k * PIECE + y.len(), own);
        put(own, y);
    }
    end();
}

/// `y = x`, past the caches where whole lines are written; [`end`] comes after the last of them.
pub(super) fn put<S: Scalar>(x: &[S], y: &mut [S]) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    put_reals(reals(x), reals_mut(y));
}

/// What was written past the caches is seen by whoever sees what is written from now on.
pub(super) fn end() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the baseline has the instruction, which only orders stores.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

versions! {
    fn put_reals {R: Real} {R} (x: &[R], y: &mut [R]) {
        /// The bytes of a cache line.
        const LINE: usize = 64;
        let n = y.len();
        let mut at = y.as_ptr().align_offset(LINE).min(n);
        y[..at].copy_from_slice(&x[..at]);
        // SAFETY: Both have `n` elements, of which those of `y` are written from the start of a
        // line on; the machine is the caller's care.
        unsafe {
            while at + V::LANES <= n {
                V::load(x[at..].as_ptr()).stream(y[at..].as_mut_ptr());
                at += V::LANES;
            }
        }
        y[at..].copy_from_slice(&x[at..]);
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::values;

    pub fn all_of_it_is_written_wherever_it_begins<S: Scalar>() {
        for (start, n) in (0..20).flat_map(|start| (0..70).map(move |n| (start, n))) {
            let x: Vec<S> = values(1, n + 1);
            let mut y = vec![S::ONE; start + n + 1];
            put(&x[1..], &mut y[start..start + n]);
            end();
            assert_eq!(y[start..start + n], x[1..]);
            assert!(y[..start].iter().chain(&y[start + n..]).all(|&y| y == S::ONE));
        }
    }

    pub fn pieces_are_the_whole<S: Scalar>() {
        for n in [0, 1, 511, 512, 513, 1100] {
            let x: Vec<S> = values(1, n);
            let mut y = vec![S::ZERO; n];
            pieces(&mut y, |some, y| y.copy_from_slice(&x[some]));
            assert_eq!(y, x);
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(all_of_it_is_written_wherever_it_begins pieces_are_the_whole);
}
