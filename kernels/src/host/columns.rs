//! Arithmetic on a batch of columns, with one scalar for each column.
//!
//! An array of `n` rows and `batch` columns is row-major, so that its columns are innermost;
//! `batch` is the number of scalars.

use super::simd::multiversion;
use super::{Acc, Scalar};
use num_complex::Complex;

/// Rows whose products are summed in the precision of the elements.
const ROWS: usize = 64;
/// Products that are summed side by side.
const WIDTH: usize = 32;

/// `y[:, b] (+)= a[b] x[:, b]`.
pub fn scale<S: Scalar>(a: &[S], x: &[S], y: &mut [S], acc: Acc) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    for (row, out) in rows(a.len(), x).zip(rows_mut(a.len(), y)) {
        scale_row(a, row, out, acc);
    }
}

multiversion! {
    fn scale_row {S: Scalar} {S} (a: &[S], x: &[S], y: &mut [S], acc: Acc) {
        let terms = y.iter_mut().zip(a.iter().zip(x));
        match acc {
            Acc::Set => terms.for_each(|(y, (&a, &x))| *y = a * x),
            Acc::Add => terms.for_each(|(y, (&a, &x))| *y += a * x),
        }
    }
}

/// `y[:, b] = a[b] y[:, b]`.
pub fn scale_in_place<S: Scalar>(a: &[S], y: &mut [S]) {
    for out in rows_mut(a.len(), y) {
        out.iter_mut().zip(a).for_each(|(v, &a)| *v *= a);
    }
}

/// `y[:, b] (+)= a[b] x[:, b] + z[:, b]`.
pub fn axpy<S: Scalar>(a: &[S], x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    assert_eq!(z.len(), y.len(), "arrays of equal length");
    let inputs = rows(a.len(), x).zip(rows(a.len(), z));
    for ((row, other), out) in inputs.zip(rows_mut(a.len(), y)) {
        axpy_row(a, row, other, out, acc);
    }
}

multiversion! {
    fn axpy_row {S: Scalar} {S} (a: &[S], x: &[S], z: &[S], y: &mut [S], acc: Acc) {
        let terms = y.iter_mut().zip(a.iter().zip(x.iter().zip(z)));
        match acc {
            Acc::Set => terms.for_each(|(y, (&a, (&x, &z)))| *y = a * x + z),
            Acc::Add => terms.for_each(|(y, (&a, (&x, &z)))| *y += a * x + z),
        }
    }
}

/// `y[:, b] (+)= Σ c[k, b] xs[k][:, b]`, with `batch` coefficients for each of `xs`.
pub fn linear<S: Scalar>(c: &[S], batch: usize, xs: &[&[S]], y: &mut [S], acc: Acc) {
    assert_eq!(c.len(), batch * xs.len(), "coefficients for each array and column");
    if xs.is_empty() {
        return acc.prepare(y);
    }
    for (k, x) in xs.iter().enumerate() {
        let acc = if k == 0 { acc } else { Acc::Add };
        scale(&c[k * batch..(k + 1) * batch], x, y, acc);
    }
}

/// `out[b] = Σ conj(x[:, b]) y[:, b]`, without the conjugate if `conj` is false.
pub fn dot<S: Scalar>(x: &[S], y: &[S], conj: bool, out: &mut [Complex<f64>]) {
    out.fill(Complex::ZERO);
    dot_onto(x, y, conj, out);
}

/// The elements that [`dot_onto`] sums together: arrays that come in pieces of so many, or of a
/// multiple, give the same sums bit by bit.
pub fn unit(batch: usize) -> usize {
    ROWS * side(batch) * batch
}

/// Rows that are summed side by side where a row is short.
fn side(batch: usize) -> usize {
    1 << (WIDTH / batch.clamp(1, WIDTH)).ilog2()
}

/// `out[b] += Σ conj(x[:, b]) y[:, b]`, likewise.
pub fn dot_onto<S: Scalar>(x: &[S], y: &[S], conj: bool, out: &mut [Complex<f64>]) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    let batch = out.len();
    assert!(x.is_empty() || (batch > 0 && x.len().is_multiple_of(batch)), "whole rows");
    let wide = side(batch) * batch;
    for (x, y) in x.chunks(unit(batch).max(1)).zip(y.chunks(unit(batch).max(1))) {
        for start in (0..wide).step_by(WIDTH) {
            let mut sums = [S::ZERO; WIDTH];
            products(x, y, wide, start, conj, &mut sums);
            for (k, sum) in sums.iter().enumerate().take(wide - start) {
                out[(start + k) % batch] += sum.to_c128();
            }
        }
    }
}

