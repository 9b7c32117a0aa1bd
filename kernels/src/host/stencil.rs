//! A stencil along the middle axis of `[outer, n, inner]`: `y[i] (+)= Σ cₖ x[i + offsetₖ]`.
//!
//! The first and the last rows may have terms of their own, as boundaries do. Both sides are
//! windows of the axis: a window of `x` holds what a rank owns and the ghost rows that its rows of
//! `y` read. The adjoint, `z[i + offsetₖ] (+)= Σ cₖ y[i]`, sums what the rows of `y` in its window
//! contribute to the rows of `z` in theirs, ghosts included; contributions to rows that the window
//! of `z` lacks are left out.

use super::combine::real_terms;
use super::index::Window;
use super::{Acc, Real, Scalar, reals, reals_mut};
use std::array::from_fn;
use std::ops::Range;

/// A term of a row: the distance of the row that it reads, and its coefficient.
pub type Term<R> = (isize, R);

/// The rows of a banded matrix over an axis of `n` elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Stencil<R> {
    n: usize,
    interior: Vec<Term<R>>,
    head: Vec<Vec<Term<R>>>,
    tail: Vec<Vec<Term<R>>>,
    reach: (usize, usize),
}

impl<R: Real> Stencil<R> {
    /// The stencil with `head[r]` as row `r`, `tail[r]` as row `n - 1 - r`, and `interior` as the
    /// rows between; a row without terms gives zero.
    ///
    /// # Panics
    ///
    /// If head and tail overlap, or a term reads outside of the axis.
    pub fn new(
        n: usize,
        interior: Vec<Term<R>>,
        head: Vec<Vec<Term<R>>>,
        tail: Vec<Vec<Term<R>>>,
    ) -> Stencil<R> {
        assert!(head.len() + tail.len() <= n, "head and tail share no row");
        let mut stencil = Stencil { n, interior, head, tail, reach: (0, 0) };
        stencil.reach = stencil.farthest();
        for i in stencil.extremes(Window { start: 0, len: n }) {
            for &(offset, _) in stencil.row(i) {
                let inside = i.checked_add_signed(offset).is_some_and(|at| at < n);
                assert!(inside, "row {i} reads inside of the axis");
            }
        }
        stencil
    }

    /// The length of the axis.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The terms of row `i`.
    pub fn row(&self, i: usize) -> &[Term<R>] {
        let from_end = self.n - 1 - i;
        match (self.head.get(i), self.tail.get(from_end)) {
            (Some(row), _) | (None, Some(row)) => row,
            (None, None) => &self.interior,
        }
    }

    /// How far rows read towards the start and towards the end: the depths of ghosts that suffice
    /// for every partition of the axis.
    pub fn reach(&self) -> (usize, usize) {
        self.reach
    }

    fn farthest(&self) -> (usize, usize) {
        let middle = self.middle();
        let interior = if middle.is_empty() { &[][..] } else { &self.interior[..] };
        let ends = self.head.iter().chain(&self.tail).flatten();
        let offsets = || ends.clone().chain(interior).map(|term| term.0);
        let low = offsets().min().unwrap_or(0).min(0).unsigned_abs();
        let high = offsets().max().unwrap_or(0).max(0).unsigned_abs();
        (low, high)
    }

    /// The rows of `x` that the rows `y` read, as the shortest window; empty if they read none.
    pub fn reads(&self, y: Window) -> Window {
        let read = self.extremes(y).flat_map(|i| self.row(i).iter().map(move |t| shifted(i, t.0)));
        let bounds = read.fold(None, |bounds: Option<(usize, usize)>, at| match bounds {
            Some((low, high)) => Some((low.min(at), high.max(at))),
            None => Some((at, at)),
        });
        match bounds {
            Some((low, high)) => Window { start: low, len: high - low + 1 },
            None => Window { start: y.start, len: 0 },
        }
    }

    /// `y (+)= A x` for the rows of `y`'s window.
    ///
    /// # Panics
    ///
    /// If a row reads what the window of `x` lacks.
    pub fn apply<S: Scalar<Real = R>>(
        &self,
        inner: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        let reads = self.reads(to);
        let present = from.start <= reads.start && reads.end() <= from.end();
        assert!(reads.len == 0 || present, "the window of x holds what the rows of y read");
        let sizes = self.check::<S>(inner, from, x.len(), to, y.len());
        let Some(view) = sizes else { return acc.prepare(y) };
        let (from_size, to_size) = (from.len * view.inner, to.len * view.inner);
        let planes = reals(x).chunks_exact(from_size.max(1));
        for (x, y) in planes.zip(reals_mut(y).chunks_exact_mut(to_size)) {
            self.apply_plane(view, x, y, acc);
        }
    }

