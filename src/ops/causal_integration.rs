//! Integrals up to each sample of one axis: `y[i] = Δ (Σⱼ x[j] + l x[i])` over `j < i`; adjoint
//! `x[j] = Δ (Σᵢ y[i] + l y[j])` over `i > j`.
//!
//! ```text
//! (i) <- (j)      a tile adds the samples of its j that are before its i
//! full:           l = 1
//! half:           l = 1/2
//! trapezoidal:    l = 1/2, and x[0] counts half in the sums that reach beyond it
//! ```
//! `removefirst` leaves out `y[0]`.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use crate::elements::Element;
use adjoin_kernels::host::integral::Integral;
use adjoin_kernels::host::{Acc, Real};
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Typing, letter};
use adjoin_passes::{Dtype, Signature};

const KIND: &str = "CausalIntegration";

/// What the last sample of an integral counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// As the others.
    Full,
    /// Half of the others.
    Half,
    /// Half of the others, and the first sample too.
    Trapezoidal,
}

impl Integration {
    fn integral<R: Real>(self, sampling: f64) -> Integral<R> {
        let (first, last) = match self {
            Integration::Full => (1.0, 1.0),
            Integration::Half => (1.0, 0.5),
            Integration::Trapezoidal => (0.5, 0.5),
        };
        let [step, first, last] = [sampling, first, last].map(R::nearest);
        Integral { step, first, last }
    }
}

/// An integration to be built.
#[derive(Clone, Debug)]
pub struct CausalIntegration {
    dims: Dims,
    axis: isize,
    sampling: f64,
    kind: Integration,
    removefirst: bool,
    dtype: Dtype,
}

/// The integral along an axis of arrays of `dims`.
pub fn causal_integration(dims: impl Into<Dims>) -> CausalIntegration {
    CausalIntegration {
        dims: dims.into(),
        axis: -1,
        sampling: 1.0,
        kind: Integration::Full,
        removefirst: false,
        dtype: Dtype::F64,
    }
}

impl CausalIntegration {
    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The distance between samples, 1 otherwise.
    pub fn sampling(mut self, sampling: f64) -> Self {
        self.sampling = sampling;
        self
    }

    /// The kind, full otherwise.
    pub fn kind(mut self, kind: Integration) -> Self {
        self.kind = kind;
        self
    }

    /// Whether the first sample of the result is left out.
    pub fn removefirst(mut self, removefirst: bool) -> Self {
        self.removefirst = removefirst;
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let dims = self.dims.0;
        dims::check(KIND, &dims)?;
        let axis = dims::axis(KIND, self.axis, &dims)?;
        let (sampling, kind) = (dims::sampling(KIND, self.sampling)?, self.kind);
        let first = usize::from(self.removefirst);
        if dims[axis] < first {
            return dims::fail(KIND, format!("dims {dims:?} have no first sample to remove"));
        }
        leaf(signature(self.dtype, dims, axis, first), move |signature, tile| {
            real_typed!(tile.domain, T => {
                let integral = kind.integral::<T>(sampling);
                Ok(tile::local(signature, tile, Running { integral, axis, first, sum: vec![] }))
            })
        })
    }
}

fn signature(dtype: Dtype, dims: Vec<usize>, axis: usize, first: usize) -> Signature {
    let mut range = dims.clone();
    range[axis] -= first;
    let mut rule = Rule::elementwise(&range);
    rule.factors.push(Factor::free(letter(dims.len()), dims[axis]));
    rule.domain[0][axis] = Binding::plain(dims.len());
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        cost: Cost { flops: 4.0 * tile::count(&dims), ..Cost::default() },
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws: Laws::default(),
    }
}

struct Running<T> {
    integral: Integral<T>,
    axis: usize,
    /// Samples that the range leaves out.
    first: usize,
    /// The sum of a row; as long as the rows of the first application.
    sum: Vec<T>,
}

impl<T: Element + Real> Kernel for Running<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        self.sum.resize(x.inner(self.axis + 1), T::ZERO);
        let (from, mut to) = (tile::window(&x.held[self.axis]), tile::window(&y.held[self.axis]));
        to.start += self.first;
        self.integral.apply(&mut self.sum, (from, x.data), (to, y.data), acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        self.sum.resize(y.inner(self.axis + 1), T::ZERO);
        let (from, mut to) = (tile::window(&x.held[self.axis]), tile::window(&y.held[self.axis]));
        to.start += self.first;
        self.integral.adjoint(&mut self.sum, (to, y.data), (from, x.data), acc);
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axis", "sampling", "kind", "removefirst", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = causal_integration(given.need::<Dims>("dims")?);
    given.set("axis", &mut operator.axis)?;
    given.set("sampling", &mut operator.sampling)?;
    given.set("kind", &mut operator.kind)?;
    given.set("removefirst", &mut operator.removefirst)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
