//! Linear combinations of several arrays in one sweep: `y (+)= Σ c[k] x[k]`.

use super::simd::versions;
use super::{Acc, Real, Scalar, past, reals, reals_mut};
use std::array::from_fn;

/// `y (+)= Σ c[k] xs[k]`, elementwise; each of `xs` is as long as `y`.
pub fn linear<S: Scalar>(c: &[S], xs: &[&[S]], y: &mut [S], acc: Acc) {
    assert_eq!(c.len(), xs.len(), "one coefficient for each array");
    if acc == Acc::Set && c.len() == 1 {
        assert_eq!(xs[0].len(), y.len(), "arrays of equal length");
        return past::made(y, |some, y| all_terms(c, &[&xs[0][some]], y, acc));
    }
    all_terms(c, xs, y, acc);
}

fn all_terms<S: Scalar>(c: &[S], xs: &[&[S]], y: &mut [S], acc: Acc) {
    if c.is_empty() {
        return acc.prepare(y);
    }
    let (mut k, mut acc) = (0, acc);
    while k < c.len() {
        let (c, xs) = (&c[k..], &xs[k..]);
        k += match c.len() {
            8.. => group::<S, 8>(c, xs, y, acc),
            7 => group::<S, 7>(c, xs, y, acc),
            6 => group::<S, 6>(c, xs, y, acc),
            5 => group::<S, 5>(c, xs, y, acc),
            4 => group::<S, 4>(c, xs, y, acc),
            3 => group::<S, 3>(c, xs, y, acc),
            2 => group::<S, 2>(c, xs, y, acc),
            _ => group::<S, 1>(c, xs, y, acc),
        };
        acc = Acc::Add;
    }
}

/// The first `K` terms; returns `K`.
fn group<S: Scalar, const K: usize>(c: &[S], xs: &[&[S]], y: &mut [S], acc: Acc) -> usize {
    let rows: [&[S::Real]; K] = from_fn(|k| reals(xs[k]));
    let re: [S::Real; K] = from_fn(|k| c[k].re());
    let set = acc == Acc::Set;
    if S::COMPLEX {
        let im: [S::Real; K] = from_fn(|k| c[k].im());
        complex_terms(re, im, rows, reals_mut(y), set);
    } else {
        real_terms(re, rows, reals_mut(y), set);
    }
    K
}

versions! {
    fn real_terms {R: Real, const K: usize} {R, K}
    (c: [R; K], x: [&[R]; K], y: &mut [R], set: bool) {
        let n = y.len();
        let mut from = [y.as_ptr(); K];
        for k in 0..K {
            from[k] = x[k][..n].as_ptr();
        }
        // SAFETY: All loads and stores end at `n` elements at most, which `y` and all of `x` have.
        // The machine is the caller's care.
        unsafe {
            let mut coefficients = [V::splat(R::ZERO); K];
            for k in 0..K {
                coefficients[k] = V::splat(c[k]);
            }
            let mut at = 0;
            while at + V::LANES <= n {
                let out = y.as_mut_ptr().add(at);
                let first = V::load(from[0].add(at));
                let mut sum = if set {
                    coefficients[0].times(first)
                } else {
                    coefficients[0].fused(first, V::load(out))
                };
                for k in 1..K {
                    sum = coefficients[k].fused(V::load(from[k].add(at)), sum);
                }
                sum.store(out);
                at += V::LANES;
            }
            for j in at..n {
                let mut sum =
                    if set { c[0] * x[0][j] } else { V::one(c[0], x[0][j], y[j]) };
                for k in 1..K {
                    sum = V::one(c[k], x[k][j], sum);
                }
                y[j] = sum;
            }
        }
    }
}

versions! {
    /// `y (+)= Σ c[k] x[k]` of complex numbers as pairs of reals.
    fn complex_terms {R: Real, const K: usize} {R, K}
    (re: [R; K], im: [R; K], x: [&[R]; K], y: &mut [R], set: bool) {
        let n = y.len();
        let mut from = [y.as_ptr(); K];
        for k in 0..K {
            from[k] = x[k][..n].as_ptr();
        }
        // SAFETY: As for `real_terms`.
        unsafe {
            // What a pair of `x` adds to one of `y`, part to the same part, and to the other one.
            let mut straight = [V::splat(R::ZERO); K];
            let mut crossed = straight;
            for k in 0..K {
                straight[k] = V::splat(re[k]);
                crossed[k] = V::pair(-im[k], im[k]);
            }
            let mut at = 0;
            while at + V::LANES <= n {
                let out = y.as_mut_ptr().add(at);
                let mut sum = if set { V::splat(R::ZERO) } else { V::load(out) };
                for k in 0..K {
                    let v = V::load(from[k].add(at));
                    sum = crossed[k].fused(v.swapped(), straight[k].fused(v, sum));
                }
                sum.store(out);
                at += V::LANES;
            }
            for j in at..n {
                let mut sum = if set { R::ZERO } else { y[j] };
                for k in 0..K {
                    let other = if j % 2 == 1 { im[k] } else { -im[k] };
                    sum = V::one(other, x[k][j ^ 1], V::one(re[k], x[k][j], sum));
                }
                y[j] = sum;
            }
        }
    }
}

