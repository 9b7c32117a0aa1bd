//! Rows of a dense matrix times a vector, and the adjoint, in registers.
//!
//! A row is summed alike whatever rows are computed with it, and a column of the adjoint adds one row
//! after the other, or sums of eight complex ones, counted from the first; so bits depend on the
//! matrix and the vector only.
//!
//! A machine finds out by itself what is read next, but late where a group of rows is as many
//! streams, each of which begins anew in every page; so a group asks for its next rows. Where a
//! panel is applied with its adjoint, memory would rest while the panel is read again. There each of
//! the two asks for one half of the next panel, line by line in their order and at an even pace.

use crate::host::simd::versions;
use crate::host::vectors::{Vector, prefetch};
use crate::host::{Acc, Real, Scalar, reals, reals_mut};
use std::array::from_fn;

/// What a product asks for while it reads some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing.
    Nothing,
    /// For each real the one that lies so many after it; rows that are taken one by one are foreseen
    /// without that.
    Near(usize),
    /// For half as many reals as there are, the first of which lies so many after that of the first
    /// row.
    Half(usize),
}

/// The cases of [`Ask`] as they are compiled.
const NOTHING: u8 = 0;
const NEAR: u8 = 1;
const HALF: u8 = 2;

/// Rows of a matrix; reals are counted.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, R> {
    pub data: &'a [R],
    pub count: usize,
    /// Of a row.
    pub reals: usize,
    /// Between the starts of two rows.
    pub stride: usize,
    /// Whether elements are those of the complex conjugate.
    pub conj: bool,
    /// What is to be asked for.
    pub ask: Ask,
}

/// `y (+)= A x`.
pub(super) fn forward<S: Scalar>(a: Rows<'_, S::Real>, x: &[S], y: &mut [S], acc: Acc) {
    let set = acc == Acc::Set;
    if S::COMPLEX {
        complex_forward(a, reals(x), reals_mut(y), set);
    } else {
        real_forward(a, reals(x), reals_mut(y), set);
    }
}

/// `z += Aᴴ y`.
pub(super) fn adjoint<S: Scalar>(a: Rows<'_, S::Real>, y: &[S], z: &mut [S]) {
    if S::COMPLEX {
        complex_adjoint(a, reals(y), reals_mut(z));
    } else {
        real_adjoint(a, reals(y), reals_mut(z));
    }
}

impl<R: Real> Rows<'_, R> {
    /// Checks that the data hold the rows, `long` is as long as one and `short` has `parts` reals
    /// for each.
    fn check(&self, long: usize, short: usize, parts: usize) {
        assert_eq!((long, short), (self.reals, self.count * parts), "vectors fit the matrix");
        let end = (self.count.max(1) - 1) * self.stride + self.reals;
        assert!(self.count == 0 || end <= self.data.len(), "the data hold the matrix");
    }

    /// How many rows a product takes together at most, or an adjoint of reals, where a column adds
    /// one row after the other anyway: short ones from memory come one by one, so that it is read in
    /// its order.
    fn together(&self) -> usize {
        const PAGE: usize = 4096;
        let short = self.ask != Ask::Nothing && self.reals * size_of::<R>() < PAGE;
        if short { 1 } else { usize::MAX }
    }

    /// Where some rows from `i` on start.
    fn starts<const ROWS: usize>(&self, i: usize) -> [*const R; ROWS] {
        from_fn(|r| self.data[(i + r) * self.stride..].as_ptr())
    }

    /// The first real that a group of rows from `i` on asks for.
    fn asked(&self, i: usize) -> *const R {
        let (start, row) = (self.data.as_ptr(), i * self.stride);
        match self.ask {
            Ask::Nothing => start,
            Ask::Near(near) => start.wrapping_add(row + near),
            Ask::Half(far) => start.wrapping_add(row / 2 + far),
        }
    }
}

/// Asks for what belongs to a register of each of some rows that are `stride` reals apart, `at`
/// reals after their start.
#[allow(clippy::inline_always)] // It is part of a loop.
#[inline(always)]
fn ask<R: Real, V: Vector<R>, const ROWS: usize, const ASK: u8>(
    asked: *const R,
    stride: usize,
    at: usize,
) {
    if ASK == NEAR && ROWS > 1 {
        for r in 0..ROWS {
            prefetch(asked.wrapping_add(r * stride + at));
        }
    } else if ASK == HALF {
        for line in 0..ROWS.div_ceil(2) {
            prefetch(asked.wrapping_add(at * ROWS / 2 + line * V::LANES));
        }
    }
}