    /// `z (+)= Aᵀ y` from the rows of `y`'s window to those of `z`'s.
    pub fn adjoint<S: Scalar<Real = R>>(
        &self,
        inner: usize,
        (to, y): (Window, &[S]),
        (from, z): (Window, &mut [S]),
        acc: Acc,
    ) {
        let sizes = self.check::<S>(inner, from, z.len(), to, y.len());
        let Some(view) = sizes else { return acc.prepare(z) };
        let (from_size, to_size) = (from.len * view.inner, to.len * view.inner);
        let planes = reals(y).chunks_exact(to_size);
        for (y, z) in planes.zip(reals_mut(z).chunks_exact_mut(from_size.max(1))) {
            self.adjoint_plane(view, y, z, acc);
        }
    }

    /// The view of one outer index in reals; `None` if one of the sides has no element.
    fn check<S: Scalar>(
        &self,
        inner: usize,
        from: Window,
        x: usize,
        to: Window,
        y: usize,
    ) -> Option<View> {
        assert!(from.end() <= self.n && to.end() <= self.n, "windows of the axis");
        let (from_size, to_size) = (from.len * inner, to.len * inner);
        assert_eq!(x * to_size, y * from_size, "arrays with the same outer extent");
        assert!((from_size == 0 && x == 0) || x.is_multiple_of(from_size), "whole windows");
        assert!((to_size == 0 && y == 0) || y.is_multiple_of(to_size), "whole windows");
        (x > 0 && y > 0).then_some(View { inner: inner * S::PARTS, from, to })
    }

    fn apply_plane(&self, view: View, x: &[R], y: &mut [R], acc: Acc) {
        let View { inner, from, to } = view;
        for i in self.ends(to) {
            let out = &mut y[(i - to.start) * inner..][..inner];
            combine(self.row(i), 1, out, acc, |offset| {
                &x[(shifted(i, offset) - from.start) * inner..][..inner]
            });
        }
        let middle = overlap(&self.middle(), to);
        for (rows, columns) in tiles(middle, inner) {
            let out = &mut y[(rows.start - to.start) * inner + columns.start..]
                [..extent(&rows, &columns, inner)];
            combine(&self.interior, 1, out, acc, |offset| {
                &x[(shifted(rows.start, offset) - from.start) * inner + columns.start..]
            });
        }
    }

    fn adjoint_plane(&self, view: View, y: &[R], z: &mut [R], acc: Acc) {
        let View { inner, from, to } = view;
        let middle = overlap(&self.middle(), to);
        let full = overlap(&self.fully_reached(&middle), from);
        for (rows, columns) in tiles(full.clone(), inner) {
            let out = &mut z[(rows.start - from.start) * inner + columns.start..]
                [..extent(&rows, &columns, inner)];
            combine(&self.interior, -1, out, acc, |offset| {
                &y[(shifted(rows.start, offset) - to.start) * inner + columns.start..]
            });
        }
        for at in (from.start..full.start).chain(full.end..from.end()) {
            let out = &mut z[(at - from.start) * inner..][..inner];
            acc.prepare(out);
            for &(offset, c) in &self.interior {
                if let Some(i) = at.checked_add_signed(-offset).filter(|i| middle.contains(i)) {
                    real_terms([c], [&y[(i - to.start) * inner..]], out, false);
                }
            }
        }
        for i in self.ends(to) {
            let row = &y[(i - to.start) * inner..][..inner];
            for &(offset, c) in self.row(i) {
                if let Some(at) = from.local(shifted(i, offset)) {
                    real_terms([c], [row], &mut z[at * inner..][..inner], false);
                }
            }
        }
    }

    /// The rows that have the interior's terms.
    fn middle(&self) -> Range<usize> {
        self.head.len()..self.n - self.tail.len()
    }

    /// The rows of `window` that have terms of their own.
    fn ends(&self, window: Window) -> impl Iterator<Item = usize> + use<R> {
        let middle = self.middle();
        (window.start..window.end().min(middle.start))
            .chain(window.start.max(middle.end)..window.end())
    }

