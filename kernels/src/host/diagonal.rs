//! Weights along one axis: `y[o, i, c] (+)= d[i] x[o, i, c]`.

use super::{Acc, Scalar, combine, crew, vector};

/// Multiplies each row `i` of `[outer, d.len(), inner]` by `d[i]`, or by its conjugate; the number
/// of outer indices follows from the lengths.
pub fn apply<S: Scalar>(d: &[S], conj: bool, inner: usize, x: &[S], y: &mut [S], acc: Acc) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    let plane = d.len() * inner;
    if x.is_empty() {
        return;
    }
    assert!(plane > 0 && x.len().is_multiple_of(plane), "whole rows of weights");
    let work = 3 * size_of_val(x);
    if x.len() == plane {
        return crew::over(work, inner, y, |some, y| {
            let d = &d[some.start / inner..some.end / inner];
            rows(d, conj, inner, &x[some], y, acc);
        });
    }
    crew::over(work, plane, y, |some, y| {
        for (x, y) in x[some].chunks_exact(plane).zip(y.chunks_exact_mut(plane)) {
            rows(d, conj, inner, x, y, acc);
        }
    });
}

/// One outer index.
fn rows<S: Scalar>(d: &[S], conj: bool, inner: usize, x: &[S], y: &mut [S], acc: Acc) {
    match inner {
        1 if conj => vector::mul_conj(d, x, y, acc),
        1 => vector::mul(d, x, y, acc),
        2 => narrow::<S, 2>(d, conj, x, y, acc),
        3..16 => short(d, conj, inner, x, y, acc),
        _ => long(d, conj, inner, x, y, acc),
    }
}

/// Rows of a length known when compiled; `N = 2` is real weights on complex numbers.
fn narrow<S: Scalar, const N: usize>(d: &[S], conj: bool, x: &[S], y: &mut [S], acc: Acc) {
    let rows = x.as_chunks::<N>().0.iter().zip(y.as_chunks_mut::<N>().0);
    for (&weight, (row, out)) in d.iter().zip(rows) {
        let weight = weight.conj_if(conj);
        (0..N).for_each(|c| acc.put(&mut out[c], weight * row[c]));
    }
}

fn short<S: Scalar>(d: &[S], conj: bool, inner: usize, x: &[S], y: &mut [S], acc: Acc) {
    for (&weight, (row, out)) in d.iter().zip(x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)))
    {
        let weight = weight.conj_if(conj);
        vector::map(row, out, acc, |v| weight * v);
    }
}

fn long<S: Scalar>(d: &[S], conj: bool, inner: usize, x: &[S], y: &mut [S], acc: Acc) {
    for (&weight, (row, out)) in d.iter().zip(x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)))
    {
        combine::linear(&[weight.conj_if(conj)], &[row], out, acc);
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, values};

    pub fn weighs_the_middle_axis<S: Scalar>() {
        for (outer, n, inner) in
            [(0, 3, 2), (2, 0, 3), (1, 5, 1), (3, 4, 2), (2, 3, 5), (2, 5, 40), (2, 3, 0)]
        {
            let d: Vec<S> = values(1, n);
            let size = outer * n * inner;
            let (x, start): (Vec<S>, Vec<S>) = (values(2, size), values(3, size));
            for (acc, conj) in [(Acc::Set, false), (Acc::Add, true), (Acc::Add, false)] {
                let (mut y, mut want) = (start.clone(), start.clone());
                for i in 0..size {
                    acc.put(&mut want[i], d[i / inner % n].conj_if(conj) * x[i]);
                }
                apply(&d, conj, inner, &x, &mut y, acc);
                assert_close(&y, &want);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(weighs_the_middle_axis);
}
