//! Columns of an array `[n, inner]`, gathered in blocks in which each is contiguous.

use crate::host::crew::Divided;
use crate::host::turn::{self, Target};
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

    /// [`Columns::gather`] of samples as they are, in square blocks.
    pub fn take<S: Scalar>(
        self,
        samples: Range<usize>,
        place: impl Fn(usize) -> usize,
        x: &[S],
        block: &mut [S],
    ) {
        let (bytes, apart) = (size_of::<S>(), apart::<S>(self.len));
        self.squares::<S>(samples.clone(), &place, |first, turned, some| {
            if turned > 0 {
                self.ask(some.start, samples.end, &place, x.as_ptr());
            }
            for (t, c) in places::<S>(&some, turned) {
                let (from, to) = (first + (t - some.start) * self.inner + c, c * apart + t);
                let last = from + (side::<S>() - 1) * (self.inner + 1);
                assert!(last < x.len() && to + (side::<S>() - 1) * (apart + 1) < block.len());
                let from = (x[from..].as_ptr().cast(), (self.inner * bytes) as isize);
                let to = Target::new(block[to..].as_mut_ptr().cast(), (apart * bytes) as isize);
                // SAFETY: both sides have the rows of the block, up to their last elements.
                unsafe { turn::square(bytes, from, to) };
            }
            let rest = self.without(turned);
            rest.gather(some, &place, x, &mut block[turned * apart..], |_, v| v);
        });
    }

    /// [`Columns::scatter`] of samples as they are, in square blocks; past the caches if that is
    /// asked for, and then [`past::end`](crate::host::past) comes after it.
    ///
    /// # Safety
    /// Nobody else reads or writes these columns of the plane.
    pub unsafe fn give<S: Scalar>(
        self,
        samples: Range<usize>,
        place: impl Fn(usize) -> usize,
        block: &[S],
        y: Plane<'_, S>,
        past: bool,
    ) {
        let (bytes, apart) = (size_of::<S>(), apart::<S>(self.len));
        self.squares::<S>(samples.clone(), &place, |first, turned, some| {
            if turned > 0 && !past {
                self.ask(some.start, samples.end, &place, y.array.place(y.start));
            }
            for (t, c) in places::<S>(&some, turned) {
                let (from, to) =
                    (c * apart + t, y.start + first + (t - some.start) * self.inner + c);
                assert!(y.array.has(to + (side::<S>() - 1) * (self.inner + 1) + 1));
                assert!(from + (side::<S>() - 1) * (apart + 1) < block.len());
                let from = (block[from..].as_ptr().cast(), (apart * bytes) as isize);
                let to = y.array.place(to).cast_mut().cast();
                let to = Target::new(to, (self.inner * bytes) as isize).past_caches(past);
                // SAFETY: both sides have the rows of the block, up to their last elements, and
                // nobody else has them, which is the caller's duty.
                unsafe { turn::square(bytes, from, to) };
            }
            let rest = self.without(turned);
            // SAFETY: the caller's duty.
            unsafe {
                rest.scatter(some, &place, &block[turned * apart..], (y, Acc::Set), |_, v| v);
            }
        });
    }

    /// Some samples after the others, with the place of the first in row order and how many columns
    /// are made of whole square blocks.
    fn squares<S>(
        self,
        samples: Range<usize>,
        place: impl Fn(usize) -> usize,
        mut body: impl FnMut(usize, usize, Range<usize>),
    ) {
        let step = ROWS.max(side::<S>());
        for t in samples.clone().step_by(step) {
            let some = t..samples.end.min(t + step);
            let even = some.len() == step && place(t) + step - 1 == place(t + step - 1);
            let turned = if even { self.width - self.width % side::<S>() } else { 0 };
            body(place(t) * self.inner + self.start, turned, some);
        }
    }

    /// All but the first columns.
    fn without(self, columns: usize) -> Columns {
        Columns { start: self.start + columns, width: self.width - columns, ..self }
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

/// The elements along a side of a square block.
fn side<S>() -> usize {
    turn::side(size_of::<S>()).expect("elements of 4, 8 or 16 bytes")
}

/// The samples and columns at which square blocks begin.
fn places<S>(some: &Range<usize>, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let samples = some.clone();
    let places = (0..columns).step_by(side::<S>());
    places.flat_map(move |c| samples.clone().step_by(side::<S>()).map(move |t| (t, c)))
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

    /// [`Shifted::load`] of samples as they are.
    pub fn take<S: Scalar>(self, at: Columns, x: &[S], block: &mut [S]) {
        let kept = at.len.min(self.n);
        at.take(0..kept, |t| self.place(t), x, block);
        at.each_mut(block).for_each(|column| column[kept..].fill(S::ZERO));
    }

    /// Replaces the columns of a plane by those of `block`, the inverse of [`Shifted::take`]; past
    /// the caches if that is asked for.
    ///
    /// # Safety
    /// As for [`Shifted::store`].
    pub unsafe fn give<S: Scalar>(self, at: Columns, block: &[S], y: Plane<'_, S>, past: bool) {
        let kept = at.len.min(self.n);
        // SAFETY: the caller's duty.
        unsafe {
            at.give(0..kept, |t| self.place(t), block, y, past);
            for t in kept..self.n {
                y.part(self.place(t) * at.inner + at.start, at.width).fill(S::ZERO);
            }
        }
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

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::past;
    use crate::host::testing::values;

    /// Square blocks in both directions, written into the caches and past them.
    pub fn blocks_move_what_is_moved_one_by_one<S: Scalar>() {
        for (n, len, inner) in [(40, 40, 48), (37, 50, 21), (64, 33, 64), (5, 5, 3)] {
            for (shifted, width) in [(false, 16), (true, 16), (true, 3)] {
                let (axis, width) = (Shifted::new(n, shifted), width.min(inner));
                let at = Columns { inner, start: inner - width, width, len };
                let x: Vec<S> = values(1, n * inner);
                let mut blocks = [(); 2].map(|()| vec![S::ZERO; width * apart::<S>(len)]);
                axis.load(at, &x, &mut blocks[0], |_, v| v);
                axis.take(at, &x, &mut blocks[1]);
                assert_eq!(blocks[0], blocks[1]);
                let mut all = [(); 3].map(|()| values::<S>(2, 4 + n * inner));
                for (k, y) in all.iter_mut().enumerate() {
                    let plane = Plane { array: &Divided::new(y), start: 4 };
                    // SAFETY: nobody else has the array.
                    unsafe {
                        match k {
                            0 => axis.store(at, &blocks[0], (plane, Acc::Set), |_, v| v),
                            _ => axis.give(at, &blocks[0], plane, k == 2),
                        }
                    }
                    past::end();
                }
                assert!(all[1] == all[0] && all[2] == all[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(blocks_move_what_is_moved_one_by_one);
}
