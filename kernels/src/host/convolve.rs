//! Convolution along the middle axis of `[outer, n, inner]`:
//! `y[o, i, c] (+)= Σⱼ h[i + offset - j] x[o, j, c]`, adjoint
//! `z[o, j, c] (+)= Σᵢ conj(h[i + offset - j]) y[o, i, c]`.
//!
//! Both sides are windows of axes that may have different lengths; what a window lacks counts as
//! zero in what is read and is left out of what is written.
//! A filter may be one for all places or a [`Bank`] with one for each outer and inner index.

use super::index::Window;
use super::{Acc, Scalar, combine};
use std::ops::Range;

/// The coefficients of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter<S> {
    /// What rows of `y` read of `x`.
    forward: Terms<S>,
    /// What rows of `z` read of `y`.
    adjoint: Terms<S>,
}

/// Coefficients of neighbouring rows: the first one reads the row at distance `first`, each of the
/// others one that is `step` farther.
#[derive(Clone, Debug, PartialEq)]
struct Terms<S> {
    first: isize,
    step: isize,
    c: Vec<S>,
}

impl<S: Scalar> Filter<S> {
    /// The filter `h` whose element `offset` is the one that leaves samples where they are.
    pub fn new(h: Vec<S>, offset: usize) -> Filter<S> {
        let offset = offset as isize;
        let conj = h.iter().map(|v| v.conj()).collect();
        Filter {
            forward: Terms { first: offset, step: -1, c: h },
            adjoint: Terms { first: -offset, step: 1, c: conj },
        }
    }

    /// `y (+)= A x` for the rows of `y`'s window from those of `x`'s.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn apply(
        &self,
        inner: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        sweep(&self.forward, inner, (from, x), (to, y), acc);
    }

    /// `z (+)= Aᴴ y` for the rows of `z`'s window from those of `y`'s.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn adjoint(
        &self,
        inner: usize,
        (to, y): (Window, &[S]),
        (from, z): (Window, &mut [S]),
        acc: Acc,
    ) {
        sweep(&self.adjoint, inner, (to, y), (from, z), acc);
    }
}

/// A filter for each outer and inner index: `h[o, m, c]` in the place of `h[m]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank<S> {
    h: Vec<S>,
    len: usize,
    inner: usize,
    offset: usize,
}

impl<S: Scalar> Bank<S> {
    /// The filters `h`, an array `[outer, len, inner]`.
    ///
    /// # Panics
    ///
    /// If `h` does not consist of such filters.
    pub fn new(h: Vec<S>, len: usize, inner: usize, offset: usize) -> Bank<S> {
        assert!(h.is_empty() || h.len().is_multiple_of(len * inner), "filters of {len} elements");
        Bank { h, len, inner, offset }
    }

    /// `y (+)= A x`; each inner index stands for `group` neighbouring elements.
    pub fn apply(
        &self,
        group: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        self.sweep(false, group, (from, x), (to, y), acc);
    }

    /// `z (+)= Aᴴ y`; each inner index stands for `group` neighbouring elements.
    pub fn adjoint(
        &self,
        group: usize,
        (to, y): (Window, &[S]),
        (from, z): (Window, &mut [S]),
        acc: Acc,
    ) {
        self.sweep(true, group, (to, y), (from, z), acc);
    }

    fn sweep(
        &self,
        adjoint: bool,
        group: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        acc.prepare(y);
        let row = self.inner * group;
        let (from_size, to_size) = planes(row, (from, x.len()), (to, y.len()));
        if from_size == 0 || to_size == 0 {
            return;
        }
        let filters = self.h.chunks_exact(self.len * self.inner);
        let sides = x.chunks_exact(from_size).zip(y.chunks_exact_mut(to_size));
        for (h, (x, y)) in filters.zip(sides) {
            for (i, out) in y.chunks_exact_mut(row).enumerate() {
                for (m, h) in h.chunks_exact(self.inner).enumerate() {
                    let shift = self.offset as isize - m as isize;
                    let shift = if adjoint { -shift } else { shift };
                    let read = (to.start + i).checked_add_signed(shift);
                    if let Some(at) = read.and_then(|j| from.local(j)) {
                        multiply(h, adjoint, group, &x[at * row..][..row], out);
                    }
                }
            }
        }
    }
}

/// `y[c] += h[c] x[c]` for groups of elements.
fn multiply<S: Scalar>(h: &[S], conj: bool, group: usize, x: &[S], y: &mut [S]) {
    if group == 1 {
        let terms = y.iter_mut().zip(h).zip(x);
        return terms.for_each(|((y, h), &x)| *y += h.conj_if(conj) * x);
    }
    for ((h, x), y) in h.iter().zip(x.chunks_exact(group)).zip(y.chunks_exact_mut(group)) {
        let h = h.conj_if(conj);
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += h * x);
    }
}

