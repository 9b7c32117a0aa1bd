//! Products with a dense matrix: `y (+)= A x` and `z (+)= Aᴴ y`, for one or several columns.

use super::crew;
use super::{Acc, Scalar, reals};
use rows::{Ask, Rows};
use std::ops::Range;

mod rows;

/// A row-major matrix whose rows are `stride` elements apart, or its conjugate.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, S> {
    /// The elements; the last row need not be filled up to the stride.
    pub data: &'a [S],
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub cols: usize,
    /// The distance between the starts of two rows.
    pub stride: usize,
    /// Whether the matrix is the conjugate of the data.
    pub conj: bool,
    /// If these rows are applied with their adjoint, one after the other, how many elements after
    /// each of them the data have one that is needed next; else zero.
    pub after: usize,
}

impl<'a, S: Scalar> Matrix<'a, S> {
    /// The matrix whose rows lie one after the other in `data`.
    pub fn new(data: &'a [S], rows: usize, cols: usize) -> Matrix<'a, S> {
        assert_eq!(data.len(), rows * cols, "a matrix of {rows} rows and {cols} columns");
        Matrix { data, rows, cols, stride: cols, conj: false, after: 0 }
    }

    /// The complex conjugate.
    pub fn conj(self) -> Matrix<'a, S> {
        Matrix { conj: !self.conj, ..self }
    }

    /// The rows in `range`, which are applied with their adjoint before as many others are.
    pub fn paired(self, range: Range<usize>) -> Matrix<'a, S> {
        let after = if range.end < self.rows { range.len() * self.stride } else { 0 };
        Matrix { after, ..self.panel(range) }
    }

    /// The rows in `range`.
    pub fn panel(self, range: Range<usize>) -> Matrix<'a, S> {
        assert!(range.start <= range.end && range.end <= self.rows, "rows of the matrix");
        let start = (range.start * self.stride).min(self.data.len());
        Matrix { data: &self.data[start..], rows: range.len(), ..self }
    }

    /// The columns in `range`.
    fn columns(self, range: Range<usize>) -> Matrix<'a, S> {
        let start = range.start.min(self.data.len());
        Matrix { data: &self.data[start..], cols: range.len(), ..self }
    }

    fn bytes(&self) -> usize {
        self.rows * self.cols * size_of::<S>()
    }

    /// All rows, as the product or its adjoint reads them.
    fn all_rows(&self, adjoint: bool) -> Rows<'a, S::Real> {
        let Matrix { data, rows: count, conj, .. } = *self;
        let [row, stride] = [self.cols, self.stride].map(|n| n * S::PARTS);
        Rows { data: reals(data), count, reals: row, stride, conj, ask: self.ask(adjoint) }
    }

    /// What is to be asked for while the rows are read, in reals.
    fn ask(&self, adjoint: bool) -> Ask {
        /// Bytes of data that stay in the second cache, where there is nothing to ask for.
        const CACHED: usize = 1 << 20;
        /// Bytes that are on their way to that cache: those of a group of rows, at most so many, so
        /// that they are there still when they are needed, and not many fewer.
        const WAY: usize = 1 << 18;
        /// Bytes that each row of longer groups is ahead.
        const STEP: usize = 1 << 12;
        if size_of_val(self.data) <= CACHED {
            return Ask::Nothing;
        }
        if self.after > 0 {
            let half = if adjoint { self.rows * self.stride / 2 } else { 0 };
            return Ask::Half((self.after + half) * S::PARTS);
        }
        let group = 8 * self.stride * size_of::<S>();
        let near = if group <= WAY { group.max(WAY / 2) } else { STEP };
        Ask::Near(near / size_of::<S::Real>())
    }

    fn check(&self) {
        if self.rows == 0 || self.cols == 0 {
            return;
        }
        let start = (self.rows - 1).checked_mul(self.stride);
        let end = start.and_then(|start| start.checked_add(self.cols));
        assert!(end.is_some_and(|end| end <= self.data.len()), "the data hold the matrix");
    }
}

/// `y (+)= A x`, with `x` of `cols × k` and `y` of `rows × k`.
pub fn apply<S: Scalar>(a: Matrix<'_, S>, k: usize, x: &[S], y: &mut [S], acc: Acc) {
    assert_eq!((x.len(), y.len()), (a.cols * k, a.rows * k), "the columns fit the matrix");
    a.check();
    match k {
        0 => {}
        1 => gemv(a, x, y, acc),
        _ => gemm(a, false, k, x, y, acc),
    }
}

/// `z (+)= Aᴴ y`, with `y` of `rows × k` and `z` of `cols × k`.
pub fn adjoint<S: Scalar>(a: Matrix<'_, S>, k: usize, y: &[S], z: &mut [S], acc: Acc) {
    assert_eq!((y.len(), z.len()), (a.rows * k, a.cols * k), "the columns fit the matrix");
    a.check();
    match k {
        0 => {}
        1 => gemv_adjoint(a, y, z, acc),
        _ => gemm(a.conj(), true, k, y, z, acc),
    }
}