/// `y = a x + z`.
pub(super) fn axpy<S: Scalar>(a: S, x: &[S], z: &[S], y: &mut [S]) {
    assert_eq!((x.len(), z.len()), (y.len(), y.len()), "arrays of equal length");
    // SAFETY: the three are as long as `y`.
    unsafe { sum(a, x.as_ptr(), z.as_ptr(), y.as_mut_ptr(), y.len()) }
}

/// `y = a x + y`.
pub(super) fn axpy_onto<S: Scalar>(a: S, x: &[S], y: &mut [S]) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    let to = y.as_mut_ptr();
    // SAFETY: both are as long as `y`, which is read and written through one pointer.
    unsafe { sum(a, x.as_ptr(), to, to, y.len()) }
}

/// `y = a y + z`.
pub(super) fn axpy_over<S: Scalar>(a: S, z: &[S], y: &mut [S]) {
    assert_eq!(z.len(), y.len(), "arrays of equal length");
    let to = y.as_mut_ptr();
    // SAFETY: both are as long as `y`, which is read and written through one pointer.
    unsafe { sum(a, to, z.as_ptr(), to, y.len()) }
}

/// `y = a x + z`.
///
/// # Safety
/// There are `n` elements at each pointer, and `y` overlaps the others nowhere or is one of them.
unsafe fn sum<S: Scalar>(a: S, x: *const S, z: *const S, y: *mut S, n: usize) {
    // The type of the parts has their size and alignment.
    let (x, z, y) = (x.cast::<S::Real>(), z.cast::<S::Real>(), y.cast::<S::Real>());
    let arrays = Arrays { x, z, y, n: n * S::PARTS };
    if S::COMPLEX {
        complex_sum(a.re(), a.im(), arrays);
    } else {
        real_sum(a.re(), arrays);
    }
}

/// Pointers to `n` reals each; `y` overlaps the others nowhere or is one of them.
#[derive(Clone, Copy)]
struct Arrays<R> {
    x: *const R,
    z: *const R,
    y: *mut R,
    n: usize,
}

versions! {
    fn real_sum {R: Real} {R} (a: R, arrays: Arrays<R>) {
        let Arrays { x, z, y, n } = arrays;
        // SAFETY: There are `n` reals at each pointer, and what is written was read before.
        // The machine is the caller's care.
        unsafe {
            let factor = V::splat(a);
            let mut at = 0;
            while at + V::LANES <= n {
                factor.fused(V::load(x.add(at)), V::load(z.add(at))).store(y.add(at));
                at += V::LANES;
            }
            for j in at..n {
                *y.add(j) = V::one(a, *x.add(j), *z.add(j));
            }
        }
    }
}

versions! {
    fn complex_sum {R: Real} {R} (re: R, im: R, arrays: Arrays<R>) {
        let Arrays { x, z, y, n } = arrays;
        // SAFETY: There are `n` reals at each pointer, which are pairs, and what is written was
        // read before. The machine is the caller's care.
        unsafe {
            let (straight, crossed) = (V::splat(re), V::pair(-im, im));
            let mut at = 0;
            while at + V::LANES <= n {
                let v = V::load(x.add(at));
                let own = straight.fused(v, V::load(z.add(at)));
                crossed.fused(v.swapped(), own).store(y.add(at));
                at += V::LANES;
            }
            for j in (at..n).step_by(2) {
                let (p, q) = (*x.add(j), *x.add(j + 1));
                let own = V::one(re, p, *z.add(j));
                let other = V::one(re, q, *z.add(j + 1));
                *y.add(j) = V::one(-im, q, own);
                *y.add(j + 1) = V::one(im, p, other);
            }
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
            for acc in [Acc::Set, Acc::Add] {
                let mut want = start.clone();
                acc.prepare(&mut want);
                for k in 0..terms {
                    want.iter_mut().zip(xs[k]).for_each(|(w, v)| *w += c[k] * *v);
                }
                let mut y = start.clone();
                linear(&c, &xs, &mut y, acc);
                assert_close(&y, &want);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(matches_sums_term_by_term);
}