/// Elements of one outer index on both sides.
fn planes(inner: usize, from: (Window, usize), to: (Window, usize)) -> (usize, usize) {
    let (from_size, to_size) = (from.0.len * inner, to.0.len * inner);
    assert_eq!(from.1 * to_size, to.1 * from_size, "arrays with the same outer extent");
    for (len, size) in [(from.1, from_size), (to.1, to_size)] {
        assert!((size == 0 && len == 0) || len.is_multiple_of(size), "whole windows");
    }
    (from_size, to_size)
}

/// Terms of one pass over a stretch of `y`.
const GROUP: usize = 8;

fn sweep<S: Scalar>(
    terms: &Terms<S>,
    inner: usize,
    (from, x): (Window, &[S]),
    (to, y): (Window, &mut [S]),
    acc: Acc,
) {
    let (from_size, to_size) = planes(inner, (from, x.len()), (to, y.len()));
    if from_size == 0 || to_size == 0 {
        return acc.prepare(y);
    }
    for (x, y) in x.chunks_exact(from_size).zip(y.chunks_exact_mut(to_size)) {
        for (rows, columns) in tiles(to, inner) {
            let start = (rows.start - to.start) * inner + columns.start;
            let end = (rows.end - 1 - to.start) * inner + columns.end;
            let side = Side { from, inner, columns };
            side.tile(terms, x, rows, &mut y[start..end], acc);
        }
    }
}

/// Stretches of `y`: several rows that are short, or a part of the columns of one, so that a
/// stretch stays in the nearest cache while all terms are added to it.
fn tiles(to: Window, inner: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    /// Elements of a stretch.
    const LEN: usize = 2048;
    let step = (LEN / inner).max(1);
    (0..inner).step_by(LEN).flat_map(move |start| {
        let columns = start..if step > 1 { inner } else { inner.min(start + LEN) };
        let rows = (to.start..to.end()).step_by(step);
        rows.map(move |i| (i..to.end().min(i + step), columns.clone()))
    })
}

/// Where the rows that are read lie, and which of their columns.
struct Side {
    from: Window,
    inner: usize,
    columns: Range<usize>,
}

impl Side {
    /// All terms of the rows `rows`, of which `y` holds the columns.
    fn tile<S: Scalar>(
        &self,
        terms: &Terms<S>,
        x: &[S],
        rows: Range<usize>,
        y: &mut [S],
        acc: Acc,
    ) {
        acc.prepare(y);
        for (k, c) in terms.c.chunks(GROUP).enumerate() {
            let shift = |k: usize| terms.first + terms.step * k as isize;
            let first = k * GROUP;
            let ends = [shift(first), shift(first + c.len() - 1)];
            let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let common = self.reading(low, &rows).start..self.reading(high, &rows).end;
            let common = common.start..common.end.max(common.start);
            if !common.is_empty() {
                let xs: [&[S]; GROUP] = std::array::from_fn(|n| {
                    let at = common.start.wrapping_add_signed(shift(first + n.min(c.len() - 1)));
                    &x[(at - self.from.start) * self.inner + self.columns.start..]
                });
                let out = self.stretch(&rows, &common);
                let xs = xs.map(|x| &x[..out.len()]);
                combine::linear(c, &xs[..c.len()], &mut y[out], Acc::Add);
            }
            for (n, &c) in c.iter().enumerate() {
                let shift = shift(first + n);
                let read = self.reading(shift, &rows);
                let before = read.start..read.end.min(common.start);
                let after = read.start.max(common.end)..read.end;
                let single = if common.is_empty() { [read, 0..0] } else { [before, after] };
                for part in single.into_iter().filter(|part| !part.is_empty()) {
                    let at = part.start.wrapping_add_signed(shift) - self.from.start;
                    let x = &x[at * self.inner + self.columns.start..];
                    let out = &mut y[self.stretch(&rows, &part)];
                    out.iter_mut().zip(x).for_each(|(y, &x)| *y += c * x);
                }
            }
        }
    }

    /// Those of `rows` for which the row at a distance of `shift` is present.
    fn reading(&self, shift: isize, rows: &Range<usize>) -> Range<usize> {
        let clamp = |at: usize| {
            let row = (at as isize - shift).max(0) as usize;
            row.clamp(rows.start, rows.end)
        };
        clamp(self.from.start)..clamp(self.from.end())
    }

