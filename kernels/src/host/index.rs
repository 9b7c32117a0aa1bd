//! Selection of rows by a table: `y[o, i, c] (+)= x[o, table[i], c]`, and its adjoint.
//!
//! The rows of the side that is selected from are a window of a longer axis; entries of the table
//! outside of it contribute nothing.

use super::{Acc, Scalar};

/// The rows `start .. start + len` of an axis that an array `[outer, len, inner]` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first row, counted from the start of the whole axis.
    pub start: usize,
    /// The number of rows.
    pub len: usize,
}

impl Window {
    /// The place of row `i` of the axis in the window, if it is there.
    #[inline]
    pub fn local(self, i: usize) -> Option<usize> {
        i.checked_sub(self.start).filter(|&at| at < self.len)
    }

    /// The first row after the window.
    #[inline]
    pub fn end(self) -> usize {
        self.start + self.len
    }
}

/// `y[o, i, c] (+)= x[o, table[i], c]`; rows outside of the window read as zero.
pub fn gather<S: Scalar>(
    table: &[usize],
    window: Window,
    inner: usize,
    x: &[S],
    y: &mut [S],
    acc: Acc,
) {
    let (from, to) = planes(table, window, inner, x.len(), y.len());
    if from == 0 {
        return acc.prepare(y);
    }
    for (x, y) in x.chunks_exact(from).zip(y.chunks_exact_mut(to.max(1))) {
        for (&i, out) in table.iter().zip(y.chunks_exact_mut(inner)) {
            match (window.local(i), acc) {
                (Some(at), Acc::Set) => out.copy_from_slice(&x[at * inner..(at + 1) * inner]),
                (Some(at), Acc::Add) => add(&x[at * inner..(at + 1) * inner], out),
                (None, _) => acc.prepare(out),
            }
        }
    }
}

/// `z[o, table[i], c] (+)= Σ y[o, i, c]`; entries that occur several times add up, those outside
/// of the window are left out.
pub fn scatter<S: Scalar>(
    table: &[usize],
    window: Window,
    inner: usize,
    y: &[S],
    z: &mut [S],
    acc: Acc,
) {
    let (to, from) = planes(table, window, inner, z.len(), y.len());
    acc.prepare(z);
    if from == 0 || to == 0 {
        return;
    }
    for (y, z) in y.chunks_exact(from).zip(z.chunks_exact_mut(to)) {
        for (&i, row) in table.iter().zip(y.chunks_exact(inner)) {
            if let Some(at) = window.local(i) {
                add(row, &mut z[at * inner..(at + 1) * inner]);
            }
        }
    }
}

/// The sizes of one outer index on the side of the window and on that of the table.
fn planes(table: &[usize], window: Window, inner: usize, x: usize, y: usize) -> (usize, usize) {
    let (from, to) = (window.len * inner, table.len() * inner);
    assert_eq!(x * to, y * from, "arrays with the same outer extent");
    assert!((from == 0 && x == 0) || x.is_multiple_of(from), "whole windows");
    assert!((to == 0 && y == 0) || y.is_multiple_of(to), "whole tables");
    (from, to)
}

#[inline]
fn add<S: Scalar>(x: &[S], y: &mut [S]) {
    y.iter_mut().zip(x).for_each(|(v, &a)| *v += a);
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    pub fn rows_in_the_window<S: Scalar>() {
        let table = [4, 0, 9, 5, 5, 7];
        for (outer, start, len, inner) in
            [(1, 0, 10, 1), (2, 4, 3, 3), (3, 5, 0, 2), (0, 0, 10, 2), (2, 0, 10, 1), (2, 1, 3, 0)]
        {
            let window = Window { start, len };
            let x: Vec<S> = values(1, outer * len * inner);
            let u: Vec<S> = values(2, outer * table.len() * inner);
            let at = |o: usize, i: usize, c: usize| match table[i] {
                t if t >= start && t < start + len => x[(o * len + t - start) * inner + c],
                _ => S::ZERO,
            };
            for acc in [Acc::Set, Acc::Add] {
                let mut y: Vec<S> = values(3, u.len());
                let mut want = y.clone();
                for (n, slot) in want.iter_mut().enumerate() {
                    let (o, i, c) = (n / (6 * inner), n / inner % 6, n % inner);
                    acc.put(slot, at(o, i, c));
                }
                gather(&table, window, inner, &x, &mut y, acc);
                assert_close(&y, &want);
            }
            let mut y = vec![S::ONE; u.len()];
            let (mut z, mut sum): (Vec<S>, Vec<S>) = (values(4, x.len()), values(5, x.len()));
            gather(&table, window, inner, &x, &mut y, Acc::Set);
            scatter(&table, window, inner, &u, &mut z, Acc::Set);
            assert_dots(&x, &y, &u, &z);
            let want: Vec<S> = sum.iter().zip(&z).map(|(&p, &q)| p + q).collect();
            scatter(&table, window, inner, &u, &mut sum, Acc::Add);
            assert_close(&sum, &want);
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(rows_in_the_window);
}
