//! Sums of columns that have been packed: rows of a cache line each, one after the other.
//!
//! Rows of an array may lie so far apart that they all want the same places of a cache; in a block
//! the rows that an element reads are neighbours.
//! While a block is summed, what the next one will be made of is asked for.

use super::super::super::Real;
use super::super::super::simd::versions;
use super::super::super::turn::{self, Target};
use super::super::super::vectors::{Vector, prefetch};
use super::tiles::{partly, put, tile};
use super::{LINE, Sums, WIDEST};
use std::ops::Range;

versions! {
    /// All rows, a cache line of columns after the other; rows have as many at least.
    pub(super) fn columns {R: Real, const P: usize} {R, P}
    (sums: Sums<'_, R>, x: &[R], y: &mut [R], block: &mut [R], set: bool) {
        // SAFETY: `x` and `y` are planes of `sums`, and the block has room for the rows of `x`.
        // The machine is the caller's care.
        unsafe {
            if V::LANES * size_of::<R>() == LINE {
                in_blocks::<V, R, 8, 1, P>(sums, x, y, block, set);
            } else {
                in_blocks::<V, R, 4, 2, P>(sums, x, y, block, set);
            }
        }
    }
}

versions! {
    /// As many lines as a cache line has elements; the block has room for both sides of them.
    pub(super) fn lines {R: Real, const P: usize} {R, P}
    (sums: Sums<'_, R>, x: &[R], y: &mut [R], block: &mut [R], set: bool) {
        // SAFETY: `x` and `y` are such lines, whose rows have an element. The machine is the
        // caller's care.
        unsafe {
            if V::LANES * size_of::<R>() == LINE {
                turned::<V, R, 8, 1, P>(sums, x, y, block, set);
            } else {
                turned::<V, R, 4, 2, P>(sums, x, y, block, set);
            }
        }
    }
}

/// [`columns`] in tiles of `N` rows and `C` registers, which are a row of a block.
///
/// # Safety
/// `x` and `y` are planes of `sums`, the block has room for the rows of `x`, and the machine has
/// the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn in_blocks<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    x: &[R],
    y: &mut [R],
    block: &mut [R],
    set: bool,
) {
    let Sums { width, to, .. } = sums;
    if to.len == 0 {
        return;
    }
    let row = C * V::LANES;
    let packed = Sums { width: row, ..sums };
    let rows = sums.reading(0).0..sums.reading(to.len - 1).1;
    let mut at = 0;
    while at < width {
        // The last columns may overlap those before, of which nothing is written.
        let first = at.min(width - row);
        let next = (first + row).min(width - row);
        // SAFETY: rows of both sides have `width` reals, and the block has every row of `x`.
        unsafe {
            for q in rows.clone() {
                let own = &mut block[q * row..][..row];
                for k in (0..row).step_by(V::LANES) {
                    V::load(x.as_ptr().add(q * width + first + k)).store(own.as_mut_ptr().add(k));
                }
            }
            let mut p = 0;
            while p < to.len {
                let n = if p + N <= to.len { N } else { 1 };
                for r in p..p + n {
                    prefetch(x.as_ptr().wrapping_add((rows.start + r) * width + next));
                    prefetch(y.as_ptr().wrapping_add(r * width + next));
                }
                let out = &mut y[p * width + first..];
                if n == N {
                    let sum = tile::<V, R, N, C, P>(packed, p, block.as_ptr());
                    put_from::<V, R, N, C>(sum, width, out, at - first, set);
                } else {
                    let sum = tile::<V, R, 1, C, P>(packed, p, block.as_ptr());
                    put_from::<V, R, 1, C>(sum, width, out, at - first, set);
                }
                p += n;
            }
        }
        at = first + row;
    }
}

/// Writes the sums of a tile without so many of its first columns.
///
/// # Safety
/// There is room for them at `y`, and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn put_from<V: Vector<R>, R: Real, const N: usize, const C: usize>(
    sum: [[V; C]; N],
    width: usize,
    y: &mut [R],
    skip: usize,
    set: bool,
) {
    // SAFETY: the caller's contract.
    unsafe {
        if skip == 0 {
            return put::<V, R, N, C>(sum, width, y.as_mut_ptr(), set);
        }
        let mut kept = [R::ZERO; WIDEST];
        for (r, sum) in sum.into_iter().enumerate() {
            for (k, sum) in sum.into_iter().enumerate() {
                sum.store(kept.as_mut_ptr().add(k * V::LANES));
            }
            let row = C * V::LANES;
            partly(&kept[skip..row], &mut y[r * width + skip..r * width + row], set);
        }
    }
}

/// [`lines`] in tiles of `N` rows and `C` registers, which are a row of a block.
///
/// # Safety
/// As there, and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // It is compiled for several instruction sets.
unsafe fn turned<V: Vector<R>, R: Real, const N: usize, const C: usize, const P: usize>(
    sums: Sums<'_, R>,
    x: &[R],
    y: &mut [R],
    block: &mut [R],
    set: bool,
) {
    let (from, to) = (sums.from.len, sums.to.len);
    let (row, bytes) = (C * V::LANES, P * size_of::<R>());
    let side = LINE / bytes;
    let packed = Sums { width: row, ..sums };
    let (block, out) = block.split_at_mut(from * row);
    assert!(x.len() == side * from * P && y.len() == side * to * P && out.len() >= to * row);
    // SAFETY: these are the lengths of all that is read and written.
    unsafe {
        for (i, _) in starts(from, side) {
            let samples = (x.as_ptr().add(i * P).cast(), (from * bytes) as isize);
            let rows = Target::new(block.as_mut_ptr().add(i * row).cast(), LINE as isize);
            turn::square(bytes, samples, rows);
        }
        let mut p = 0;
        while p < to {
            let n = if p + N <= to { N } else { 1 };
            ask(x.as_ptr().wrapping_add(x.len()), x.len(), p..p + n, to);
            ask(y.as_ptr(), y.len(), p..p + n, to);
            let sums = &mut out[p * row..];
            if n == N {
                let sum = tile::<V, R, N, C, P>(packed, p, block.as_ptr());
                put::<V, R, N, C>(sum, row, sums.as_mut_ptr(), true);
            } else {
                let sum = tile::<V, R, 1, C, P>(packed, p, block.as_ptr());
                put::<V, R, 1, C>(sum, row, sums.as_mut_ptr(), true);
            }
            p += n;
        }
        for (i, wanted) in starts(to, side) {
            let rows = (out.as_ptr().add(i * row).cast(), LINE as isize);
            if set {
                let samples = Target::new(y.as_mut_ptr().add(i * P).cast(), (to * bytes) as isize);
                turn::square(bytes, rows, samples);
                continue;
            }
            let mut own = [[R::ZERO; WIDEST]; WIDEST];
            turn::square(bytes, rows, Target::new(own.as_mut_ptr().cast(), LINE as isize));
            for (k, own) in own.as_flattened().chunks_exact(row).take(side).enumerate() {
                let y = &mut y[(k * to + wanted) * P..(k * to + i + side) * P];
                partly(&own[(wanted - i) * P..], y, false);
            }
        }
    }
}

/// Where blocks of so many samples begin, and from where on they are wanted; the last one may begin
/// before the one before it ends.
fn starts(n: usize, side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(side).map(move |first| (first.min(n - side), first))
}

/// Asks for some of `n` parts of an array.
fn ask<R>(array: *const R, len: usize, some: Range<usize>, n: usize) {
    let each = LINE / size_of::<R>();
    for at in (len * some.start / n..len * some.end / n).step_by(each) {
        prefetch(array.wrapping_add(at));
    }
}