/// All rows, as many at a time as there is a kernel for, which is the last one for whatever is left.
macro_rules! groups {
    ($rows:expr, $most:expr, $kernel:ident, [$($count:literal)*], ($($arg:ident),*)) => {{
        let mut i = 0;
        while i < $rows.count {
            let left = $most.min($rows.count - i);
            i += match $rows.ask {
                Ask::Nothing => groups!(left, $kernel, NOTHING, [$($count)*], i, ($($arg),*)),
                Ask::Near(_) => groups!(left, $kernel, NEAR, [$($count)*], i, ($($arg),*)),
                Ask::Half(_) => groups!(left, $kernel, HALF, [$($count)*], i, ($($arg),*)),
            };
        }
    }};
    ($left:ident, $kernel:ident, $ask:ident, [$one:literal], $i:ident, ($($arg:ident),*)) => {
        $kernel::<R, V, $one, $ask>($i, $($arg),*)
    };
    ($left:ident, $kernel:ident, $ask:ident, [$count:literal $($less:literal)*], $i:ident,
     ($($arg:ident),*)) => {
        if $left >= $count {
            $kernel::<R, V, $count, $ask>($i, $($arg),*)
        } else {
            groups!($left, $kernel, $ask, [$($less)*], $i, ($($arg),*))
        }
    };
}

versions! {
    fn real_forward {R: Real} {R} (a: Rows<'_, R>, x: &[R], y: &mut [R], set: bool) {
        a.check(x.len(), y.len(), 1);
        // SAFETY: `check` has found the rows and the vectors; the machine is the caller's care.
        unsafe { groups!(a, a.together(), real_dots, [8 4 1], (a, x, y, set)) }
    }
}

/// So many rows from `i` on.
///
/// # Safety
/// The vectors and the data hold them, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // Its instructions are those of the caller.
#[inline(always)]
unsafe fn real_dots<R: Real, V: Vector<R>, const ROWS: usize, const ASK: u8>(
    i: usize,
    a: Rows<'_, R>,
    x: &[R],
    y: &mut [R],
    set: bool,
) -> usize {
    let (rows, asked, x) = (a.starts::<ROWS>(i), a.asked(i), x.as_ptr());
    // SAFETY: Loads end at the last real of a row at most; the rest is the caller's care.
    unsafe {
        let mut sums = [V::splat(R::ZERO); ROWS];
        let mut at = 0;
        while at + V::LANES <= a.reals {
            let v = V::load(x.add(at));
            for r in 0..ROWS {
                sums[r] = V::load(rows[r].add(at)).fused(v, sums[r]);
            }
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
            at += V::LANES;
        }
        if at < a.reals {
            let some = (1 << (a.reals - at)) - 1;
            let v = V::load_where(some, x.add(at));
            for r in 0..ROWS {
                sums[r] = V::load_where(some, rows[r].add(at)).fused(v, sums[r]);
            }
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
        }
        for (y, sum) in y[i..i + ROWS].iter_mut().zip(sums) {
            let [even, odd] = sum.halves();
            *y = if set { even + odd } else { *y + (even + odd) };
        }
    }
    ROWS
}

versions! {
    fn complex_forward {R: Real} {R} (a: Rows<'_, R>, x: &[R], y: &mut [R], set: bool) {
        a.check(x.len(), y.len(), 2);
        // SAFETY: `check` has found the rows and the vectors; the machine is the caller's care.
        unsafe {
            // Each row has two sums; as many registers as eight rows need come with 512 bits.
            let most = if size_of::<V>() == 64 { 8 } else { 4 };
            groups!(a, a.together().min(most), complex_dots, [8 4 2 1], (a, x, y, set));
        }
    }
}

/// So many rows of pairs from `i` on.
///
/// # Safety
/// As for [`real_dots`].
#[allow(clippy::inline_always)] // Its instructions are those of the caller.
#[inline(always)]
unsafe fn complex_dots<R: Real, V: Vector<R>, const ROWS: usize, const ASK: u8>(
    i: usize,
    a: Rows<'_, R>,
    x: &[R],
    y: &mut [R],
    set: bool,
) -> usize {
    let (rows, asked, x) = (a.starts::<ROWS>(i), a.asked(i), x.as_ptr());
    // SAFETY: As for `real_dots`.
    unsafe {
        // Products of parts with the same parts of `x`, and with the other ones.
        let mut straight = [V::splat(R::ZERO); ROWS];
        let mut crossed = straight;
        let mut at = 0;
        while at + V::LANES <= a.reals {
            let v = V::load(x.add(at));
            let w = v.swapped();
            for r in 0..ROWS {
                let row = V::load(rows[r].add(at));
                straight[r] = row.fused(v, straight[r]);
                crossed[r] = row.fused(w, crossed[r]);
            }
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
            at += V::LANES;
        }
        if at < a.reals {
            let some = (1 << (a.reals - at)) - 1;
            let v = V::load_where(some, x.add(at));
            let w = v.swapped();
            for r in 0..ROWS {
                let row = V::load_where(some, rows[r].add(at));
                straight[r] = row.fused(v, straight[r]);
                crossed[r] = row.fused(w, crossed[r]);
            }
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
        }
        for (r, y) in y[2 * i..2 * (i + ROWS)].as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let ([rr, ii], [ri, ir]) = (straight[r].halves(), crossed[r].halves());
            let [re, im] = if a.conj { [rr + ii, ri - ir] } else { [rr - ii, ri + ir] };
            *y = if set { [re, im] } else { [y[0] + re, y[1] + im] };
        }
    }
    ROWS
}