/// Each hand makes some rows of `y`.
fn gemv<S: Scalar>(a: Matrix<'_, S>, x: &[S], y: &mut [S], acc: Acc) {
    crew::over(a.bytes(), 8, y, |rows, y| rows::forward(a.panel(rows).all_rows(false), x, y, acc));
}

/// Each hand makes some columns of `z`, whole cache lines.
fn gemv_adjoint<S: Scalar>(a: Matrix<'_, S>, y: &[S], z: &mut [S], acc: Acc) {
    /// Columns whose sums stay in the second cache.
    const COLUMNS: usize = 1 << 14;
    let lines = (128 / size_of::<S>()).max(1);
    crew::over(a.bytes(), lines, z, |columns, z| {
        acc.prepare(z);
        for (k, z) in z.chunks_mut(COLUMNS).enumerate() {
            let start = columns.start + k * COLUMNS;
            rows::adjoint(a.columns(start..start + z.len()).all_rows(true), y, z);
        }
    });
}

/// `y (+)= M x` for `k > 1` columns, with `M` the matrix or its transpose; each hand makes some
/// blocks of rows, which are the same for any number of hands.
fn gemm<S: Scalar>(a: Matrix<'_, S>, transpose: bool, k: usize, x: &[S], y: &mut [S], acc: Acc) {
    /// Rows of a block: many, as a block looks at all of `x` by itself.
    const BLOCK: usize = 256;
    let work = 2 * a.rows * a.cols * k * S::PARTS * S::PARTS;
    crew::over(work, BLOCK * k, y, |some, y| {
        for (block, y) in y.chunks_mut(BLOCK * k).enumerate() {
            let first = some.start / k + block * BLOCK;
            let rows = first..first + y.len() / k;
            let a = if transpose { a.columns(rows) } else { a.panel(rows) };
            gemm_block(a, transpose, k, x, y, acc);
        }
    });
}

