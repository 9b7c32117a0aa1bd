//! Discrete Fourier transforms along the middle axis of `[outer, n, inner]`, as PyLops's `FFT`.
//!
//! The axis is shifted if asked for, then cut or zero-padded to `nfft` samples, transformed and
//! scaled, and the result shifted if asked for. The adjoints are exact, so that those of `Ortho`
//! invert the transform. A real transform keeps the `nfft / 2 + 1` frequencies that are not
//! redundant, and scales those that stand for two by √2; its adjoint is that of the real-linear
//! map, with respect to `Re <x, y>`.
//!
//! A plan owns its scratch; an apply allocates nothing. Contiguous axes go straight from input to
//! output where nothing has to be rearranged; others are gathered in blocks of columns.

mod complex;

mod real;

pub(super) mod columns;

use super::{Real, crew};
use columns::{Columns, Plane, Shifted, block_width};
pub use complex::ComplexFft;
pub use real::RealFft;

/// How a transform and its adjoint are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Both by `1/√nfft`, so that the transform is an isometry if nothing is cut.
    Ortho,
    /// Neither.
    None,
    /// Both by `1/nfft`.
    OneOverN,
}

/// What a transform does to its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The samples of the axis.
    pub n: usize,
    /// The samples that are transformed, at least one.
    pub nfft: usize,
    /// The scaling.
    pub norm: Norm,
    /// Whether the middle sample becomes the first before the transform.
    pub ifftshift_before: bool,
    /// Whether frequency zero is moved to the middle after the transform.
    pub fftshift_after: bool,
}

impl Spec {
    fn scale<R: Real>(&self) -> R {
        let n = self.nfft as f64;
        R::nearest(match self.norm {
            Norm::Ortho => 1.0 / n.sqrt(),
            Norm::None => 1.0,
            Norm::OneOverN => 1.0 / n,
        })
    }

    fn time(&self) -> Shifted {
        Shifted::new(self.n, self.ifftshift_before)
    }

    fn frequency(&self, len: usize) -> Shifted {
        Shifted::new(len, self.fftshift_after)
    }
}

/// Blocks of columns of all outer indices, for several hands.
#[derive(Clone, Copy)]
struct Blocks {
    outer: usize,
    inner: usize,
    width: usize,
}

impl Blocks {
    /// The blocks of `elements` of axes of so many samples.
    fn new(elements: usize, samples: usize, inner: usize, nfft: usize) -> Blocks {
        Blocks { outer: elements / (samples * inner), inner, width: block_width(nfft) }
    }

    /// How many hands so many samples of each column are worth, of as many as there are.
    fn hands(self, nfft: usize, most: usize) -> usize {
        let each = nfft * (nfft.max(2).ilog2() as usize * 5 + 30);
        crew::hands(self.outer * self.inner * each).min(most)
    }

    /// What a hand does: outer indices and columns of so many samples.
    fn of(self, hands: usize, hand: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let blocks = self.inner.div_ceil(self.width);
        crew::part(self.outer * blocks, 1, hands, hand).map(move |k| {
            let start = k % blocks * self.width;
            (k / blocks, start, self.width.min(self.inner - start))
        })
    }
}

