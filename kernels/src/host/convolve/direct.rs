//! Sums of neighbouring rows, `y[p] (+)= Σ c[t] x[p + low + t]`, with several rows and columns of
//! `y` in registers while the rows of `x` go by.
//!
//! Every element is the sum of its terms in the order of `t`, which is then set or added; so its
//! bits do not depend on windows or on what is computed with it.
//! A complex coefficient has two sums of reals, one for each of its parts.

// Sums stay in registers if their indices are known.
#![allow(clippy::needless_range_loop)]

use super::super::index::Window;
use super::super::simd::versions;
use super::super::vectors::Vector;
use super::super::{Acc, Real, Scalar, reals, reals_mut};

/// What rows read: row `p` the rows from `p + low` on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taps<S: Scalar> {
    /// The distance to the first row that is read.
    pub low: isize,
    /// The coefficients of the rows from there on.
    pub c: Vec<S>,
    re: Vec<S::Real>,
    im: Vec<S::Real>,
}

impl<S: Scalar> Taps<S> {
    pub fn new(low: isize, c: Vec<S>) -> Self {
        let (re, im) = (c.iter().map(|c| c.re()).collect(), c.iter().map(|c| c.im()).collect());
        Taps { low, c, re, im }
    }

    /// One plane `[from.len, inner]` of `x` to one `[to.len, inner]` of `y`.
    ///
    /// `padded` is room for rows that are shorter than a register.
    pub fn plane(
        &self,
        inner: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        padded: &mut Vec<S>,
        acc: Acc,
    ) {
        assert_eq!((x.len(), y.len()), (from.len * inner, to.len * inner), "whole planes");
        let set = acc == Acc::Set;
        let width = inner * S::PARTS;
        let sums = Sums { low: self.low, re: &self.re, im: &self.im, from, to, width };
        if width >= WIDEST {
            let (x, y) = (reals(x), reals_mut(y));
            return if S::COMPLEX {
                rows::<S::Real, 2>(sums, x, y, set);
            } else {
                rows::<S::Real, 1>(sums, x, y, set);
            };
        }
        self.pad(inner, (from, x), to, padded);
        let (x, y) = (reals(padded), reals_mut(y));
        if S::COMPLEX {
            line::<S::Real, 2>(sums, x, y, set);
        } else {
            line::<S::Real, 1>(sums, x, y, set);
        }
    }

    /// All rows that rows of `to` read, with zeros for those that there are not, and some more.
    fn pad(&self, inner: usize, (from, x): (Window, &[S]), to: Window, padded: &mut Vec<S>) {
        padded.clear();
        let first = to.start as isize + self.low;
        let rows = to.len + self.c.len().max(1) - 1;
        let place = |row: usize| (row as isize - first).clamp(0, rows as isize) as usize;
        let (start, end) = (place(from.start), place(from.end()));
        padded.resize((rows * inner) + WIDEST, S::ZERO);
        if start < end {
            let skipped = (first + start as isize) as usize - from.start;
            let kept = &x[skipped * inner..][..(end - start) * inner];
            padded[start * inner..end * inner].copy_from_slice(kept);
        }
    }
}

/// The most reals of a register.
const WIDEST: usize = 16;

/// What is summed: rows of `width` reals.
#[derive(Clone, Copy)]
struct Sums<'a, R> {
    low: isize,
    re: &'a [R],
    im: &'a [R],
    from: Window,
    to: Window,
    width: usize,
}

impl<R> Sums<'_, R> {
    /// The rows of `x` that are present and that row `p` of `y` reads, counted from the first that
    /// is present, and the coefficient of a row 0, whether there is one or not.
    fn reading(&self, p: usize) -> (usize, usize, isize) {
        let first = (self.to.start + p) as isize + self.low - self.from.start as isize;
        let end = (first + self.re.len() as isize).clamp(0, self.from.len as isize);
        (first.max(0) as usize, end as usize, -first)
    }
}

versions! {
    /// All rows; each has a register's reals at least.
    fn rows {R: Real, const P: usize} {R, P}
    (sums: Sums<'_, R>, x: &[R], y: &mut [R], set: bool) {
        let wide = V::LANES * size_of::<R>() == 64;
        // SAFETY: `x` and `y` are planes of `sums`. The machine is the caller's care.
        unsafe {
            match (wide, P) {
                (true, 1) => blocks::<V, R, 8, 3, P>(sums, x, y, set),
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
unsafe fn tile<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
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
unsafe fn load<V: Vector<R>, R: Real, const C: usize>(x: *const R) -> [V; C] {
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
unsafe fn add<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
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
unsafe fn whole<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
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
unsafe fn put<V: Vector<R>, R: Real, const N: usize, const C: usize>(
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
fn partly<R: Real>(sum: &[R], y: &mut [R], set: bool) {
    for (y, &sum) in y.iter_mut().zip(sum) {
        *y = if set { sum } else { *y + sum };
    }
}

versions! {
    /// All rows as one line, from one that has all that it reads.
    fn line {R: Real, const P: usize} {R, P}
    (sums: Sums<'_, R>, x: &[R], y: &mut [R], set: bool) {
        // SAFETY: `x` has the rows of `y` and those that they read, and a register more. The
        // machine is the caller's care.
        unsafe {
            let mut at = 0;
            while at + 8 / P * V::LANES <= y.len() {
                at += if P == 1 {
                    stretch::<V, R, 8, P>(sums, &x[at..], &mut y[at..], set)
                } else {
                    stretch::<V, R, 4, P>(sums, &x[at..], &mut y[at..], set)
                };
            }
            while at < y.len() {
                at += stretch::<V, R, 1, P>(sums, &x[at..], &mut y[at..], set);
            }
        }
    }
}

/// `C` registers of a line, or what there is of one; how many reals.
///
/// # Safety
/// As in [`line`].
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn stretch<V: Vector<R>, R: Real, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    x: &[R],
    y: &mut [R],
    set: bool,
) -> usize {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sum = [[[V::splat(R::ZERO); C]; 1]; P];
        for tap in 0..sums.re.len() {
            let row = load::<V, R, C>(x.as_ptr().add(tap * sums.width));
            add::<V, R, 1, C, P>(sums, &mut sum, 0, &row, tap);
        }
        let sum = whole::<V, R, 1, C, P>(sum);
        if C * V::LANES <= y.len() {
            put::<V, R, 1, C>(sum, 0, y.as_mut_ptr(), set);
            return C * V::LANES;
        }
        let mut kept = [R::ZERO; WIDEST];
        sum[0][0].store(kept.as_mut_ptr());
        partly(&kept, y, set);
        y.len()
    }
}