versions! {
    fn real_adjoint {R: Real} {R} (a: Rows<'_, R>, y: &[R], z: &mut [R]) {
        a.check(z.len(), y.len(), 1);
        // SAFETY: `check` has found the rows and the vectors; the machine is the caller's care.
        unsafe { groups!(a, a.together(), real_sums, [8 4 2 1], (a, y, z)) }
    }
}

/// Adds so many rows from `i` on.
///
/// # Safety
/// As for [`real_dots`].
#[allow(clippy::inline_always)] // Its instructions are those of the caller.
#[inline(always)]
unsafe fn real_sums<R: Real, V: Vector<R>, const ROWS: usize, const ASK: u8>(
    i: usize,
    a: Rows<'_, R>,
    y: &[R],
    z: &mut [R],
) -> usize {
    let (rows, asked, z) = (a.starts::<ROWS>(i), a.asked(i), z.as_mut_ptr());
    // SAFETY: As for `real_dots`.
    unsafe {
        let mut factors = [V::splat(R::ZERO); ROWS];
        for (factor, &y) in factors.iter_mut().zip(&y[i..i + ROWS]) {
            *factor = V::splat(y);
        }
        let mut at = 0;
        while at + V::LANES <= a.reals {
            let mut sum = V::load(z.add(at));
            for r in 0..ROWS {
                sum = V::load(rows[r].add(at)).fused(factors[r], sum);
            }
            sum.store(z.add(at));
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
            at += V::LANES;
        }
        if at < a.reals {
            let some = (1 << (a.reals - at)) - 1;
            let mut sum = V::load_where(some, z.add(at));
            for r in 0..ROWS {
                sum = V::load_where(some, rows[r].add(at)).fused(factors[r], sum);
            }
            sum.store_where(some, z.add(at));
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
        }
    }
    ROWS
}

versions! {
    fn complex_adjoint {R: Real} {R} (a: Rows<'_, R>, y: &[R], z: &mut [R]) {
        a.check(z.len(), y.len(), 2);
        // SAFETY: `check` has found the rows and the vectors; the machine is the caller's care.
        unsafe { groups!(a, usize::MAX, complex_sums, [8 4 2 1], (a, y, z)) }
    }
}

/// Adds so many rows of pairs from `i` on.
///
/// # Safety
/// As for [`real_dots`].
#[allow(clippy::inline_always)] // Its instructions are those of the caller.
#[inline(always)]
unsafe fn complex_sums<R: Real, V: Vector<R>, const ROWS: usize, const ASK: u8>(
    i: usize,
    a: Rows<'_, R>,
    y: &[R],
    z: &mut [R],
) -> usize {
    let (rows, asked, z) = (a.starts::<ROWS>(i), a.asked(i), z.as_mut_ptr());
    let one = R::ONE;
    // SAFETY: As for `real_dots`.
    unsafe {
        let (mut re, mut im) = ([V::splat(R::ZERO); ROWS], [V::splat(R::ZERO); ROWS]);
        for (r, y) in y[2 * i..2 * (i + ROWS)].as_chunks::<2>().0.iter().enumerate() {
            (re[r], im[r]) = (V::splat(y[0]), V::splat(y[1]));
        }
        // What the sums of products with real and with imaginary parts of `y` are to `z`.
        let straight = V::pair(one, if a.conj { one } else { -one });
        let crossed = V::pair(if a.conj { -one } else { one }, one);
        let ended =
            |z: V, [own, other]: [V; 2]| crossed.fused(other.swapped(), straight.fused(own, z));
        let mut at = 0;
        while at + V::LANES <= a.reals {
            let first = V::load(rows[0].add(at));
            let mut sums = [first.times(re[0]), first.times(im[0])];
            for r in 1..ROWS {
                let row = V::load(rows[r].add(at));
                sums = [row.fused(re[r], sums[0]), row.fused(im[r], sums[1])];
            }
            ended(V::load(z.add(at)), sums).store(z.add(at));
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
            at += V::LANES;
        }
        if at < a.reals {
            let some = (1 << (a.reals - at)) - 1;
            let mut sums = [V::splat(R::ZERO); 2];
            for r in 0..ROWS {
                let row = V::load_where(some, rows[r].add(at));
                sums = [row.fused(re[r], sums[0]), row.fused(im[r], sums[1])];
            }
            ended(V::load_where(some, z.add(at)), sums).store_where(some, z.add(at));
            ask::<R, V, ROWS, ASK>(asked, a.stride, at);
        }
    }
    ROWS
}