multiversion! {
    /// Adds products of rows that are `wide`, from `start` on; the last row may be shorter.
    fn products {S: Scalar} {S}
    (x: &[S], y: &[S], wide: usize, start: usize, conj: bool, sums: &mut [S; WIDTH]) {
        for (row, other) in x.chunks(wide).zip(y.chunks(wide)) {
            let some = start.min(row.len())..row.len().min(start + WIDTH);
            let pairs = row[some.clone()].iter().zip(&other[some]);
            sums.iter_mut().zip(pairs).for_each(|(sum, (p, q))| *sum += p.conj_if(conj) * *q);
        }
    }
}

fn rows<S>(batch: usize, x: &[S]) -> std::slice::ChunksExact<'_, S> {
    assert!(x.is_empty() || (batch > 0 && x.len().is_multiple_of(batch)), "whole rows");
    x.chunks_exact(batch.max(1))
}

fn rows_mut<S>(batch: usize, y: &mut [S]) -> std::slice::ChunksExactMut<'_, S> {
    assert!(y.is_empty() || (batch > 0 && y.len().is_multiple_of(batch)), "whole rows");
    y.chunks_exact_mut(batch.max(1))
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, values};

    pub fn each_column_has_its_scalar<S: Scalar>() {
        for (n, batch) in [(0, 3), (5, 1), (4, 3), (150, 19), (3, 0)] {
            let size = n * batch;
            let (x, z, start): (Vec<S>, Vec<S>, Vec<S>) =
                (values(1, size), values(2, size), values(3, size));
            let a: Vec<S> = values(4, batch);
            let c: Vec<S> = values(5, 2 * batch);
            for acc in [Acc::Set, Acc::Add] {
                let check = |run: &dyn Fn(&mut [S]), want: &dyn Fn(usize) -> S| {
                    let (mut y, mut expected) = (start.clone(), start.clone());
                    run(&mut y);
                    (0..size).for_each(|i| acc.put(&mut expected[i], want(i)));
                    assert_close(&y, &expected);
                };
                check(&|y| scale(&a, &x, y, acc), &|i| a[i % batch] * x[i]);
                check(&|y| axpy(&a, &x, &z, y, acc), &|i| a[i % batch] * x[i] + z[i]);
                let sum = |i: usize| c[i % batch] * x[i] + c[batch + i % batch] * z[i];
                check(&|y| linear(&c, batch, &[&x, &z], y, acc), &sum);
            }
            let mut y = start.clone();
            scale_in_place(&a, &mut y);
            assert_close(&y, &(0..size).map(|i| a[i % batch] * start[i]).collect::<Vec<S>>());
            for conj in [true, false] {
                let mut out = vec![Complex::new(7.0, 7.0); batch];
                dot(&x, &z, conj, &mut out);
                let want: Vec<S> = (0..batch)
                    .map(|b| {
                        let terms = (0..n).map(|i| i * batch + b);
                        terms.map(|i| x[i].conj_if(conj) * z[i]).fold(S::ZERO, |p, q| p + q)
                    })
                    .collect();
                assert_close(&out.iter().map(|v| S::from_c128(*v)).collect::<Vec<S>>(), &want);
            }
        }
    }

    pub fn pieces_have_the_sums_of_the_whole<S: Scalar>() {
        for batch in [1, 2, 3, 7, 16, 31, 32, 33, 100] {
            let size = 3 * unit(batch) + 5 * batch;
            let (x, y): (Vec<S>, Vec<S>) = (values(1, size), values(2, size));
            let mut whole = vec![Complex::ZERO; batch];
            dot(&x, &y, true, &mut whole);
            let mut sums = vec![Complex::ZERO; batch];
            for (x, y) in x.chunks(2 * unit(batch)).zip(y.chunks(2 * unit(batch))) {
                dot_onto(x, y, true, &mut sums);
            }
            assert_eq!(sums, whole, "{batch} columns");
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(each_column_has_its_scalar pieces_have_the_sums_of_the_whole);
}
