//! Columns of an array `[n, inner]`, gathered in blocks in which each is contiguous.

use crate::host::crew::Divided;
use crate::host::vectors::prefetch;
use crate::host::{Acc, Scalar};
use std::ops::Range;

/// Columns that are transformed together, so that a cache line is used as a whole.
pub fn block_width(nfft: usize) -> usize {
    if nfft <= 1 << 16 { 16 } else { 4 }
}

/// The bytes of a cache line.
const LINE: usize = 64;

/// How far apart the columns of a block lie: an odd number of cache lines, so that samples of one
/// time do not all want the same place in a cache.
pub fn apart<S>(len: usize) -> usize {
    let lines = (len * size_of::<S>()).div_ceil(LINE) | 1;
    lines * LINE / size_of::<S>()
}

/// Some columns of an array `[n, inner]`, in a block each of so many samples.
#[derive(Clone, Copy)]
pub struct Columns {
    /// The elements of a row.
    pub inner: usize,
    /// The first column.
    pub start: usize,
    /// How many columns.
    pub width: usize,
    /// The samples of a column in the block.
    pub len: usize,
}

/// Samples that are moved between rows and columns together: whole cache lines of columns.
const ROWS: usize = 8;

impl Columns {
    /// The columns of a block.
    pub fn each_mut<S>(self, block: &mut [S]) -> impl Iterator<Item = &mut [S]> {
        let columns = block.chunks_exact_mut(apart::<S>(self.len)).take(self.width);
        columns.map(move |column| &mut column[..self.len])
    }

    /// Puts `f` of row `place(t)` of `x` to sample `t` of the block, for some samples.
    pub fn gather<S: Scalar>(
        self,
        samples: Range<usize>,
        place: impl Fn(usize) -> usize,
        x: &[S],
        block: &mut [S],
        f: impl Fn(usize, S) -> S,
    ) {
        let apart = apart::<S>(self.len);
        for t in samples.clone().step_by(ROWS) {
            let count = ROWS.min(samples.end - t);
            let rows = self.rows(t, count, &place);
            self.ask(t, samples.end, &place, x.as_ptr());
            for c in 0..self.width {
                let column = &mut block[c * apart + t..][..count];
                for (k, (slot, row)) in column.iter_mut().zip(rows).enumerate() {
                    *slot = f(t + k, x[row + c]);
                }
            }
        }
    }

    /// Writes `f` of sample `t` of the block to row `place(t)` of the plane, for some samples.
    ///
    /// # Safety
    /// Nobody else reads or writes these columns of the plane.
    pub unsafe fn scatter<S: Scalar>(
        self,
        samples: Range<usize>,
        place: impl Fn(usize) -> usize,
        block: &[S],
        (y, acc): (Plane<'_, S>, Acc),
        f: impl Fn(usize, S) -> S,
    ) {
        let apart = apart::<S>(self.len);
        for t in samples.clone().step_by(ROWS) {
            let count = ROWS.min(samples.end - t);
            let rows = self.rows(t, count, &place);
            self.ask(t, samples.end, &place, y.array.place(y.start));
            for (k, row) in rows[..count].iter().enumerate() {
                // SAFETY: the caller's duty.
                let y = unsafe { y.part(*row, self.width) };
                for (c, y) in y.iter_mut().enumerate() {
                    acc.put(y, f(t + k, block[c * apart + t + k]));
                }
            }
        }
    }

    /// Where so many samples from `t` on lie.
    fn rows(self, t: usize, count: usize, place: impl Fn(usize) -> usize) -> [usize; ROWS] {
        let mut rows = [0; ROWS];
        for (k, row) in rows[..count].iter_mut().enumerate() {
            *row = place(t + k) * self.inner + self.start;
        }
        rows
    }

    /// Asks for the rows that come some time after sample `t`, of which a processor cannot know.
    fn ask<S>(self, t: usize, end: usize, place: impl Fn(usize) -> usize, array: *const S) {
        /// How much later.
        const LATER: usize = 3 * ROWS;
        if self.inner == self.width {
            return;
        }
        for t in (t + LATER..end).take(ROWS) {
            let row = array.wrapping_add(place(t) * self.inner + self.start);
            for byte in (0..self.width * size_of::<S>()).step_by(LINE) {
                prefetch(row.wrapping_byte_add(byte));
            }
        }
    }
}

/// A plane of an array of which several hands write columns.
#[derive(Clone, Copy)]
pub struct Plane<'a, S> {
    /// The array.
    pub array: &'a Divided<'a, S>,
    /// The first element of the plane.
    pub start: usize,
}

impl<'a, S> Plane<'a, S> {
    /// So many elements from this one on.
    ///
    /// # Safety
    /// Nobody else reads or writes them.
    unsafe fn part(self, at: usize, len: usize) -> &'a mut [S] {
        let at = self.start + at;
        // SAFETY: the caller's duty.
        unsafe { self.array.part(at..at + len) }
    }
}

/// An axis of `n` samples whose sample `t` lies at `(t + shift) mod n`.
#[derive(Clone, Copy)]
pub struct Shifted {
    /// The samples.
    pub n: usize,
    shift: usize,
}

impl Shifted {
    /// The axis, with its middle sample first if it is shifted.
    pub fn new(n: usize, shifted: bool) -> Shifted {
        Shifted { n, shift: if shifted { n / 2 } else { 0 } }
    }

    /// Whether the axis is the buffer of a transform of `nfft` samples as it lies.
    pub fn is_plain(self, nfft: usize) -> bool {
        self.n == nfft && self.shift == 0
    }

    fn place(self, t: usize) -> usize {
        let at = t + self.shift;
        if at < self.n { at } else { at - self.n }
    }

    /// Fills the columns of `block` with samples of `x`, cut or padded with zeros.
    pub fn load<S: Scalar>(self, at: Columns, x: &[S], block: &mut [S], f: impl Fn(usize, S) -> S) {
        let kept = at.len.min(self.n);
        at.gather(0..kept, |t| self.place(t), x, block, f);
        at.each_mut(block).for_each(|column| column[kept..].fill(S::ZERO));
    }

    /// Writes the columns of `block` to a plane, the inverse of [`Shifted::load`].
    ///
    /// # Safety
    /// Nobody else reads or writes these columns of the plane.
    pub unsafe fn store<S: Scalar>(
        self,
        at: Columns,
        block: &[S],
        (y, acc): (Plane<'_, S>, Acc),
        f: impl Fn(usize, S) -> S,
    ) {
        let kept = at.len.min(self.n);
        // SAFETY: the caller's duty.
        unsafe {
            at.scatter(0..kept, |t| self.place(t), block, (y, acc), f);
            for t in kept..self.n {
                acc.prepare(y.part(self.place(t) * at.inner + at.start, at.width));
            }
        }
    }
}
