//! Blocks turned in registers of 64 bytes, by the bytes of an element.
//!
//! Neighbouring rows are interleaved until what belongs together is 16 bytes long; then
//! [`quarters`] of registers are turned as blocks of four by four.

use super::{Rows, Target};
#[allow(clippy::wildcard_imports)] // Intrinsics have their prefix for a name space.
use std::arch::x86_64::*;

/// Reads `N` rows.
///
/// # Safety
/// They are there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<const N: usize>((x, apart): Rows) -> [__m512d; N] {
    let mut rows = [_mm512_setzero_pd(); N];
    for (r, row) in rows.iter_mut().enumerate() {
        // SAFETY: the caller's contract.
        *row = unsafe { _mm512_loadu_pd(x.offset(r as isize * apart).cast()) };
    }
    rows
}

/// Writes rows from row `first` on, always so many steps after the one before.
///
/// # Safety
/// There is room for them, at whole lines if they go past the caches.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(rows: [__m512d; 4], y: Target, first: usize, step: usize) {
    for (r, row) in rows.into_iter().enumerate() {
        let at = (first + r * step) as isize * y.apart;
        // SAFETY: the caller's contract.
        unsafe {
            if y.past {
                _mm512_stream_pd(y.start.offset(at).cast(), row);
            } else {
                _mm512_storeu_pd(y.start.offset(at).cast(), row);
            }
        }
    }
}

/// Register `l` of what is returned has quarter `l` of each of the registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let (ab, cd) = (_mm512_shuffle_f64x2::<EVEN>(a, b), _mm512_shuffle_f64x2::<EVEN>(c, d));
    let (ef, gh) = (_mm512_shuffle_f64x2::<ODD>(a, b), _mm512_shuffle_f64x2::<ODD>(c, d));
    [
        _mm512_shuffle_f64x2::<EVEN>(ab, cd),
        _mm512_shuffle_f64x2::<EVEN>(ef, gh),
        _mm512_shuffle_f64x2::<ODD>(ab, cd),
        _mm512_shuffle_f64x2::<ODD>(ef, gh),
    ]
}

/// The even and the odd doubles of two rows in turn.
#[inline]
#[target_feature(enable = "avx512f")]
fn doubles(a: __m512d, b: __m512d) -> [__m512d; 2] {
    [_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)]
}

/// The singles of two rows in turn: the first and the last two of each quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn singles(a: __m512d, b: __m512d) -> [__m512d; 2] {
    let (a, b) = (_mm512_castpd_ps(a), _mm512_castpd_ps(b));
    let pair = [_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)];
    pair.map(|row| _mm512_castps_pd(row))
}

/// Four by four elements of 16 bytes.
///
/// # Safety
/// As for [`super::square`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn turn_16(x: Rows, y: Target) {
    // SAFETY: the caller's contract.
    unsafe { store(quarters(load::<4>(x)), y, 0, 1) }
}

/// Eight by eight elements of 8 bytes.
///
/// # Safety
/// As for [`super::square`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn turn_8(x: Rows, y: Target) {
    // SAFETY: the caller's contract.
    unsafe {
        let [a, b, c, d, e, f, g, h] = load::<8>(x);
        let pairs = [doubles(a, b), doubles(c, d), doubles(e, f), doubles(g, h)];
        for half in 0..2 {
            store(quarters(pairs.map(|pair| pair[half])), y, half, 2);
        }
    }
}

/// Sixteen by sixteen elements of 4 bytes.
///
/// # Safety
/// As for [`super::square`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn turn_4(x: Rows, y: Target) {
    // SAFETY: the caller's contract.
    unsafe {
        let rows = load::<16>(x);
        let mut fours = [[_mm512_setzero_pd(); 4]; 4];
        for (k, four) in fours.iter_mut().enumerate() {
            let [low, high] = singles(rows[4 * k], rows[4 * k + 1]);
            let [next_low, next_high] = singles(rows[4 * k + 2], rows[4 * k + 3]);
            let [a, b] = doubles(low, next_low);
            let [c, d] = doubles(high, next_high);
            *four = [a, b, c, d];
        }
        let [a, b, c, d] = fours;
        for (column, (((a, b), c), d)) in a.into_iter().zip(b).zip(c).zip(d).enumerate() {
            store(quarters([a, b, c, d]), y, column, 4);
        }
    }
}
