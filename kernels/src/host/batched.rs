//! One dense product for each slice: `y[k, i, z] (+)= Σⱼ G[k, i, j] x[k, j, z]`, and its adjoint.

use super::dense::{self, Matrix};
use super::{Acc, Scalar, crew};

/// Matrices of one shape, one after the other, or their conjugates.
#[derive(Clone, Copy, Debug)]
pub struct Matrices<'a, S> {
    /// The elements of `G[k, i, j]`, row-major, and of slices that are needed after these.
    pub data: &'a [S],
    /// The number of slices, the extent of `k`.
    pub slices: usize,
    /// The extent of `i`.
    pub rows: usize,
    /// The extent of `j`.
    pub cols: usize,
    /// Whether the matrices are the conjugates of the data.
    pub conj: bool,
    /// Whether these slices are applied with their adjoint before those after them.
    pub paired: bool,
}

impl<'a, S: Scalar> Matrices<'a, S> {
    fn slice(&self, k: usize) -> Matrix<'a, S> {
        let size = self.rows * self.cols;
        let (data, all) = (&self.data[k * size..], self.slices * size);
        let after = if self.paired && self.data.len() > all { all } else { 0 };
        let Matrices { rows, cols, conj, .. } = *self;
        Matrix { data, rows, cols, stride: cols, conj, after }
    }
}

/// `y[k] (+)= G[k] x[k]` for every slice, of `nz` columns each.
pub fn apply<S: Scalar>(g: Matrices<'_, S>, nz: usize, x: &[S], y: &mut [S], acc: Acc) {
    let (from, to) = (g.cols * nz, g.rows * nz);
    assert_eq!((x.len(), y.len()), (g.slices * from, g.slices * to), "slices of {nz} columns");
    each(g, nz, (x, from), (y, to), |g, x, y| dense::apply(g, nz, x, y, acc));
}

/// `z[k] (+)= G[k]ᴴ y[k]` for every slice, of `nz` columns each.
pub fn adjoint<S: Scalar>(g: Matrices<'_, S>, nz: usize, y: &[S], z: &mut [S], acc: Acc) {
    let (from, to) = (g.rows * nz, g.cols * nz);
    assert_eq!((y.len(), z.len()), (g.slices * from, g.slices * to), "slices of {nz} columns");
    each(g, nz, (y, from), (z, to), |g, y, z| dense::adjoint(g, nz, y, z, acc));
}

/// All slices, of so many elements on both sides; each hand makes some of them, or a part of one.
fn each<S: Scalar>(
    g: Matrices<'_, S>,
    nz: usize,
    (x, from): (&[S], usize),
    (y, to): (&mut [S], usize),
    product: impl Fn(Matrix<'_, S>, &[S], &mut [S]) + Sync,
) {
    if to == 0 {
        return;
    }
    if g.slices == 1 {
        return product(g.slice(0), x, y);
    }
    let work = g.slices * g.rows * g.cols * size_of::<S>() * nz;
    crew::over(work, to, y, |some, y| {
        for (k, y) in y.chunks_mut(to).enumerate() {
            let k = some.start / to + k;
            product(g.slice(k), &x[k * from..(k + 1) * from], y);
        }
    });
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    pub fn slices_are_independent<S: Scalar>() {
        for (slices, rows, cols, nz) in
            [(3, 4, 5, 1), (2, 5, 3, 4), (0, 2, 2, 2), (2, 0, 3, 2), (4, 1, 1, 1)]
        {
            let data: Vec<S> = values(1, slices * rows * cols);
            for conj in [false, true] {
                let g = Matrices { data: &data, slices, rows, cols, conj, paired: conj };
                let x: Vec<S> = values(2, slices * cols * nz);
                let u: Vec<S> = values(3, slices * rows * nz);
                let mut y: Vec<S> = values(4, u.len());
                let mut want = y.clone();
                for (k, i, j) in indices(slices, rows, cols) {
                    let value = data[(k * rows + i) * cols + j].conj_if(conj);
                    for c in 0..nz {
                        want[(k * rows + i) * nz + c] += value * x[(k * cols + j) * nz + c];
                    }
                }
                apply(g, nz, &x, &mut y, Acc::Add);
                assert_close(&y, &want);
                let mut z = vec![S::ONE; x.len()];
                apply(g, nz, &x, &mut y, Acc::Set);
                adjoint(g, nz, &u, &mut z, Acc::Set);
                assert_dots(&x, &y, &u, &z);
            }
        }
    }

    fn indices(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..a * b * c).map(move |n| (n / (b * c), n / c % b, n % c))
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(slices_are_independent);
}
