//! Running sums along the middle axis of `[outer, n, inner]`:
//! `y[o, i, c] (+)= step (Σⱼ x[o, j, c] + last x[o, i, c])` over `j < i`, where `x[o, 0, c]` counts
//! `first` times; and their adjoint, running sums from the end.
//!
//! Both sides are windows of the axis; what a window lacks counts as zero in what is read and is
//! left out of what is written.

use super::index::Window;
use super::{Acc, Real, Scalar};

/// What samples count in a running sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integral<R> {
    /// The distance between samples.
    pub step: R,
    /// What the first sample of the axis counts in sums that reach beyond it.
    pub first: R,
    /// What the last sample of each sum counts.
    pub last: R,
}

impl<R: Real> Integral<R> {
    /// `y (+)= A x`; `sum` is scratch of `inner` elements.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn apply<S: Scalar<Real = R>>(
        &self,
        sum: &mut [S],
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        acc.prepare(y);
        let inner = sum.len();
        if !nonempty(inner, (from, x.len()), (to, y.len())) {
            return;
        }
        let planes = x.chunks_exact(from.len * inner).zip(y.chunks_exact_mut(to.len * inner));
        for (x, y) in planes {
            sum.fill(S::ZERO);
            for j in from.start..from.end().min(to.start) {
                add(self.before(j), row(x, from, j, inner), sum);
            }
            for (i, out) in (to.start..).zip(y.chunks_exact_mut(inner)) {
                add(self.step, Some(sum), out);
                let x = row(x, from, i, inner);
                add(self.step * self.last, x, out);
                add(self.before(i), x, sum);
            }
        }
    }

    /// `z (+)= Aᴴ y`; `sum` is scratch of `inner` elements.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn adjoint<S: Scalar<Real = R>>(
        &self,
        sum: &mut [S],
        (to, y): (Window, &[S]),
        (from, z): (Window, &mut [S]),
        acc: Acc,
    ) {
        acc.prepare(z);
        let inner = sum.len();
        if !nonempty(inner, (from, z.len()), (to, y.len())) {
            return;
        }
        let planes = y.chunks_exact(to.len * inner).zip(z.chunks_exact_mut(from.len * inner));
        for (y, z) in planes {
            sum.fill(S::ZERO);
            for i in to.start.max(from.end())..to.end() {
                add(R::ONE, row(y, to, i, inner), sum);
            }
            for (j, out) in (from.start..from.end()).zip(z.chunks_exact_mut(inner)).rev() {
                add(self.step * self.before(j), Some(sum), out);
                let y = row(y, to, j, inner);
                add(self.step * self.last, y, out);
                add(R::ONE, y, sum);
            }
        }
    }

    /// What sample `j` counts in later sums.
    fn before(&self, j: usize) -> R {
        if j == 0 { self.first } else { R::ONE }
    }
}

/// A row of a window, if it is there.
fn row<S>(x: &[S], window: Window, i: usize, inner: usize) -> Option<&[S]> {
    window.local(i).map(|at| &x[at * inner..(at + 1) * inner])
}

fn add<S: Scalar>(c: S::Real, x: Option<&[S]>, y: &mut [S]) {
    let terms = y.iter_mut().zip(x.unwrap_or_default());
    terms.for_each(|(y, &x)| *y += x.mul_real(c));
}

/// Whether both sides have elements; they must be whole windows with the same outer extent.
fn nonempty(inner: usize, from: (Window, usize), to: (Window, usize)) -> bool {
    let (from_size, to_size) = (from.0.len * inner, to.0.len * inner);
    assert_eq!(from.1 * to_size, to.1 * from_size, "arrays with the same outer extent");
    for (len, size) in [(from.1, from_size), (to.1, to_size)] {
        assert!((size == 0 && len == 0) || len.is_multiple_of(size), "whole windows");
    }
    from.1 > 0 && to.1 > 0
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, assert_dots, values};

    pub fn windows_match_the_definition<S: Scalar>() {
        let [step, first, last] = [0.75, 0.25, 0.5].map(S::Real::nearest);
        let integral = Integral { step, first, last };
        for (from, to) in [(0..9, 0..9), (0..3, 5..9), (2..6, 4..8), (4..9, 0..7), (6..9, 0..4)] {
            for (outer, inner) in [(1, 1), (2, 3), (0, 2), (2, 0)] {
                let window = |r: &std::ops::Range<usize>| Window { start: r.start, len: r.len() };
                let (from, to) = (window(&from), window(&to));
                let x: Vec<S> = values(1, outer * from.len * inner);
                let u: Vec<S> = values(2, outer * to.len * inner);
                let mut y: Vec<S> = values(3, u.len());
                let mut want = y.clone();
                for (n, slot) in want.iter_mut().enumerate() {
                    let (o, i, c) =
                        (n / (to.len * inner), to.start + n / inner % to.len, n % inner);
                    for j in from.start..from.end().min(i + 1) {
                        let own = if i == 0 || j > 0 { S::Real::ONE } else { first };
                        let weight = if i == j { last } else { own };
                        let x = x[(o * from.len + j - from.start) * inner + c];
                        *slot += x.mul_real(step * weight);
                    }
                }
                let mut sum = vec![S::ONE; inner];
                integral.apply(&mut sum, (from, &x), (to, &mut y), Acc::Add);
                assert_close(&y, &want);
                integral.apply(&mut sum, (from, &x), (to, &mut y), Acc::Set);
                let (mut z, mut twice): (Vec<S>, Vec<S>) =
                    (values(4, x.len()), vec![S::ZERO; x.len()]);
                integral.adjoint(&mut sum, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
                for _ in 0..2 {
                    integral.adjoint(&mut sum, (to, &u), (from, &mut twice), Acc::Add);
                }
                let want: Vec<S> = z.iter().map(|&v| v + v).collect();
                assert_close(&twice, &want);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(windows_match_the_definition);
}
