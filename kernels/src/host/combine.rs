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

/// Reals that a complex loop takes at once.
const LANES: usize = 16;

multiversion! {
    /// `y (+)= Σ c[k] x[k]` of complex numbers as pairs of reals, of conjugates if `conj`.
    ///
    /// With `s` the pairs of `x` swapped, a product is `p x + q s` for constants that alternate.
    fn complex_terms {R: Real, const K: usize} {R, K}
    (re: [R; K], im: [R; K], x: [&[R]; K], conj: bool, y: &mut [R], set: bool) {
        let n = y.len();
        let mut rows: [&[R]; K] = [&[]; K];
        let mut p = [[R::ZERO; LANES]; K];
        let mut q = [[R::ZERO; LANES]; K];
        for k in 0..K {
            rows[k] = &x[k][..n];
            for l in 0..LANES {
                let odd = l % 2 == 1;
                p[k][l] = if conj && odd { -re[k] } else { re[k] };
                q[k][l] = if conj || odd { im[k] } else { -im[k] };
            }
        }
        let mut at = 0;
        while at + LANES <= n {
            let mut sum = [R::ZERO; LANES];
            if !set {
                sum.copy_from_slice(&y[at..at + LANES]);
            }
            for k in 0..K {
                let row = &rows[k][at..at + LANES];
                for l in 0..LANES {
                    sum[l] = p[k][l].fused::<FMA>(row[l], sum[l]);
                    sum[l] = q[k][l].fused::<FMA>(row[l ^ 1], sum[l]);
                }
            }
            y[at..at + LANES].copy_from_slice(&sum);
            at += LANES;
        }
        for j in at..n {
            let mut sum = if set { R::ZERO } else { y[j] };
            for k in 0..K {
                sum = p[k][j % 2].fused::<FMA>(rows[k][j], sum);
                sum = q[k][j % 2].fused::<FMA>(rows[k][j ^ 1], sum);
            }
            y[j] = sum;
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
