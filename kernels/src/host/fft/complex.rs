//! Transforms of complex samples.

use super::columns::{apart, block_width};
use super::{Blocks, Columns, Plane, Shifted, Spec, check};
use crate::host::crew::{self, Divided};
use crate::host::{Acc, Real, Scalar, past, reals_mut};
use num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// A transform of complex samples, and its plans and scratch.
pub struct ComplexFft<R: Real> {
    spec: Spec,
    forward: Arc<dyn Fft<R>>,
    inverse: Arc<dyn Fft<R>>,
    hands: Vec<Scratch<R>>,
}

/// What a hand needs.
#[derive(Clone)]
struct Scratch<R> {
    columns: Vec<Complex<R>>,
    work: Vec<Complex<R>>,
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
        let hand = Scratch {
            columns: vec![Scalar::ZERO; block_width(spec.nfft) * apart::<Complex<R>>(spec.nfft)],
            work: vec![Scalar::ZERO; scratch.unwrap_or(0)],
        };
        ComplexFft { spec, forward, inverse, hands: vec![hand; crew::threads()] }
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
        let blocks = Blocks::new(x.len(), from.n, inner, nfft);
        let hands = blocks.hands(nfft, self.hands.len());
        let straight = inner == 1 && from.is_plain(nfft) && to.is_plain(nfft) && acc == Acc::Set;
        let past = past::is_large(y);
        let (len, y) = (y.len(), Divided::new(y));
        crew::with(&mut self.hands[..hands], |hand, own| {
            if straight {
                let some = crew::part(len, TOGETHER * nfft, hands, hand);
                // SAFETY: hands have different elements.
                let y = unsafe { y.part(some.clone()) };
                fft.process_immutable_with_scratch(&x[some], y, &mut own.work);
                return scale_all(scale, y);
            }
            for (outer, start, width) in blocks.of(hands, hand) {
                let columns = Columns { inner, start, width, len: nfft };
                let x = &x[outer * from.n * inner..][..from.n * inner];
                from.take(columns, x, &mut own.columns);
                for column in columns.each_mut(&mut own.columns) {
                    fft.process_with_scratch(column, &mut own.work);
                    scale_all(scale, column);
                }
                let y = Plane { array: &y, start: outer * to.n * inner };
                // SAFETY: hands have different columns.
                unsafe {
                    match acc {
                        Acc::Set => to.give(columns, &own.columns, y, past),
                        Acc::Add => to.store(columns, &own.columns, (y, acc), |_, v| v),
                    }
                }
            }
            past::end();
        });
    }
}

/// Lines that the library may transform together.
const TOGETHER: usize = 8;

fn scale_all<R: Real>(scale: R, y: &mut [Complex<R>]) {
    if scale != R::ONE {
        for v in reals_mut(y) {
            *v *= scale;
        }
    }
}
