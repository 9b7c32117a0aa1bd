//! The discrete Fourier transform along one axis: `y[k] = c Σⱼ exp(-2πi jk/nfft) x[j]`, adjoint
//! `x[j] = c Σₖ exp(2πi jk/nfft) y[k]`, with `c` = `1/√nfft` (ortho), 1 (none) or `1/nfft`.
//!
//! ```text
//! (i, l!) <- (i, j!)          the axis is needed as a whole
//! ```
//! The axis is cut or padded with zeros to `nfft` samples.
//! A `real` transform keeps the `nfft/2 + 1` frequencies that are not redundant, and scales those
//! that stand for two by √2, so that ortho is an isometry; its adjoint is that of the real-linear
//! map, as is that of a full transform with a real `dtype`.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, LocalOperator, OperatorError, Tile};
use crate::elements::Element;
use adjoin_kernels::host::fft::{ComplexFft, RealFft, Spec};
use adjoin_kernels::host::{Acc, Real, vector};
use adjoin_passes::signature::{
    Binding, Class, Cost, Factor, Laws, Linearity, Rule, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};
use num_complex::Complex;

pub use adjoin_kernels::host::fft::Norm;

const KIND: &str = "FFT";

/// A transform to be built.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // PyLops's parameters, independent of each other.
pub struct Fft {
    dims: Dims,
    axis: isize,
    nfft: Option<usize>,
    sampling: f64,
    norm: Norm,
    real: bool,
    ifftshift_before: bool,
    fftshift_after: bool,
    dtype: Dtype,
}

/// The transform of arrays of `dims`.
pub fn fft(dims: impl Into<Dims>) -> Fft {
    Fft {
        dims: dims.into(),
        axis: -1,
        nfft: None,
        sampling: 1.0,
        norm: Norm::Ortho,
        real: false,
        ifftshift_before: false,
        fftshift_after: false,
        dtype: Dtype::C128,
    }
}

impl Fft {
    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The samples that are transformed, those of the axis otherwise.
    pub fn nfft(mut self, nfft: usize) -> Self {
        self.nfft = Some(nfft);
        self
    }

    /// The distance between samples, which sets the frequencies but none of the values.
    pub fn sampling(mut self, sampling: f64) -> Self {
        self.sampling = sampling;
        self
    }

    /// The scaling, ortho otherwise.
    pub fn norm(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }

    /// Whether the samples are real and half of the frequencies are kept.
    pub fn real(mut self, real: bool) -> Self {
        self.real = real;
        self
    }

    /// Whether the middle sample is the first of the transform.
    pub fn ifftshift_before(mut self, shift: bool) -> Self {
        self.ifftshift_before = shift;
        self
    }

    /// Whether frequency zero is in the middle.
    pub fn fftshift_after(mut self, shift: bool) -> Self {
        self.fftshift_after = shift;
        self
    }

    /// The type of the samples, `c128` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let dims = self.dims.0;
        dims::check(KIND, &dims)?;
        let axis = dims::axis(KIND, self.axis, &dims)?;
        dims::sampling(KIND, self.sampling)?;
        let (n, nfft) = (dims[axis], self.nfft.unwrap_or(dims[axis]));
        if nfft == 0 {
            return dims::fail(KIND, "nfft is 0, and must be 1 or more");
        }
        let (ifftshift_before, fftshift_after) = (self.ifftshift_before, self.fftshift_after);
        let spec = Spec { n, nfft, norm: self.norm, ifftshift_before, fftshift_after };
        let samples = match (self.real, self.dtype.is_complex()) {
            (true, _) => Samples::Half,
            (false, false) => Samples::Real,
            (false, true) => Samples::Complex,
        };
        leaf(
            signature(self.dtype, dims, axis, spec, samples),
            move |signature, tile| real_typed!(tile.range, T => Ok(bind::<T>(signature, tile, axis, spec, samples))),
        )
    }
}

/// What is transformed to what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Samples {
    /// Complex samples to all frequencies.
    Complex,
    /// Real samples to all frequencies.
    Real,
    /// Real samples to the frequencies that are not redundant.
    Half,
}

impl Samples {
    fn frequencies(self, nfft: usize) -> usize {
        if self == Samples::Half { nfft / 2 + 1 } else { nfft }
    }
}

fn signature(
    dtype: Dtype,
    dims: Vec<usize>,
    axis: usize,
    spec: Spec,
    samples: Samples,
) -> Signature {
    let frequencies = samples.frequencies(spec.nfft);
    let mut rule = Rule::elementwise(&dims);
    rule.factors[axis] = Factor::whole(letter(dims.len()), frequencies);
    rule.factors.push(Factor::whole(letter(axis), dims[axis]));
    rule.domain[0][axis] = Binding::plain(dims.len());
    let mut range = dims.clone();
    range[axis] = frequencies;
    let real = samples != Samples::Complex;
    let lines = tile::count(&dims) / (dims[axis].max(1)) as f64;
    let (points, size) = (spec.nfft as f64, dtype.complex().size() as f64);
    let flops = if samples == Samples::Half { 2.5 } else { 5.0 };
    Signature {
        kind: KIND.into(),
        dtype: if real { dtype.real() } else { dtype },
        typing: if real { Typing::RealToComplex } else { Typing::Same },
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: if real { Linearity::Real } else { Linearity::Complex },
        laws: laws(spec, samples),
        cost: Cost {
            flops: flops * points * points.log2().max(1.0) * lines,
            holds: 2.0 * points * size,
            scratch: 32.0 * points * size,
            class: Some(Class::Transform),
            ..Cost::default()
        },
    }
}

