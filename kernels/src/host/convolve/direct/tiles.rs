//! Tiles of sums that stay in registers while the rows that they read go by.

// Sums stay in registers if their indices are known.
#![allow(clippy::needless_range_loop)]

use super::super::super::Real;
use super::super::super::simd::versions;
use super::super::super::vectors::Vector;
use super::{LINE, Sums, WIDEST};

versions! {
    /// All rows; each has a register's reals at least.
    pub(super) fn rows {R: Real, const P: usize} {R, P}
    (sums: Sums<'_, R>, x: &[R], y: &mut [R], set: bool) {
        let wide = V::LANES * size_of::<R>() == LINE;
        // SAFETY: `x` and `y` are planes of `sums`. The machine is the caller's care.
        unsafe {
            match (wide, P) {
                (true, 1) => blocks::<V, R, 4, 4, P>(sums, x, y, set),
                (true, _) | (false, 1) => blocks::<V, R, 4, 3, P>(sums, x, y, set),
                (false, _) => blocks::<V, R, 3, 2, P>(sums, x, y, set),
            }
        }
    }
}

/// [`rows`] in blocks of `N` rows and `C` registers.
///
/// # Safety
/// `x` and `y` are planes of `sums`, and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn blocks<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    x: &[R],
    y: &mut [R],
    set: bool,
) {
    let mut p = 0;
    while p < sums.to.len {
        // SAFETY: the caller's contract, and `p + N` rows are there.
        unsafe {
            if p + N <= sums.to.len {
                columns::<V, R, N, C, P>(sums, p, x, y, set);
                p += N;
            } else {
                columns::<V, R, 1, C, P>(sums, p, x, y, set);
                p += 1;
            }
        }
    }
}

/// `N` rows from row `p` on, from the left to the right.
///
/// # Safety
/// As for [`blocks`], and there are `N` rows.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn columns<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    p: usize,
    x: &[R],
    y: &mut [R],
    set: bool,
) {
    let width = sums.width;
    let out = &mut y[p * width..(p + N) * width];
    let mut at = 0;
    // SAFETY: rows of both sides have `width` reals, at which all columns end at most.
    unsafe {
        while at + C * V::LANES <= width {
            let sum = tile::<V, R, N, C, P>(sums, p, x.as_ptr().wrapping_add(at));
            put::<V, R, N, C>(sum, width, out.as_mut_ptr().add(at), set);
            at += C * V::LANES;
        }
        // The last register may overlap the one before, of which it writes nothing.
        while at < width {
            let first = at.min(width - V::LANES);
            let sum = tile::<V, R, N, 1, P>(sums, p, x.as_ptr().wrapping_add(first));
            let mut kept = [R::ZERO; WIDEST];
            for (r, sum) in sum.into_iter().enumerate() {
                sum[0].store(kept.as_mut_ptr());
                let out = &mut out[r * width + at..r * width + first + V::LANES];
                partly(&kept[at - first..V::LANES], out, set);
            }
            at = first + V::LANES;
        }
    }
}

/// The sums of `C` registers of `N` rows from row `p` on.
///
/// # Safety
/// As for [`blocks`]; at `x` there are so many columns of the first row of `x`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
pub(super) unsafe fn tile<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    p: usize,
    x: *const R,
) -> [[V; C]; N] {
    // SAFETY: `reading` gives rows that are present, and coefficients that there are.
    unsafe {
        let mut sum = [[[V::splat(R::ZERO); C]; N]; P];
        let (start, end, tap) = sums.reading(p);
        // All rows of the tile read those from `common` to `end`, some those before and after.
        let (common, stop, _) = sums.reading(p + N - 1);
        for q in start..common.min(stop) {
            some::<V, R, N, C, P>(sums, &mut sum, tap + q as isize, x.add(q * sums.width));
        }
        for q in common..end {
            let tap = (tap + q as isize) as usize;
            let row = load::<V, R, C>(x.add(q * sums.width));
            for r in 0..N {
                add::<V, R, N, C, P>(sums, &mut sum, r, &row, tap - r);
            }
        }
        for q in common.max(end)..stop {
            some::<V, R, N, C, P>(sums, &mut sum, tap + q as isize, x.add(q * sums.width));
        }
        whole::<V, R, N, C, P>(sum)
    }
}

/// Adds a row of `x` to those rows of a tile that read it; `tap` is the coefficient of the first
/// of them.
///
/// # Safety
/// `C` registers at `x` are there, and the machine has the instructions.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn some<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    sum: &mut [[[V; C]; N]; P],
    tap: isize,
    x: *const R,
) {
    // SAFETY: the caller's contract, and coefficients that there are.
    unsafe {
        let row = load::<V, R, C>(x);
        for r in 0..N {
            let tap = (tap - r as isize) as usize;
            if tap < sums.re.len() {
                add::<V, R, N, C, P>(sums, sum, r, &row, tap);
            }
        }
    }
}

/// Registers of a row.
///
/// # Safety
/// They are there, and the machine has the instructions.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
pub(super) unsafe fn load<V: Vector<R>, R: Real, const C: usize>(x: *const R) -> [V; C] {
    // SAFETY: the caller's contract.
    unsafe {
        let mut row = [V::splat(R::ZERO); C];
        for k in 0..C {
            row[k] = V::load(x.add(k * V::LANES));
        }
        row
    }
}

/// Adds a term to one of the rows of a tile.
///
/// # Safety
/// The coefficient is there, and the machine has the instructions.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
pub(super) unsafe fn add<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    sum: &mut [[[V; C]; N]; P],
    r: usize,
    row: &[V; C],
    tap: usize,
) {
    for part in 0..P {
        let c = if part == 0 { sums.re } else { sums.im };
        // SAFETY: the caller's contract.
        unsafe {
            let factor = V::splat(*c.get_unchecked(tap));
            for k in 0..C {
                sum[part][r][k] = factor.fused(row[k], sum[part][r][k]);
            }
        }
    }
}

/// The sums of both parts of coefficients as one: `i (u + i v) = -v + i u`.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
pub(super) unsafe fn whole<
    V: Vector<R>,
    R: Real,
    const N: usize,
    const C: usize,
    const P: usize,
>(
    sum: [[[V; C]; N]; P],
) -> [[V; C]; N] {
    let mut out = sum[0];
    if P == 2 {
        // SAFETY: the caller's contract.
        unsafe {
            let turn = V::pair(-R::ONE, R::ONE);
            for r in 0..N {
                for k in 0..C {
                    out[r][k] = turn.fused(sum[1][r][k].swapped(), sum[0][r][k]);
                }
            }
        }
    }
    out
}

/// Writes the sums of a tile.
///
/// # Safety
/// There is room for them at `y`, and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
pub(super) unsafe fn put<V: Vector<R>, R: Real, const N: usize, const C: usize>(
    sum: [[V; C]; N],
    width: usize,
    y: *mut R,
    set: bool,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let one = V::splat(R::ONE);
        for (r, row) in sum.into_iter().enumerate() {
            for (k, sum) in row.into_iter().enumerate() {
                let y = y.add(r * width + k * V::LANES);
                let sum = if set { sum } else { one.fused(V::load(y), sum) };
                sum.store(y);
            }
        }
    }
}

/// Writes some of the reals of a register.
pub(super) fn partly<R: Real>(sum: &[R], y: &mut [R], set: bool) {
    for (y, &sum) in y.iter_mut().zip(sum) {
        *y = if set { sum } else { *y + sum };
    }
}
