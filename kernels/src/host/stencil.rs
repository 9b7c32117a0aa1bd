//! A stencil along an axis: `y[i] = Σ cₖ x[i + offsetₖ]`.
//!
//! The first and the last rows may have terms of their own, as boundaries do.
//! What it is applied with is a [`super::star::Star`].

use super::Real;
use std::collections::BTreeMap;
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
        let middle = stencil.middle();
        let kept = [middle.start, middle.end.saturating_sub(1)];
        let ends = (0..middle.start).chain(middle.end..n);
        for i in ends.chain(kept.into_iter().filter(|i| middle.contains(i))) {
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

    /// The rows in `held` that read element `at`, ascending, each as the distance to it and its
    /// coefficient.
    pub fn column<'a>(
        &'a self,
        at: usize,
        held: &Range<usize>,
    ) -> impl Iterator<Item = Term<R>> + use<'a, R> {
        let (low, high) = self.reach;
        let rows = at.saturating_sub(high).max(held.start)..(at + low + 1).min(held.end);
        rows.flat_map(move |row| {
            let reads = move |term: &&Term<R>| row.wrapping_add_signed(term.0) == at;
            let back = move |term: &Term<R>| (row as isize - at as isize, term.1);
            self.row(row).iter().filter(reads).map(back)
        })
    }

    /// Row `at` of `AᵀA`, where `A` has only the rows in `held`: what it reads, ascending.
    pub fn normal(&self, at: usize, held: &Range<usize>) -> Vec<Term<R>> {
        let mut sums: BTreeMap<isize, f64> = BTreeMap::new();
        for (back, weight) in self.column(at, held) {
            for &(offset, c) in self.row(at.wrapping_add_signed(back)) {
                *sums.entry(back + offset).or_default() += weight.to_f64() * c.to_f64();
            }
        }
        sums.into_iter().map(|(offset, c)| (offset, R::nearest(c))).collect()
    }

    /// The distance to an end beyond which rows and columns are all alike.
    pub(super) fn margin(&self) -> usize {
        self.head.len().max(self.tail.len()) + self.reach.0.max(self.reach.1) + 1
    }

    /// The stencil times a number.
    pub fn scaled(&self, factor: f64) -> Self {
        let row = |row: &Vec<Term<R>>| -> Vec<Term<R>> {
            row.iter().map(|&(offset, c)| (offset, R::nearest(c.to_f64() * factor))).collect()
        };
        let rows = |rows: &[Vec<Term<R>>]| rows.iter().map(row).collect();
        Stencil {
            interior: row(&self.interior),
            head: rows(&self.head),
            tail: rows(&self.tail),
            ..*self
        }
    }

    /// The rows that have the interior's terms.
    fn middle(&self) -> Range<usize> {
        self.head.len()..self.n - self.tail.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_those_of_one_matrix() {
        let row = |offset| vec![(offset, 1.0)];
        let a = Stencil::new(6, vec![(-1, 2.0), (1, 3.0)], vec![row(2)], vec![vec![]]);
        assert_eq!(a.reach(), (1, 2));
        for at in 0..6 {
            let column: Vec<_> = a.column(at, &(1..5)).collect();
            let mut want = vec![];
            for i in 1..5_usize {
                let reads = a.row(i).iter().filter(|t| i.wrapping_add_signed(t.0) == at);
                want.extend(reads.map(|t| (i as isize - at as isize, t.1)));
            }
            assert_eq!(column, want);
        }
    }

    #[test]
    fn normal_rows_are_those_of_the_product() {
        let row = |offset, c: f64| vec![(offset, c), (0, -c)];
        let interior = vec![(-1, 2.0), (0, 0.5), (1, 3.0)];
        let a = Stencil::new(9, interior, vec![row(2, 7.0)], vec![vec![], row(-3, 5.0)]);
        let entry = |i: usize, j: usize| -> f64 {
            let terms = a.row(i).iter().filter(|t| i.wrapping_add_signed(t.0) == j);
            terms.map(|t| t.1).sum()
        };
        for rows in [0..9, 2..6, 8..9, 4..4] {
            for at in 0..9 {
                let mut found = [0.0; 9];
                for (offset, c) in a.normal(at, &rows) {
                    found[at.wrapping_add_signed(offset)] += c;
                }
                let want = |j| rows.clone().map(|i| entry(i, at) * entry(i, j)).sum::<f64>();
                assert_eq!(found.to_vec(), (0..9).map(want).collect::<Vec<_>>(), "{rows:?} {at}");
            }
        }
    }

    #[test]
    fn scaling_keeps_every_row() {
        let a = Stencil::new(5, vec![(0, 2.0)], vec![vec![(1, 3.0)]], vec![vec![], vec![(0, 1.0)]]);
        let b = a.scaled(2.0);
        for i in 0..5 {
            let twice: Vec<_> = a.row(i).iter().map(|t| (t.0, 2.0 * t.1)).collect();
            assert_eq!(b.row(i), twice);
        }
    }

    #[test]
    #[should_panic(expected = "row 0 reads inside of the axis")]
    fn terms_stay_inside() {
        Stencil::new(4, vec![(-1, 1.0)], vec![], vec![]);
    }
}