/// A half transform counts its redundant frequencies by their √2, so it is an isometry too.
fn laws(spec: Spec, samples: Samples) -> Laws {
    let ortho = spec.norm == Norm::Ortho || spec.nfft == 1;
    let complex = samples == Samples::Complex;
    let shifted = spec.ifftshift_before || spec.fftshift_after;
    Laws {
        isometry: ortho && spec.nfft >= spec.n,
        co_isometry: ortho && complex && spec.nfft <= spec.n,
        fourier: ortho && complex && spec.nfft == spec.n && !shifted,
        half_spectrum: ortho
            && samples == Samples::Half
            && spec.nfft == spec.n
            && !spec.fftshift_after,
        ..Laws::default()
    }
}

fn bind<R: Real + Element>(
    signature: &Signature,
    tile: &Tile,
    axis: usize,
    spec: Spec,
    samples: Samples,
) -> Box<dyn LocalOperator>
where
    Complex<R>: Element,
{
    let after = axis + 1;
    match samples {
        Samples::Complex => {
            tile::local(signature, tile, OfComplex { fft: ComplexFft::<R>::new(spec), after })
        }
        Samples::Half => {
            tile::local(signature, tile, OfReal { fft: RealFft::<R>::new(spec), after })
        }
        Samples::Real => {
            let fft = ComplexFft::<R>::new(spec);
            tile::local(signature, tile, Full { fft, after, samples: vec![] })
        }
    }
}

struct OfComplex<R: Real> {
    fft: ComplexFft<R>,
    /// The first dim after the axis.
    after: usize,
}

impl<R: Real> Kernel for OfComplex<R>
where
    Complex<R>: Element,
{
    type X = Complex<R>;
    type Y = Complex<R>;

    fn forward(&mut self, x: View<Self::X>, y: ViewMut<Self::Y>, acc: Acc) {
        self.fft.apply(x.inner(self.after), x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<Self::Y>, x: ViewMut<Self::X>, acc: Acc) {
        self.fft.adjoint(y.inner(self.after), y.data, x.data, acc);
    }
}

struct OfReal<R: Real> {
    fft: RealFft<R>,
    after: usize,
}

impl<R: Real + Element> Kernel for OfReal<R>
where
    Complex<R>: Element,
{
    type X = R;
    type Y = Complex<R>;

    fn forward(&mut self, x: View<R>, y: ViewMut<Self::Y>, acc: Acc) {
        self.fft.apply(x.inner(self.after), x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<Self::Y>, x: ViewMut<R>, acc: Acc) {
        self.fft.adjoint(y.inner(self.after), y.data, x.data, acc);
    }
}

/// Real samples to all frequencies, by way of complex samples.
struct Full<R: Real> {
    fft: ComplexFft<R>,
    after: usize,
    /// As many as the tile has; made in the first application.
    samples: Vec<Complex<R>>,
}

impl<R: Real + Element> Kernel for Full<R>
where
    Complex<R>: Element,
{
    type X = R;
    type Y = Complex<R>;

    fn forward(&mut self, x: View<R>, y: ViewMut<Self::Y>, acc: Acc) {
        self.samples.resize(x.data.len(), Complex::new(R::ZERO, R::ZERO));
        vector::cast(x.data, &mut self.samples, Acc::Set);
        self.fft.apply(x.inner(self.after), &self.samples, y.data, acc);
    }

    fn adjoint(&mut self, y: View<Self::Y>, x: ViewMut<R>, acc: Acc) {
        self.samples.resize(x.data.len(), Complex::new(R::ZERO, R::ZERO));
        self.fft.adjoint(y.inner(self.after), y.data, &mut self.samples, Acc::Set);
        vector::cast(&self.samples, x.data, acc);
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &[
        "dims",
        "axis",
        "nfft",
        "sampling",
        "norm",
        "real",
        "ifftshift_before",
        "fftshift_after",
        "dtype",
    ],
    ignored: &["engine", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = fft(given.need::<Dims>("dims")?);
    given.set("axis", &mut operator.axis)?;
    given.set("nfft", &mut operator.nfft)?;
    given.set("sampling", &mut operator.sampling)?;
    given.set("norm", &mut operator.norm)?;
    given.set("real", &mut operator.real)?;
    given.set("ifftshift_before", &mut operator.ifftshift_before)?;
    given.set("fftshift_after", &mut operator.fftshift_after)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