    /// The elements of `part` in those of `rows`.
    fn stretch(&self, rows: &Range<usize>, part: &Range<usize>) -> Range<usize> {
        let start = (part.start - rows.start) * self.inner;
        start..start + (part.len() - 1) * self.inner + self.columns.len()
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    /// Lengths of both axes, of the filter, its offset, and the windows of both sides.
    type Shape = ([usize; 4], Range<usize>, Range<usize>);

    fn shapes() -> Vec<Shape> {
        vec![
            ([7, 7, 3, 1], 0..7, 0..7),
            ([7, 7, 3, 1], 1..6, 2..5),
            ([40, 40, 19, 4], 0..40, 0..40),
            ([40, 40, 19, 18], 3..30, 20..40),
            ([9, 31, 31, 5], 0..9, 0..31),
            ([9, 31, 31, 5], 4..7, 11..30),
            ([5, 5, 4, 0], 0..5, 2..2),
            ([5, 5, 1, 0], 3..3, 0..5),
            ([300, 300, 30, 11], 0..300, 0..300),
        ]
    }

    fn window(range: &Range<usize>) -> Window {
        Window { start: range.start, len: range.len() }
    }

    /// `h[i + offset - j]`, if there is one.
    fn tap(i: usize, j: usize, offset: usize, len: usize) -> Option<usize> {
        (i + offset).checked_sub(j).filter(|&m| m < len)
    }

    pub fn windows_match_the_definition<S: Scalar>() {
        for ([_, _, len, offset], from, to) in shapes() {
            for (outer, inner) in [(1, 1), (2, 3), (1, 2500), (0, 2), (2, 0)] {
                let h: Vec<S> = values(1, len);
                let x: Vec<S> = values(2, outer * from.len() * inner);
                let u: Vec<S> = values(3, outer * to.len() * inner);
                let filter = Filter::new(h.clone(), offset);
                let (from, to) = (window(&from), window(&to));
                let mut y: Vec<S> = values(4, u.len());
                let mut want = y.clone();
                for (n, slot) in want.iter_mut().enumerate() {
                    let (o, i, c) = (n / (to.len * inner), n / inner % to.len, n % inner);
                    for j in 0..from.len {
                        if let Some(m) = tap(to.start + i, from.start + j, offset, len) {
                            *slot += h[m] * x[(o * from.len + j) * inner + c];
                        }
                    }
                }
                filter.apply(inner, (from, &x), (to, &mut y), Acc::Add);
                assert_close(&y, &want);
                filter.apply(inner, (from, &x), (to, &mut y), Acc::Set);
                let (mut z, mut sum): (Vec<S>, Vec<S>) = (values(5, x.len()), values(6, x.len()));
                filter.adjoint(inner, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
                let want: Vec<S> = sum.iter().zip(&z).map(|(&p, &q)| p + q).collect();
                filter.adjoint(inner, (to, &u), (from, &mut sum), Acc::Add);
                assert_close(&sum, &want);
            }
        }
    }

    pub fn a_bank_is_a_filter_for_each_place<S: Scalar>() {
        for ([_, _, len, offset], from, to) in shapes() {
            for (outer, inner, group) in [(1, 1, 1), (2, 3, 1), (3, 2, 4), (0, 2, 1)] {
                let h: Vec<S> = values(1, outer * len * inner);
                let (from, to, row) = (window(&from), window(&to), inner * group);
                let x: Vec<S> = values(2, outer * from.len * row);
                let u: Vec<S> = values(3, outer * to.len * row);
                let mut want = vec![S::ZERO; u.len()];
                for (o, c) in (0..outer).flat_map(|o| (0..row).map(move |c| (o, c))) {
                    let own = |m: usize| h[(o * len + m) * inner + c / group];
                    let filter = Filter::new((0..len).map(own).collect(), offset);
                    let column = |j: usize| x[(o * from.len + j) * row + c];
                    let line: Vec<S> = (0..from.len).map(column).collect();
                    let mut out = vec![S::ZERO; to.len];
                    filter.apply(1, (from, &line), (to, &mut out), Acc::Set);
                    for (i, v) in out.into_iter().enumerate() {
                        want[(o * to.len + i) * row + c] = v;
                    }
                }
                let bank = Bank::new(h, len, inner, offset);
                let (mut y, mut z): (Vec<S>, Vec<S>) = (values(4, u.len()), values(5, x.len()));
                bank.apply(group, (from, &x), (to, &mut y), Acc::Set);
                assert_close(&y, &want);
                bank.adjoint(group, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(
        windows_match_the_definition
        a_bank_is_a_filter_for_each_place
    );
}