    /// Rows of `window` such that no other reads farther than all of these.
    fn extremes(&self, window: Window) -> impl Iterator<Item = usize> + use<R> {
        let middle = overlap(&self.middle(), window);
        let kept = [middle.start, middle.end.saturating_sub(1)];
        self.ends(window).chain(kept.into_iter().filter(move |i| middle.contains(i)))
    }

    /// The rows of `z` for which every interior term comes from a row in `middle`.
    fn fully_reached(&self, middle: &Range<usize>) -> Range<usize> {
        let offsets = || self.interior.iter().map(|term| term.0);
        let (Some(low), Some(high)) = (offsets().min(), offsets().max()) else { return 0..0 };
        let start = (middle.start as isize + high).max(0);
        let end = (middle.end as isize + low).max(start);
        start as usize..end as usize
    }
}

/// The windows of an apply, with the innermost extent in reals.
#[derive(Clone, Copy)]
struct View {
    inner: usize,
    from: Window,
    to: Window,
}

/// The rows that both have; where they have none, an empty range inside of the window.
fn overlap(rows: &Range<usize>, window: Window) -> Range<usize> {
    let start = rows.start.clamp(window.start, window.end());
    start..rows.end.clamp(start, window.end())
}

fn shifted(i: usize, offset: isize) -> usize {
    i.wrapping_add_signed(offset)
}

/// Parts of rows to be swept one after the other: all rows as one stretch if rows are short, else
/// blocks of columns row by row, so that a row stays in the cache until its last reading.
fn tiles(rows: Range<usize>, inner: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    /// Elements in a block of columns: long enough for whole pages to be fetched ahead.
    const COLUMNS: usize = 16_384;
    let whole = inner <= COLUMNS;
    let step = if whole { rows.len().max(1) } else { 1 };
    let columns = if whole { inner.max(1) } else { COLUMNS };
    (0..inner).step_by(columns).flat_map(move |start| {
        let columns = start..inner.min(start + columns);
        rows.clone().step_by(step).map(move |i| (i..i + step, columns.clone()))
    })
}

/// The elements that a tile spans.
fn extent(rows: &Range<usize>, columns: &Range<usize>, inner: usize) -> usize {
    (rows.len() - 1) * inner + columns.len()
}

/// `out (+)= Σ cₖ source(sign * offsetₖ)`.
fn combine<'a, R: Real>(
    terms: &[Term<R>],
    sign: isize,
    out: &mut [R],
    acc: Acc,
    source: impl Fn(isize) -> &'a [R],
) {
    if terms.is_empty() {
        return acc.prepare(out);
    }
    let mut set = acc == Acc::Set;
    for group in terms.chunks(5) {
        match group.len() {
            5 => several::<R, 5>(group, sign, out, set, &source),
            4 => several::<R, 4>(group, sign, out, set, &source),
            3 => several::<R, 3>(group, sign, out, set, &source),
            2 => several::<R, 2>(group, sign, out, set, &source),
            _ => several::<R, 1>(group, sign, out, set, &source),
        }
        set = false;
    }
}

