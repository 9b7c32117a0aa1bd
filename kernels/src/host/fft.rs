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

use super::{Acc, Real, Scalar};
use num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

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

/// Columns that are transformed together, so that a cache line is used as a whole.
fn block_width(nfft: usize) -> usize {
    if nfft <= 1 << 16 { 16 } else { 4 }
}

/// How far apart the columns of a block lie: an odd number of cache lines, so that samples of one
/// time do not all want the same place in a cache.
fn apart<S>(len: usize) -> usize {
    const LINE: usize = 64;
    let lines = (len * size_of::<S>()).div_ceil(LINE) | 1;
    lines * LINE / size_of::<S>()
}

fn scale_all<R: Real>(scale: R, y: &mut [Complex<R>]) {
    if scale != R::ONE {
        for v in super::reals_mut(y) {
            *v *= scale;
        }
    }
}

/// Checks the lengths; false if there is nothing to read.
fn check(inner: usize, from: Shifted, x: usize, to: Shifted, y: usize) -> bool {
    assert_eq!(x * to.n, y * from.n, "arrays with the same other extents");
    assert!(inner > 0 || (x == 0 && y == 0), "elements need an innermost extent");
    assert!(x == 0 || x.is_multiple_of(from.n * inner), "whole axes");
    x > 0 && y > 0
}

/// Some columns of an array `[n, inner]`, in a block each of so many samples.
#[derive(Clone, Copy)]
struct Columns {
    inner: usize,
    start: usize,
    width: usize,
    len: usize,
}

impl Columns {
    /// The columns of a block.
    fn each_mut<S>(self, block: &mut [S]) -> impl Iterator<Item = &mut [S]> {
        let columns = block.chunks_exact_mut(apart::<S>(self.len)).take(self.width);
        columns.map(move |column| &mut column[..self.len])
    }
}

/// Samples that are moved between rows and columns together: whole cache lines of columns.
const ROWS: usize = 8;

/// An axis of `n` samples whose sample `t` lies at `(t + shift) mod n`.
#[derive(Clone, Copy)]
struct Shifted {
    n: usize,
    shift: usize,
}

impl Shifted {
    fn new(n: usize, shifted: bool) -> Shifted {
        Shifted { n, shift: if shifted { n / 2 } else { 0 } }
    }

    /// Whether the axis is the buffer of a transform of `nfft` samples as it lies.
    fn is_plain(self, nfft: usize) -> bool {
        self.n == nfft && self.shift == 0
    }

    fn place(self, t: usize) -> usize {
        let at = t + self.shift;
        if at < self.n { at } else { at - self.n }
    }

    /// Where so many samples from `t` on lie in columns of an array.
    fn rows(self, at: Columns, t: usize, count: usize) -> [usize; ROWS] {
        let mut rows = [0; ROWS];
        for (k, row) in rows[..count].iter_mut().enumerate() {
            *row = self.place(t + k) * at.inner + at.start;
        }
        rows
    }

    /// Fills the columns of `block` with samples of `x`, cut or padded with zeros.
    fn load<S: Scalar>(self, at: Columns, x: &[S], block: &mut [S], f: impl Fn(usize, S) -> S) {
        let (kept, apart) = (at.len.min(self.n), apart::<S>(at.len));
        for t in (0..kept).step_by(ROWS) {
            let count = ROWS.min(kept - t);
            let rows = self.rows(at, t, count);
            for c in 0..at.width {
                let column = &mut block[c * apart + t..][..count];
                for (k, (slot, row)) in column.iter_mut().zip(rows).enumerate() {
                    *slot = f(t + k, x[row + c]);
                }
            }
        }
        at.each_mut(block).for_each(|column| column[kept..].fill(S::ZERO));
    }

    /// Writes the columns of `block` to `y`, the inverse of [`Shifted::load`].
    fn store<S: Scalar>(
        self,
        at: Columns,
        block: &[S],
        y: &mut [S],
        acc: Acc,
        f: impl Fn(usize, S) -> S,
    ) {
        let (kept, apart) = (at.len.min(self.n), apart::<S>(at.len));
        for t in (0..kept).step_by(ROWS) {
            let count = ROWS.min(kept - t);
            let rows = self.rows(at, t, count);
            for c in 0..at.width {
                let column = &block[c * apart + t..][..count];
                for (k, (&v, row)) in column.iter().zip(rows).enumerate() {
                    acc.put(&mut y[row + c], f(t + k, v));
                }
            }
        }
        for t in kept..self.n {
            acc.prepare(&mut y[self.place(t) * at.inner + at.start..][..at.width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::dot::dot_re;
    use crate::host::testing::{assert_close, assert_dots, values};
    use std::f64::consts::TAU;

    const SHAPES: [(usize, usize, usize, usize); 9] = [
        (1, 1, 1, 1),
        (1, 2, 2, 1),
        (2, 8, 8, 1),
        (2, 7, 7, 3),
        (1, 6, 9, 2),
        (3, 9, 5, 1),
        (1, 5, 8, 37),
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
