//! Transforms of real samples to half of the frequencies.

use super::columns::{apart, block_width};
use super::{Blocks, Columns, Plane, Spec, check};
use crate::host::crew::{self, Divided};
use crate::host::{Acc, Real, Scalar};
use num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// A transform of real samples to half of the frequencies, and its plans and scratch.
pub struct RealFft<R: Real> {
    spec: Spec,
    forward: Arc<dyn RealToComplex<R>>,
    inverse: Arc<dyn ComplexToReal<R>>,
    hands: Vec<Scratch<R>>,
}

/// What a hand needs.
#[derive(Clone)]
struct Scratch<R> {
    samples: Vec<R>,
    frequencies: Vec<Complex<R>>,
    work: Vec<Complex<R>>,
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
        let hand = Scratch {
            samples: vec![R::ZERO; width * apart::<R>(spec.nfft)],
            frequencies: vec![Scalar::ZERO; width * apart::<Complex<R>>(spec.nfft / 2 + 1)],
            work: vec![Scalar::ZERO; scratch],
        };
        RealFft { spec, forward, inverse, hands: vec![hand; crew::threads()] }
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
        let blocks = Blocks::new(x.len(), from.n, inner, nfft);
        let hands = blocks.hands(nfft, self.hands.len());
        let (forward, y) = (&*self.forward, Divided::new(y));
        crew::with(&mut self.hands[..hands], |hand, own| {
            for (outer, start, width) in blocks.of(hands, hand) {
                let columns = |len| Columns { inner, start, width, len };
                let (samples, frequencies) = (columns(nfft), columns(half));
                let x = &x[outer * from.n * inner..][..from.n * inner];
                from.load(samples, x, &mut own.samples, |_, v| v);
                let both = samples.each_mut(&mut own.samples);
                for (x, y) in both.zip(frequencies.each_mut(&mut own.frequencies)) {
                    let done = forward.process_with_scratch(x, y, &mut own.work);
                    done.expect("the buffers have the lengths of the plan");
                }
                let y = Plane { array: &y, start: outer * to.n * inner };
                let scaled =
                    |f, v: Complex<R>| v.mul_real(if is_double(f, nfft) { double } else { scale });
                // SAFETY: hands have different columns.
                unsafe { to.store(frequencies, &own.frequencies, (y, acc), scaled) };
            }
        });
    }

    /// `z (+)= Fᴴ y`, from `[outer, range_len, inner]` to `[outer, n, inner]`.
    pub fn adjoint(&mut self, inner: usize, y: &[Complex<R>], z: &mut [R], acc: Acc) {
        let (from, to) = (self.spec.frequency(self.range_len()), self.spec.time());
        if !check(inner, from, y.len(), to, z.len()) {
            return acc.prepare(z);
        }
        let (nfft, half) = (self.spec.nfft, self.range_len());
        let (scale, double) = (self.spec.scale::<R>(), R::nearest(0.5f64.sqrt()));
        let blocks = Blocks::new(y.len(), from.n, inner, nfft);
        let hands = blocks.hands(nfft, self.hands.len());
        let (inverse, z) = (&*self.inverse, Divided::new(z));
        crew::with(&mut self.hands[..hands], |hand, own| {
            for (outer, start, width) in blocks.of(hands, hand) {
                let columns = |len| Columns { inner, start, width, len };
                let (samples, frequencies) = (columns(nfft), columns(half));
                let y = &y[outer * from.n * inner..][..from.n * inner];
                // The inverse counts a frequency twice that stands for two, and the imaginary
                // parts of the others do not matter.
                from.load(frequencies, y, &mut own.frequencies, |f, v| {
                    if is_double(f, nfft) {
                        v.mul_real(double)
                    } else {
                        Complex::new(v.re, R::ZERO)
                    }
                });
                let both = frequencies.each_mut(&mut own.frequencies);
                for (y, z) in both.zip(samples.each_mut(&mut own.samples)) {
                    let done = inverse.process_with_scratch(y, z, &mut own.work);
                    done.expect("the buffers have the lengths of the plan");
                }
                let z = Plane { array: &z, start: outer * to.n * inner };
                // SAFETY: hands have different columns.
                unsafe { to.store(samples, &own.samples, (z, acc), |_, v| v * scale) };
            }
        });
    }
}

/// Whether frequency `f` of a real transform stands for itself and its conjugate.
fn is_double(f: usize, nfft: usize) -> bool {
    (1..=(nfft - 1) / 2).contains(&f)
}
