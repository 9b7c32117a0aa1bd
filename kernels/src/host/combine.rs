//! Linear combinations of several arrays in one sweep: `y (+)= Σ c[k] x[k]`.

use super::simd::multiversion;
use super::{Acc, Real, Scalar, reals, reals_mut};
use std::array::from_fn;

/// `y (+)= Σ c[k] xs[k]`, elementwise; each of `xs` is as long as `y`.
pub fn linear<S: Scalar>(c: &[S], xs: &[&[S]], y: &mut [S], acc: Acc) {
    linear_conj(c, xs, false, y, acc);
}

/// [`linear`] of the conjugates of `xs` if `conj`.
pub(crate) fn linear_conj<S: Scalar>(c: &[S], xs: &[&[S]], conj: bool, y: &mut [S], acc: Acc) {
    assert_eq!(c.len(), xs.len(), "one coefficient for each array");
    if c.is_empty() {
        return acc.prepare(y);
    }
    let (mut k, mut acc) = (0, acc);
    while k < c.len() {
        let (c, xs) = (&c[k..], &xs[k..]);
        k += match c.len() {
            8.. => group::<S, 8>(c, xs, conj, y, acc),
            4 | 6 | 7 => group::<S, 4>(c, xs, conj, y, acc),
            5 => group::<S, 5>(c, xs, conj, y, acc),
            3 => group::<S, 3>(c, xs, conj, y, acc),
            2 => group::<S, 2>(c, xs, conj, y, acc),
            _ => group::<S, 1>(c, xs, conj, y, acc),
        };
        acc = Acc::Add;
    }
}

/// The first `K` terms; returns `K`.
fn group<S: Scalar, const K: usize>(
    c: &[S],
    xs: &[&[S]],
    conj: bool,
    y: &mut [S],
    acc: Acc,
) -> usize {
    let rows: [&[S::Real]; K] = from_fn(|k| reals(xs[k]));
    let re: [S::Real; K] = from_fn(|k| c[k].re());
    let set = acc == Acc::Set;
    if S::COMPLEX {
        let im: [S::Real; K] = from_fn(|k| c[k].im());
        complex_terms(re, im, rows, conj, reals_mut(y), set);
    } else {
        real_terms(re, rows, reals_mut(y), set);
    }
    K
}

multiversion! {
    /// `y (+)= Σ c[k] x[k]` of reals; each of `x` is at least as long as `y`.
    pub(crate) fn real_terms {R: Real, const K: usize} {R, K}
    (c: [R; K], x: [&[R]; K], y: &mut [R], set: bool) {
        let n = y.len();
        let mut rows: [&[R]; K] = [&[]; K];
        for k in 0..K {
            rows[k] = &x[k][..n];
        }
        if set {
            for (j, out) in y.iter_mut().enumerate() {
                let mut sum = c[0] * rows[0][j];
                for k in 1..K {
                    sum = c[k].fused::<FMA>(rows[k][j], sum);
                }
                *out = sum;
            }
        } else {
            for (j, out) in y.iter_mut().enumerate() {
                let mut sum = *out;
                for k in 0..K {
                    sum = c[k].fused::<FMA>(rows[k][j], sum);
                }
                *out = sum;
            }
        }
    }
}

multiversion! {
    /// `y (+)= Σ c[k] x[k]` of complex numbers as pairs of reals, of conjugates if `conj`.
    fn complex_terms {R: Real, const K: usize} {R, K}
    (re: [R; K], im: [R; K], x: [&[R]; K], conj: bool, y: &mut [R], set: bool) {
        let pairs = y.as_chunks_mut::<2>().0;
        let n = pairs.len();
        let mut rows: [&[[R; 2]]; K] = [&[]; K];
        // What a part of `x` adds to a part of `y`: real to real, imaginary to real, and so on.
        let (rr, mut ir, ri, mut ii) = (re, im, im, re);
        for k in 0..K {
            rows[k] = &x[k].as_chunks::<2>().0[..n];
            if conj {
                ii[k] = -re[k];
            } else {
                ir[k] = -im[k];
            }
        }
        for (j, out) in pairs.iter_mut().enumerate() {
            let [mut real, mut imaginary] = if set { [R::ZERO; 2] } else { *out };
            for k in 0..K {
                let [p, q] = rows[k][j];
                real = ir[k].fused::<FMA>(q, rr[k].fused::<FMA>(p, real));
                imaginary = ii[k].fused::<FMA>(q, ri[k].fused::<FMA>(p, imaginary));
            }
            *out = [real, imaginary];
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, values};

    pub fn matches_sums_term_by_term<S: Scalar>() {
        for (n, terms) in [(0, 2), (1, 1), (7, 3), (33, 5), (40, 7), (19, 8), (50, 19), (3, 0)] {
            let c: Vec<S> = values(1, terms);
            let x: Vec<Vec<S>> = (0..terms).map(|k| values(2 + k as u64, n)).collect();
            let xs: Vec<&[S]> = x.iter().map(Vec::as_slice).collect();
            let start: Vec<S> = values(99, n);
            for (acc, conj) in [(Acc::Set, false), (Acc::Add, false), (Acc::Add, true)] {
                let mut want = start.clone();
                acc.prepare(&mut want);
                for k in 0..terms {
                    want.iter_mut().zip(xs[k]).for_each(|(w, v)| *w += c[k] * v.conj_if(conj));
                }
                let mut y = start.clone();
                linear_conj(&c, &xs, conj, &mut y, acc);
                assert_close(&y, &want);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(matches_sums_term_by_term);
}
