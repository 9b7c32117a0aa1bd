//! Sums of neighbouring rows as products of spectra: `y[p] (+)= Σ c[t] x[p + low + t]`, in blocks of
//! rows that are transformed together with those that they read.
//!
//! A block of `nfft` samples gives `nfft - terms + 1` rows; the others are wound around.
//! What is computed differs from [`Taps`] by rounding: by no more than some roundings of the
//! largest sum that values as large as those of the block could have.

use super::super::crew::Divided;
use super::super::fft::columns::{Columns, Plane, apart, block_width};
use super::super::index::Window;
use super::super::{Acc, Real, Scalar};
use super::direct::Taps;
use num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// A convolution by transforms of one length.
#[derive(Clone)]
pub(super) struct Fourier<S: Scalar> {
    low: isize,
    terms: usize,
    nfft: usize,
    /// Of the coefficients, for sums: with the sign of an inverse transform, and its factor.
    spectrum: Vec<Complex<S::Real>>,
    transforms: Transforms<S::Real>,
    samples: Vec<S>,
    frequencies: Vec<Complex<S::Real>>,
    scratch: Vec<Complex<S::Real>>,
}

/// There and back.
#[derive(Clone)]
enum Transforms<R> {
    Real(Arc<dyn RealToComplex<R>>, Arc<dyn ComplexToReal<R>>),
    Complex(Arc<dyn Fft<R>>, Arc<dyn Fft<R>>),
}

impl<S: Scalar> Fourier<S> {
    /// The sums of `taps`, with blocks of `nfft` samples.
    ///
    /// # Panics
    ///
    /// If a block has fewer samples than a row reads.
    pub fn new(taps: &Taps<S>, nfft: usize) -> Self {
        assert!(nfft >= taps.c.len().max(1), "a block has what a row reads");
        let (transforms, half, scratch) = Transforms::plan(nfft, S::COMPLEX);
        let width = block_width(nfft);
        let one = || Complex::new(S::Real::ZERO, S::Real::ZERO);
        Fourier {
            low: taps.low,
            terms: taps.c.len(),
            nfft,
            spectrum: spectrum(&taps.c, nfft, half),
            transforms,
            samples: vec![S::ZERO; width * apart::<S>(nfft)],
            frequencies: vec![one(); half],
            scratch: vec![one(); scratch],
        }
    }

    /// One plane `[from.len, inner]` of `x` to one `[to.len, inner]` of `y`.
    pub fn plane(
        &mut self,
        inner: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        assert_eq!((x.len(), y.len()), (from.len * inner, to.len * inner), "whole planes");
        let (rows, y) = (self.nfft - self.terms.max(1) + 1, Divided::new(y));
        for start in (0..inner).step_by(block_width(self.nfft)) {
            let width = block_width(self.nfft).min(inner - start);
            let columns = Columns { inner, start, width, len: self.nfft };
            for row in (0..to.len).step_by(rows) {
                self.load(columns, to.start + row, (from, x));
                for column in columns.each_mut(&mut self.samples) {
                    let (frequencies, scratch) = (&mut self.frequencies, &mut self.scratch);
                    self.transforms.filter(&self.spectrum, column, frequencies, scratch);
                }
                let made = 0..rows.min(to.len - row);
                let y = Plane { array: &y, start: 0 };
                // SAFETY: nobody else has the plane.
                unsafe {
                    columns.scatter(made, |t| row + t, &self.samples, (y, acc), |_, v| v);
                }
            }
        }
    }

    /// What the rows from row `p` on read.
    fn load(&mut self, columns: Columns, p: usize, (from, x): (Window, &[S])) {
        let first = p as isize + self.low;
        let sample = |row: usize| (row as isize - first).clamp(0, self.nfft as isize) as usize;
        let present = sample(from.start)..sample(from.end());
        let present = present.start..present.end.max(present.start);
        for column in columns.each_mut(&mut self.samples) {
            column[..present.start].fill(S::ZERO);
            column[present.end..].fill(S::ZERO);
        }
        let place = |t: usize| (first + t as isize) as usize - from.start;
        columns.gather(present, place, x, &mut self.samples, |_, v| v);
    }
}

/// The spectrum of coefficients in double precision, then rounded.
fn spectrum<S: Scalar>(c: &[S], nfft: usize, half: usize) -> Vec<Complex<S::Real>> {
    let mut all = vec![Complex::new(0.0, 0.0); nfft];
    all.iter_mut().zip(c).for_each(|(a, c)| *a = c.to_c128() / nfft as f64);
    FftPlanner::<f64>::new().plan_fft_inverse(nfft).process(&mut all);
    all.truncate(half);
    all.into_iter().map(Scalar::from_c128).collect()
}

impl<R: Real> Transforms<R> {
    /// The transforms, how many frequencies they have, and how much scratch they need.
    fn plan(nfft: usize, complex: bool) -> (Self, usize, usize) {
        if complex {
            let mut planner = FftPlanner::new();
            let (there, back) = (planner.plan_fft_forward(nfft), planner.plan_fft_inverse(nfft));
            let scratch = there.get_inplace_scratch_len().max(back.get_inplace_scratch_len());
            return (Transforms::Complex(there, back), nfft, scratch);
        }
        let mut planner = RealFftPlanner::new();
        let (there, back) = (planner.plan_fft_forward(nfft), planner.plan_fft_inverse(nfft));
        let scratch = there.get_scratch_len().max(back.get_scratch_len());
        (Transforms::Real(there, back), nfft / 2 + 1, scratch)
    }

    /// A column times the spectrum.
    fn filter<S: Scalar<Real = R>>(
        &self,
        spectrum: &[Complex<R>],
        column: &mut [S],
        frequencies: &mut [Complex<R>],
        scratch: &mut [Complex<R>],
    ) {
        let times = |values: &mut [Complex<R>]| {
            values.iter_mut().zip(spectrum).for_each(|(v, &s)| *v *= s);
        };
        match self {
            Transforms::Complex(there, back) => {
                let column: &mut [Complex<R>] = bytemuck::cast_slice_mut(column);
                there.process_with_scratch(column, scratch);
                times(column);
                back.process_with_scratch(column, scratch);
            }
            Transforms::Real(there, back) => {
                let column = super::super::reals_mut(column);
                let fits = "the buffers have the lengths of the plan";
                there.process_with_scratch(column, frequencies, scratch).expect(fits);
                times(frequencies);
                // The first frequency is real, and so is the last one of an even length.
                frequencies[0].im = R::ZERO;
                if column.len().is_multiple_of(2) {
                    frequencies[column.len() / 2].im = R::ZERO;
                }
                back.process_with_scratch(frequencies, column, scratch).expect(fits);
            }
        }
    }
}