fn gemm_block<S: Scalar>(
    a: Matrix<'_, S>,
    transpose: bool,
    k: usize,
    x: &[S],
    y: &mut [S],
    acc: Acc,
) {
    let (m, n) = if transpose { (a.cols, a.rows) } else { (a.rows, a.cols) };
    if m == 0 || n == 0 {
        return acc.prepare(y);
    }
    let stride = a.stride as isize;
    let (row, col) = if transpose { (1, stride) } else { (stride, 1) };
    let (wide, one) = (k as isize, S::ONE);
    let add = acc == Acc::Add;
    // SAFETY: `check` and the length assertions of the callers make every element of the three
    // strided matrices lie in its slice, `y` is borrowed exclusively, and `S` is one of the four
    // types that gemm knows.
    unsafe {
        gemm::gemm(
            m,
            k,
            n,
            y.as_mut_ptr(),
            1,
            wide,
            add,
            a.data.as_ptr(),
            col,
            row,
            x.as_ptr(),
            1,
            wide,
            one,
            one,
            false,
            a.conj,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    const SHAPES: [(usize, usize); 8] =
        [(0, 3), (3, 0), (1, 1), (5, 7), (8, 16), (13, 33), (21, 2100), (40, 3)];

    fn naive<S: Scalar>(a: Matrix<'_, S>, k: usize, x: &[S], y: &mut [S]) {
        for i in 0..a.rows {
            for j in 0..a.cols {
                let value = a.data[i * a.stride + j].conj_if(a.conj);
                (0..k).for_each(|c| y[i * k + c] += value * x[j * k + c]);
            }
        }
    }

    pub fn rows_do_not_depend_on_the_panel<S: Scalar>() {
        for (rows, cols) in [(19, 1), (19, 7), (21, 33), (17, 200), (1100, 260)] {
            let data: Vec<S> = values(1, rows * cols);
            let a = Matrix::new(&data, rows, cols);
            let x: Vec<S> = values(2, cols);
            let mut whole = vec![S::ZERO; rows];
            apply(a, 1, &x, &mut whole, Acc::Set);
            for (start, end) in [(0, 1), (0, 5), (3, 12), (7, rows)] {
                let mut part = vec![S::ZERO; end - start];
                apply(a.panel(start..end), 1, &x, &mut part, Acc::Set);
                assert_eq!(part, whole[start..end]);
                apply(a.paired(start..end), 1, &x, &mut part, Acc::Set);
                assert_eq!(part, whole[start..end]);
            }
        }
    }

    pub fn adjoints_do_not_depend_on_panels_of_eight_rows_or_on_columns<S: Scalar>() {
        for (rows, cols) in [(8, 3), (21, 33), (40, 17), (17, 2100), (1100, 260)] {
            let data: Vec<S> = values(1, rows * cols);
            let a = Matrix::new(&data, rows, cols);
            let y: Vec<S> = values(2, rows);
            let (mut whole, mut parts) = (vec![S::ONE; cols], vec![S::ZERO; cols]);
            adjoint(a, 1, &y, &mut whole, Acc::Set);
            for start in (0..rows).step_by(8) {
                let some = start..rows.min(start + 8);
                adjoint(a.paired(some.clone()), 1, &y[some], &mut parts, Acc::Add);
            }
            assert_eq!(parts, whole);
            let some = cols / 3..cols;
            let mut part = vec![S::ZERO; some.len()];
            rows::adjoint(a.columns(some.clone()).all_rows(true), &y, &mut part);
            assert_eq!(part, whole[some]);
        }
    }

    pub fn all_sizes_around_registers_and_groups<S: Scalar>() {
        for (m, n) in (1..=18).flat_map(|m| (1..=35).map(move |n| (m, n))) {
            let (data, x): (Vec<S>, Vec<S>) = (values(1, m * n), values(2, n));
            let a = Matrix::new(&data, m, n);
            let (y, z): (Vec<S>, Vec<S>) = (values(3, m), values(4, n));
            let (mut image, mut back) = (y.clone(), z.clone());
            naive(a, 1, &x, &mut image);
            for (i, &y) in y.iter().enumerate() {
                let row = &data[i * n..(i + 1) * n];
                back.iter_mut().zip(row).for_each(|(z, a)| *z += a.conj() * y);
            }
            for ask in [Ask::Nothing, Ask::Near(40), Ask::Half(40)] {
                let rows = Rows { ask, ..a.all_rows(false) };
                let (mut u, mut v) = (y.clone(), z.clone());
                rows::forward(rows, &x, &mut u, Acc::Add);
                assert_close(&u, &image);
                rows::adjoint(rows, &y, &mut v);
                assert_close(&v, &back);
            }
        }
    }

    pub fn what_is_asked_for_need_not_be_there<S: Scalar>() {
        let (m, n) = (5, (1 << 18) / size_of::<S>() + 1);
        let (data, x): (Vec<S>, Vec<S>) = (values(1, m * n), vec![S::ONE; n]);
        let a = Matrix::new(&data, m, n);
        let (mut y, mut last) = (vec![S::ZERO; m], vec![S::ZERO]);
        apply(a, 1, &x, &mut y, Acc::Set);
        apply(a.panel(m - 1..m), 1, &x, &mut last, Acc::Set);
        assert_eq!(y[m - 1..], last);
    }

    pub fn products_and_their_adjoints<S: Scalar>() {
        for ((m, n), k) in SHAPES.into_iter().flat_map(|s| [0, 1, 2, 5].map(|k| (s, k))) {
            let stride = n + 3;
            let data: Vec<S> = values(1, m * stride);
            for conj in [false, true] {
                let a = Matrix { data: &data, rows: m, cols: n, stride, conj, after: 7 };
                let (x, u): (Vec<S>, Vec<S>) = (values(2, n * k), values(3, m * k));
                let mut want: Vec<S> = values(4, m * k);
                let mut added = want.clone();
                apply(a, k, &x, &mut added, Acc::Add);
                naive(a, k, &x, &mut want);
                assert_close(&added, &want);
                let (mut y, mut z): (Vec<S>, Vec<S>) = (values(5, m * k), values(6, n * k));
                let mut z_added = z.clone();
                adjoint(a, k, &u, &mut z_added, Acc::Add);
                z_added.iter_mut().zip(&z).for_each(|(p, q)| *p -= *q);
                apply(a, k, &x, &mut y, Acc::Set);
                adjoint(a, k, &u, &mut z, Acc::Set);
                assert_close(&z_added, &z);
                assert_dots(&x, &y, &u, &z);
            }
        }
    }

    pub fn panels_are_parts_of_the_whole<S: Scalar>() {
        let (m, n, k) = (11, 6, 3);
        let (data, x): (Vec<S>, Vec<S>) = (values(1, m * n), values(2, n * k));
        let a = Matrix::new(&data, m, n);
        let (mut whole, mut parts) = (vec![S::ZERO; m * k], vec![S::ONE; m * k]);
        apply(a, k, &x, &mut whole, Acc::Set);
        for range in [0..4, 4..4, 4..10, 10..11] {
            let out = &mut parts[range.start * k..range.end * k];
            apply(a.panel(range), k, &x, out, Acc::Set);
        }
        assert_close(&parts, &whole);
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(rows_do_not_depend_on_the_panel adjoints_do_not_depend_on_panels_of_eight_rows_or_on_columns all_sizes_around_registers_and_groups what_is_asked_for_need_not_be_there products_and_their_adjoints panels_are_parts_of_the_whole);
}