fn several<'a, R: Real, const K: usize>(
    terms: &[Term<R>],
    sign: isize,
    out: &mut [R],
    set: bool,
    source: &impl Fn(isize) -> &'a [R],
) {
    let c: [R; K] = from_fn(|k| terms[k].1);
    let x: [&[R]; K] = from_fn(|k| source(sign * terms[k].0));
    real_terms(c, x, out, set);
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    /// Seven interior terms, rows of their own at both ends, one of them empty.
    fn example<R: Real>(n: usize) -> Stencil<R> {
        let c: Vec<R> = values(7, 16);
        let interior = (0..7).map(|k| (k as isize - 2, c[k])).collect();
        let head = vec![vec![(0, c[7]), (3, c[8])], vec![], vec![(-2, c[9])]];
        let tail = vec![vec![(-1, c[10])], vec![(1, c[11]), (-3, c[12])], vec![], vec![(3, c[13])]];
        Stencil::new(n, interior, head, tail)
    }

    fn dense<S: Scalar>(a: &Stencil<S::Real>) -> Vec<Vec<S>> {
        let mut rows = vec![vec![S::ZERO; a.n()]; a.n()];
        for (i, row) in rows.iter_mut().enumerate() {
            a.row(i).iter().for_each(|&(d, c)| row[shifted(i, d)] += S::ONE.mul_real(c));
        }
        rows
    }

    pub fn windows_match_the_matrix<S: Scalar>() {
        for (n, outer, inner) in [(7, 1, 1), (12, 2, 3), (9, 1, 0), (9, 0, 2), (31, 2, 1)] {
            let a = example::<S::Real>(n);
            let matrix = dense::<S>(&a);
            let middle = n / 2;
            for (start, end) in [(0, n), (0, 1), (1, middle), (middle, middle), (middle, n)] {
                let to = Window { start, len: end - start };
                let from = a.reads(to);
                let x: Vec<S> = values(1, outer * from.len * inner);
                let u: Vec<S> = values(2, outer * to.len * inner);
                let mut y: Vec<S> = values(3, u.len());
                let mut want = y.clone();
                for o in 0..outer {
                    for (i, j) in (0..to.len).flat_map(|i| (0..from.len).map(move |j| (i, j))) {
                        for c in 0..inner {
                            want[(o * to.len + i) * inner + c] += matrix[start + i][from.start + j]
                                * x[(o * from.len + j) * inner + c];
                        }
                    }
                }
                a.apply(inner, (from, &x), (to, &mut y), Acc::Add);
                assert_close(&y, &want);
                let mut z: Vec<S> = values(4, x.len());
                a.apply(inner, (from, &x), (to, &mut y), Acc::Set);
                a.adjoint(inner, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
                let mut sum: Vec<S> = values(5, x.len());
                let want: Vec<S> = sum.iter().zip(&z).map(|(&p, &q)| p + q).collect();
                a.adjoint(inner, (to, &u), (from, &mut sum), Acc::Add);
                assert_close(&sum, &want);
            }
        }
    }

    pub fn ghosts_beyond_need_change_nothing<S: Scalar>() {
        let (n, inner) = (20, 3000);
        let a = example::<S::Real>(n);
        let all = Window { start: 0, len: n };
        let x: Vec<S> = values(1, n * inner);
        let mut whole = vec![S::ZERO; n * inner];
        a.apply(inner, (all, &x), (all, &mut whole), Acc::Set);
        let (mut z, mut sum) = (vec![S::ONE; n * inner], vec![S::ZERO; n * inner]);
        a.adjoint(inner, (all, &x), (all, &mut z), Acc::Set);
        for (start, end) in [(0, 5), (5, 6), (6, 6), (6, 17), (17, 20)] {
            let to = Window { start, len: end - start };
            let part = start * inner..end * inner;
            let mut y = vec![S::ZERO; part.len()];
            a.apply(inner, (all, &x), (to, &mut y), Acc::Set);
            assert_eq!(y, whole[part.clone()]);
            a.adjoint(inner, (to, &x[part]), (all, &mut sum), Acc::Add);
        }
        assert_close(&sum, &z);
    }

    pub fn the_adjoint_leaves_out_rows_outside<S: Scalar>() {
        let (n, inner) = (13, 2);
        let a = example::<S::Real>(n);
        let all = Window { start: 0, len: n };
        let u: Vec<S> = values(1, n * inner);
        let mut whole = vec![S::ONE; n * inner];
        a.adjoint(inner, (all, &u), (all, &mut whole), Acc::Set);
        for (start, end) in [(0, 4), (3, 9), (9, 13)] {
            let from = Window { start, len: end - start };
            let mut z = vec![S::ONE; from.len * inner];
            a.adjoint(inner, (all, &u), (from, &mut z), Acc::Set);
            assert_close(&z, &whole[start * inner..end * inner]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::host::testing::each_type!(
        windows_match_the_matrix
        ghosts_beyond_need_change_nothing
        the_adjoint_leaves_out_rows_outside
    );

    #[test]
    fn reads_and_reach() {
        let row = |offset| vec![(offset, 1.0)];
        let a = Stencil::new(6, vec![(-1, 1.0), (1, 1.0)], vec![row(2)], vec![vec![]]);
        assert_eq!(a.reach(), (1, 2));
        assert_eq!(a.reads(Window { start: 0, len: 1 }), Window { start: 2, len: 1 });
        assert_eq!(a.reads(Window { start: 0, len: 3 }), Window { start: 0, len: 4 });
        assert_eq!(a.reads(Window { start: 5, len: 1 }), Window { start: 5, len: 0 });
        assert_eq!(a.reads(Window { start: 4, len: 2 }), Window { start: 3, len: 3 });
    }

    #[test]
    #[should_panic(expected = "row 0 reads inside of the axis")]
    fn terms_stay_inside() {
        Stencil::new(4, vec![(-1, 1.0)], vec![], vec![]);
    }
}
