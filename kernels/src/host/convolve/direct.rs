//! Sums of neighbouring rows, `y[p] (+)= Σ c[t] x[p + low + t]`, with several rows and columns of
//! `y` in registers while the rows of `x` go by.
//!
//! Every element is the sum of its terms in the order of `t`, which is then set or added; so its
//! bits do not depend on windows or on what is computed with it.
//! A complex coefficient has two sums of reals, one for each of its parts.
//!
//! Many terms of an element are read from a block of columns, which have been packed into the
//! nearest cache; lines without an inner extent are turned into such columns, several at a time.

// Sums stay in registers if their indices are known.
#![allow(clippy::needless_range_loop)]

mod packed;
mod tiles;

use super::super::index::Window;
use super::super::simd::versions;
use super::super::vectors::Vector;
use super::super::{Acc, Real, Scalar, reals, reals_mut, turn};
use tiles::{add, load, partly, put, whole};

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

    /// Whether so many terms are worth a block of columns.
    fn are_many(&self) -> bool {
        const MANY: usize = 16;
        self.c.len() >= MANY
    }

    /// How many lines without an inner extent are turned together, if that is worth it.
    pub fn together(&self, from: Window, to: Window) -> Option<usize> {
        let side = turn::side(size_of::<S>())?;
        (self.are_many() && from.len.min(to.len) >= side).then_some(side)
    }

    /// One plane `[from.len, inner]` of `x` to one `[to.len, inner]` of `y`.
    ///
    /// `room` is what rows that are shorter than a register and blocks of columns need.
    pub fn plane(
        &self,
        inner: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        room: &mut Vec<S>,
        acc: Acc,
    ) {
        assert_eq!((x.len(), y.len()), (from.len * inner, to.len * inner), "whole planes");
        let set = acc == Acc::Set;
        let width = inner * S::PARTS;
        let sums = Sums { low: self.low, re: &self.re, im: &self.im, from, to, width };
        if width >= WIDEST {
            let many = self.are_many();
            if many {
                reserve(room, from.len * LINE);
            }
            let (x, y, room) = (reals(x), reals_mut(y), reals_mut(room));
            return match (S::COMPLEX, many) {
                (true, true) => packed::columns::<S::Real, 2>(sums, x, y, room, set),
                (true, false) => tiles::rows::<S::Real, 2>(sums, x, y, set),
                (false, true) => packed::columns::<S::Real, 1>(sums, x, y, room, set),
                (false, false) => tiles::rows::<S::Real, 1>(sums, x, y, set),
            };
        }
        self.pad(inner, (from, x), to, room);
        let (x, y) = (reals(room), reals_mut(y));
        if S::COMPLEX {
            line::<S::Real, 2>(sums, x, y, set);
        } else {
            line::<S::Real, 1>(sums, x, y, set);
        }
    }

    /// Lines `[from.len]` of `x` to lines `[to.len]` of `y`, as many as go [together](Taps::together).
    pub fn lines(
        &self,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        room: &mut Vec<S>,
        acc: Acc,
    ) {
        let side = self.together(from, to).expect("lines that go together");
        assert_eq!((x.len(), y.len()), (side * from.len, side * to.len), "whole lines");
        reserve(room, (from.len + to.len) * LINE);
        let width = S::PARTS;
        let sums = Sums { low: self.low, re: &self.re, im: &self.im, from, to, width };
        let (x, y, room) = (reals(x), reals_mut(y), reals_mut(room));
        if S::COMPLEX {
            packed::lines::<S::Real, 2>(sums, x, y, room, acc == Acc::Set);
        } else {
            packed::lines::<S::Real, 1>(sums, x, y, room, acc == Acc::Set);
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

/// Makes room for so many bytes.
fn reserve<S: Scalar>(room: &mut Vec<S>, bytes: usize) {
    let elements = bytes / size_of::<S>();
    if room.len() < elements {
        room.resize(elements, S::ZERO);
    }
}

/// The most reals of a register.
const WIDEST: usize = 16;

/// The bytes of a row of a block of columns.
const LINE: usize = 64;

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
