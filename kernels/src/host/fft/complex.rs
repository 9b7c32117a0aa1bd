//! Transforms of complex samples.

use super::columns::{Columns, Shifted, apart, block_width};
use super::{Spec, check};
use crate::host::{Acc, Real, Scalar, reals_mut};
use num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// A transform of complex samples, and its plans and scratch.
pub struct ComplexFft<R: Real> {
    spec: Spec,
    forward: Arc<dyn Fft<R>>,
    inverse: Arc<dyn Fft<R>>,
    columns: Vec<Complex<R>>,
    scratch: Vec<Complex<R>>,
}

impl<R: Real> ComplexFft<R> {
    /// Plans the transform.
    pub fn new(spec: Spec) -> ComplexFft<R> {
        assert!(spec.nfft > 0, "a transform has samples");
        let mut planner = FftPlanner::new();
        let forward = planner.plan_fft_forward(spec.nfft);
        let inverse = planner.plan_fft_inverse(spec.nfft);
        let scratch = [&forward, &inverse]
            .iter()
            .map(|fft| fft.get_inplace_scratch_len().max(fft.get_immutable_scratch_len()))
            .max();
        ComplexFft {
            spec,
            forward,
            inverse,
            columns: vec![Scalar::ZERO; block_width(spec.nfft) * apart::<Complex<R>>(spec.nfft)],
            scratch: vec![Scalar::ZERO; scratch.unwrap_or(0)],
        }
    }

    /// What the transform does.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// The samples after the transform.
    pub fn range_len(&self) -> usize {
        self.spec.nfft
    }

    /// `y (+)= F x`, from `[outer, n, inner]` to `[outer, range_len, inner]`.
    pub fn apply(&mut self, inner: usize, x: &[Complex<R>], y: &mut [Complex<R>], acc: Acc) {
        let (from, to) = (self.spec.time(), self.spec.frequency(self.range_len()));
        let forward = self.forward.clone();
        self.transform(&*forward, inner, (from, x), (to, y), acc);
    }

    /// `z (+)= Fᴴ y`, from `[outer, range_len, inner]` to `[outer, n, inner]`.
    pub fn adjoint(&mut self, inner: usize, y: &[Complex<R>], z: &mut [Complex<R>], acc: Acc) {
        let (from, to) = (self.spec.frequency(self.range_len()), self.spec.time());
        let inverse = self.inverse.clone();
        self.transform(&*inverse, inner, (from, y), (to, z), acc);
    }

    fn transform(
        &mut self,
        fft: &dyn Fft<R>,
        inner: usize,
        (from, x): (Shifted, &[Complex<R>]),
        (to, y): (Shifted, &mut [Complex<R>]),
        acc: Acc,
    ) {
        if !check(inner, from, x.len(), to, y.len()) {
            return acc.prepare(y);
        }
        let (nfft, scale) = (self.spec.nfft, self.spec.scale::<R>());
        let straight = inner == 1 && from.is_plain(nfft) && to.is_plain(nfft) && acc == Acc::Set;
        if straight {
            fft.process_immutable_with_scratch(x, y, &mut self.scratch);
            return scale_all(scale, y);
        }
        for (x, y) in x.chunks_exact(from.n * inner).zip(y.chunks_exact_mut(to.n * inner)) {
            for start in (0..inner).step_by(block_width(nfft)) {
                let width = block_width(nfft).min(inner - start);
                let columns = Columns { inner, start, width, len: nfft };
                from.load(columns, x, &mut self.columns, |_, v| v);
                for column in columns.each_mut(&mut self.columns) {
                    fft.process_with_scratch(column, &mut self.scratch);
                }
                to.store(columns, &self.columns, y, acc, |_, v| v.mul_real(scale));
            }
        }
    }
}

fn scale_all<R: Real>(scale: R, y: &mut [Complex<R>]) {
    if scale != R::ONE {
        for v in reals_mut(y) {
            *v *= scale;
        }
    }
}
