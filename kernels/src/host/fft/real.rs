//! Transforms of real samples to half of the frequencies.

use super::columns::{Columns, apart, block_width};
use super::{Spec, check};
use crate::host::{Acc, Real, Scalar};
use num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// A transform of real samples to half of the frequencies, and its plans and scratch.
pub struct RealFft<R: Real> {
    spec: Spec,
    forward: Arc<dyn RealToComplex<R>>,
    inverse: Arc<dyn ComplexToReal<R>>,
    samples: Vec<R>,
    frequencies: Vec<Complex<R>>,
    scratch: Vec<Complex<R>>,
}

impl<R: Real> RealFft<R> {
    /// Plans the transform.
    pub fn new(spec: Spec) -> RealFft<R> {
        assert!(spec.nfft > 0, "a transform has samples");
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(spec.nfft);
        let inverse = planner.plan_fft_inverse(spec.nfft);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        let width = block_width(spec.nfft);
        RealFft {
            spec,
            forward,
            inverse,
            samples: vec![R::ZERO; width * apart::<R>(spec.nfft)],
            frequencies: vec![Scalar::ZERO; width * apart::<Complex<R>>(spec.nfft / 2 + 1)],
            scratch: vec![Scalar::ZERO; scratch],
        }
    }

    /// What the transform does.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// The frequencies after the transform, `nfft / 2 + 1`.
    pub fn range_len(&self) -> usize {
        self.spec.nfft / 2 + 1
    }

    /// `y (+)= F x`, from `[outer, n, inner]` to `[outer, range_len, inner]`.
    pub fn apply(&mut self, inner: usize, x: &[R], y: &mut [Complex<R>], acc: Acc) {
        let (from, to) = (self.spec.time(), self.spec.frequency(self.range_len()));
        if !check(inner, from, x.len(), to, y.len()) {
            return acc.prepare(y);
        }
        let (nfft, half) = (self.spec.nfft, self.range_len());
        let scale = self.spec.scale::<R>();
        let double = scale * R::nearest(2f64.sqrt());
        for (x, y) in x.chunks_exact(from.n * inner).zip(y.chunks_exact_mut(to.n * inner)) {
            for start in (0..inner).step_by(block_width(nfft)) {
                let width = block_width(nfft).min(inner - start);
                let columns = |len| Columns { inner, start, width, len };
                let (samples, frequencies) = (columns(nfft), columns(half));
                from.load(samples, x, &mut self.samples, |_, v| v);
                let both = samples.each_mut(&mut self.samples);
                for (x, y) in both.zip(frequencies.each_mut(&mut self.frequencies)) {
                    let done = self.forward.process_with_scratch(x, y, &mut self.scratch);
                    done.expect("the buffers have the lengths of the plan");
                }
                to.store(frequencies, &self.frequencies, y, acc, |f, v| {
                    v.mul_real(if is_double(f, nfft) { double } else { scale })
                });
            }
        }
    }

    /// `z (+)= Fᴴ y`, from `[outer, range_len, inner]` to `[outer, n, inner]`.
    pub fn adjoint(&mut self, inner: usize, y: &[Complex<R>], z: &mut [R], acc: Acc) {
        let (from, to) = (self.spec.frequency(self.range_len()), self.spec.time());
        if !check(inner, from, y.len(), to, z.len()) {
            return acc.prepare(z);
        }
        let (nfft, half) = (self.spec.nfft, self.range_len());
        let (scale, double) = (self.spec.scale::<R>(), R::nearest(0.5f64.sqrt()));
        for (y, z) in y.chunks_exact(from.n * inner).zip(z.chunks_exact_mut(to.n * inner)) {
            for start in (0..inner).step_by(block_width(nfft)) {
                let width = block_width(nfft).min(inner - start);
                let columns = |len| Columns { inner, start, width, len };
                let (samples, frequencies) = (columns(nfft), columns(half));
                // The inverse counts a frequency twice that stands for two, and the imaginary
                // parts of the others do not matter.
                from.load(frequencies, y, &mut self.frequencies, |f, v| {
                    if is_double(f, nfft) {
                        v.mul_real(double)
                    } else {
                        Complex::new(v.re, R::ZERO)
                    }
                });
                let both = frequencies.each_mut(&mut self.frequencies);
                for (y, z) in both.zip(samples.each_mut(&mut self.samples)) {
                    let done = self.inverse.process_with_scratch(y, z, &mut self.scratch);
                    done.expect("the buffers have the lengths of the plan");
                }
                to.store(samples, &self.samples, z, acc, |_, v| v * scale);
            }
        }
    }
}

/// Whether frequency `f` of a real transform stands for itself and its conjugate.
fn is_double(f: usize, nfft: usize) -> bool {
    (1..=(nfft - 1) / 2).contains(&f)
}