/// Checks the lengths; false if there is nothing to read.
fn check(inner: usize, from: Shifted, x: usize, to: Shifted, y: usize) -> bool {
    assert_eq!(x * to.n, y * from.n, "arrays with the same other extents");
    assert!(inner > 0 || (x == 0 && y == 0), "elements need an innermost extent");
    assert!(x == 0 || x.is_multiple_of(from.n * inner), "whole axes");
    x > 0 && y > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::dot::dot_re;
    use crate::host::testing::{assert_close, assert_dots, values};
    use crate::host::{Acc, Scalar};
    use num_complex::Complex;
    use std::f64::consts::TAU;

    const SHAPES: [(usize, usize, usize, usize); 11] = [
        (1, 1, 1, 1),
        (1, 2, 2, 1),
        (2, 8, 8, 1),
        (2, 7, 7, 3),
        (1, 6, 9, 2),
        (3, 9, 5, 1),
        (1, 5, 8, 37),
        (2, 21, 32, 23),
        (1, 27, 20, 16),
        (0, 5, 4, 2),
        (2, 0, 3, 2),
    ];

    fn specs() -> impl Iterator<Item = (usize, usize, Spec)> {
        SHAPES.into_iter().flat_map(|(outer, n, nfft, inner)| {
            [Norm::Ortho, Norm::None, Norm::OneOverN].into_iter().flat_map(move |norm| {
                [(false, false), (true, false), (false, true), (true, true)].map(|shifts| {
                    let (ifftshift_before, fftshift_after) = shifts;
                    (outer, inner, Spec { n, nfft, norm, ifftshift_before, fftshift_after })
                })
            })
        })
    }

    /// The definition, sample by sample in double precision; `real` keeps half and scales it.
    fn naive(spec: Spec, real: bool, outer: usize, inner: usize, x: &[f64]) -> Vec<Complex<f64>> {
        let Spec { n, nfft, .. } = spec;
        let len = if real { nfft / 2 + 1 } else { nfft };
        let mut y = vec![Complex::ZERO; outer * len * inner];
        for (o, c) in (0..outer).flat_map(|o| (0..inner).map(move |c| (o, c))) {
            for f in 0..len {
                let mut sum = Complex::ZERO;
                for t in 0..n.min(nfft) {
                    let from = if spec.ifftshift_before { (t + n / 2) % n } else { t };
                    let value = Complex::new(x[(o * n + from) * inner + c], 0.0);
                    sum += value * Complex::cis(-TAU * ((f * t) % nfft) as f64 / nfft as f64);
                }
                let to = if spec.fftshift_after { (f + len / 2) % len } else { f };
                let twice = if real && f > 0 && 2 * f < nfft { 2f64.sqrt() } else { 1.0 };
                y[(o * len + to) * inner + c] = sum * twice * spec.scale::<f64>();
            }
        }
        y
    }

    fn complex<R: Real>() {
        for (outer, inner, spec) in specs() {
            let mut fft = ComplexFft::<R>::new(spec);
            let (from, to) = (outer * spec.n * inner, outer * spec.nfft * inner);
            let (re, im): (Vec<f64>, Vec<f64>) = (values(1, from), values(2, from));
            let parts = re.iter().zip(&im).map(|(&re, &im)| Complex::new(re, im));
            let x: Vec<Complex<R>> = parts.map(Scalar::from_c128).collect();
            let mut y: Vec<Complex<R>> = values(3, to);
            let start = y.clone();
            let parts = naive(spec, false, outer, inner, &re);
            let want = parts.iter().zip(naive(spec, false, outer, inner, &im));
            let want: Vec<Complex<R>> =
                want.map(|(re, im)| Scalar::from_c128(*re + Complex::<f64>::I * im)).collect();
            fft.apply(inner, &x, &mut y, Acc::Set);
            assert_close(&y, &want);
            let mut sum = start.clone();
            fft.apply(inner, &x, &mut sum, Acc::Add);
            sum.iter_mut().zip(&start).for_each(|(v, s)| *v -= *s);
            assert_close(&sum, &want);
            let u: Vec<Complex<R>> = values(4, to);
            let (mut z, mut sum): (Vec<_>, Vec<_>) = (values(5, from), values(6, from));
            let start = sum.clone();
            fft.adjoint(inner, &u, &mut z, Acc::Set);
            fft.adjoint(inner, &u, &mut sum, Acc::Add);
            sum.iter_mut().zip(&start).for_each(|(v, s)| *v -= *s);
            assert_close(&sum, &z);
            assert_dots(&x, &y, &u, &z);
        }
    }

    fn real<R: Real>() {
        for (outer, inner, spec) in specs() {
            let mut fft = RealFft::<R>::new(spec);
            let (from, to) = (outer * spec.n * inner, outer * fft.range_len() * inner);
            let wide: Vec<f64> = values(1, from);
            let x: Vec<R> = wide.iter().map(|&v| R::nearest(v)).collect();
            let want = naive(spec, true, outer, inner, &wide);
            let want: Vec<Complex<R>> = want.into_iter().map(Scalar::from_c128).collect();
            let mut y: Vec<Complex<R>> = values(2, to);
            let start = y.clone();
            fft.apply(inner, &x, &mut y, Acc::Add);
            y.iter_mut().zip(&start).for_each(|(v, s)| *v -= *s);
            assert_close(&y, &want);
            fft.apply(inner, &x, &mut y, Acc::Set);
            assert_close(&y, &want);
            let u: Vec<Complex<R>> = values(3, to);
            let (mut z, mut sum): (Vec<R>, Vec<R>) = (values(4, from), values(5, from));
            let start = sum.clone();
            fft.adjoint(inner, &u, &mut z, Acc::Set);
            fft.adjoint(inner, &u, &mut sum, Acc::Add);
            sum.iter_mut().zip(&start).for_each(|(v, s)| *v -= *s);
            assert_close(&sum, &z);
            let left = dot_re(&u, &y);
            let right = dot_re(&z, &x);
            let tol = if size_of::<R>() == 4 { 1e-4 } else { 1e-11 };
            assert!((left - right).abs() <= tol * left.abs().max(1.0), "{left} is not {right}");
        }
    }

    #[test]
    fn complex_transforms_match_the_definition() {
        complex::<f32>();
        complex::<f64>();
    }

    #[test]
    fn real_transforms_match_the_definition() {
        real::<f32>();
        real::<f64>();
    }
}
