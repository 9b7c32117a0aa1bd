//! First and second derivatives along one axis: `y = D x`, adjoint `x = Dᵀ y`.
//!
//! ```text
//! (i, j~1:1) <- (i, j)
//! first:   forward (x₊₁ - x₀)/Δ, backward (x₀ - x₋₁)/Δ,
//!          centered (x₊₁ - x₋₁)/2Δ or, order 5, (x₋₂ - 8x₋₁ + 8x₊₁ - x₊₂)/12Δ
//! second:  forward (x₀ - 2x₊₁ + x₊₂)/Δ², centered (x₋₁ - 2x₀ + x₊₁)/Δ², backward alike
//! ```
//! Rows that would read outside of the axis are zero; with `edge`, those of the centered kinds have
//! a one-sided stencil instead.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use adjoin_kernels::host::derivative::{self, Order};
use adjoin_kernels::host::star::{Star, Sums};
use adjoin_kernels::host::stencil::Stencil;
use adjoin_kernels::host::{Acc, Real};
use adjoin_passes::signature::{Binding, Cost, Laws, Linearity, Rule, Typing};
use adjoin_passes::{Dtype, Signature};
use std::marker::PhantomData;
use std::ops::Range;

pub use adjoin_kernels::host::derivative::Kind;
pub(super) use adjoin_kernels::host::star::Arm;

/// Which derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Degree {
    First(usize),
    Second,
}

impl Degree {
    fn name(self) -> &'static str {
        match self {
            Degree::First(_) => "FirstDerivative",
            Degree::Second => "SecondDerivative",
        }
    }

    /// The stencil on an axis of `n` samples.
    pub(super) fn stencil<R: Real>(
        self,
        name: &str,
        n: usize,
        kind: Kind,
        edge: bool,
        sampling: f64,
    ) -> Result<Stencil<R>, OperatorError> {
        let sampling = dims::sampling(name, sampling)?;
        let stencil = match self {
            Degree::First(3) => derivative::first(n, kind, Order::Three, edge, sampling),
            Degree::First(5) => derivative::first(n, kind, Order::Five, edge, sampling),
            Degree::First(order) => {
                return dims::fail(name, format!("order is {order}, and must be 3 or 5"));
            }
            Degree::Second => derivative::second(n, kind, edge, sampling),
        };
        stencil.or_else(|error| dims::fail(name, error.to_string()))
    }
}

/// A derivative to be built.
#[derive(Clone, Debug)]
pub struct Derivative<D> {
    dims: Dims,
    axis: isize,
    sampling: f64,
    kind: Kind,
    edge: bool,
    order: usize,
    dtype: Dtype,
    degree: PhantomData<D>,
}

/// Marks a first derivative.
#[derive(Clone, Copy, Debug)]
pub enum First {}

/// Marks a second derivative.
#[derive(Clone, Copy, Debug)]
pub enum Second {}

/// The first derivative of arrays of `dims`.
pub fn first_derivative(dims: impl Into<Dims>) -> Derivative<First> {
    Derivative::new(dims.into())
}

/// The second derivative of arrays of `dims`.
pub fn second_derivative(dims: impl Into<Dims>) -> Derivative<Second> {
    Derivative::new(dims.into())
}

impl Derivative<First> {
    /// Points of the centered stencil, 3 or 5; 3 otherwise.
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let degree = Degree::First(self.order);
        self.finish(degree)
    }
}

impl Derivative<Second> {
    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        self.finish(Degree::Second)
    }
}

impl<D> Derivative<D> {
    fn new(dims: Dims) -> Self {
        Derivative {
            dims,
            axis: -1,
            sampling: 1.0,
            kind: Kind::Centered,
            edge: false,
            order: 3,
            dtype: Dtype::F64,
            degree: PhantomData,
        }
    }

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

    /// The kind, centered otherwise.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether rows at the edge have a one-sided stencil, for the centered kind.
    pub fn edge(mut self, edge: bool) -> Self {
        self.edge = edge;
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    fn finish(self, degree: Degree) -> Result<Handle, OperatorError> {
        let (name, dims) = (degree.name(), self.dims.0);
        dims::check(name, &dims)?;
        let axis = dims::axis(name, self.axis, &dims)?;
        let (kind, edge, sampling) = (self.kind, self.edge, self.sampling);
        let n = dims[axis];
        let reach = degree.stencil::<f64>(name, n, kind, edge, sampling)?.reach();
        leaf(signature(name, self.dtype, dims, &[(axis, reach)]), move |signature, tile| {
            real_typed!(tile.domain, T => {
                let stencil = degree.stencil::<T>(name, n, kind, edge, sampling)?;
                let arm = Arm { part: 0, axis, stencil };
                Ok(tile::local(signature, tile, Sweep::new(1, vec![arm])))
            })
        })
    }

    fn read(&mut self, given: &Arguments) -> Result<(), RegistryError> {
        given.set("axis", &mut self.axis)?;
        given.set("sampling", &mut self.sampling)?;
        given.set("kind", &mut self.kind)?;
        given.set("edge", &mut self.edge)?;
        given.set("order", &mut self.order)?;
        given.set("dtype", &mut self.dtype)
    }
}

/// An axis with a stencil, and how far that reads.
pub(super) type Reach = (usize, (usize, usize));

/// The signature of a sum of stencils.
pub(super) fn signature(name: &str, dtype: Dtype, dims: Vec<usize>, arms: &[Reach]) -> Signature {
    let mut rule = Rule::elementwise(&dims);
    for &(axis, (low, high)) in arms {
        rule.domain[0][axis] = Binding::halo(axis, low, high);
    }
    let terms: usize = arms.iter().map(|(_, (low, high))| low + high + 1).sum();
    Signature {
        kind: name.into(),
        dtype,
        typing: Typing::Same,
        cost: Cost { flops: 2.0 * terms as f64 * tile::count(&dims), ..Cost::default() },
        domain: vec![dims.clone()],
        range: vec![dims],
        rule,
        linearity: Linearity::Complex,
        laws: Laws::default(),
    }
}

/// A star as the whole arithmetic of a tile; several parts are a first dim of the range.
pub(super) struct Sweep<R> {
    star: Star<R>,
}

impl<R: Real> Sweep<R> {
    pub fn new(parts: usize, arms: Vec<Arm<R>>) -> Self {
        Sweep { star: Star::new(parts, arms) }
    }
}

/// The last dims of `held`, as many as the domain has.
fn space<'a>(held: &'a [Range<usize>], domain: &[Range<usize>]) -> &'a [Range<usize>] {
    &held[held.len() - domain.len()..]
}

impl<R: Real + crate::elements::Element> Kernel for Sweep<R> {
    type X = R;
    type Y = R;

    fn forward(&mut self, x: View<R>, y: ViewMut<R>, acc: Acc) {
        let to = (space(y.held, x.held), y.data);
        self.star.forward((x.held, x.data), to, x.group, acc);
    }

    fn adjoint(&mut self, y: View<R>, x: ViewMut<R>, acc: Acc) {
        let from = (space(y.held, x.held), y.data);
        self.star.adjoint(from, (x.held, x.data), y.group, acc);
    }

    fn gathers(&self) -> bool {
        true
    }

    fn has_normal(&self) -> bool {
        true
    }

    fn normal(&mut self, x: View<R>, rows: &[Range<usize>], z: ViewMut<R>, how: (Acc, Sums)) {
        let (rows, group) = (space(rows, x.held), x.group);
        self.star.normal((x.held, x.data), rows, (z.held, z.data), group, how);
    }
}

pub(super) const FIRST: Entry = Entry {
    name: "FirstDerivative",
    parameters: &["dims", "axis", "sampling", "kind", "edge", "order", "dtype"],
    ignored: &["name"],
    build: |given| {
        let mut operator = first_derivative(given.need::<Dims>("dims")?);
        operator.read(given)?;
        Ok(operator.build()?)
    },
};

pub(super) const SECOND: Entry = Entry {
    name: "SecondDerivative",
    parameters: &["dims", "axis", "sampling", "kind", "edge", "dtype"],
    ignored: &["name"],
    build: |given| {
        let mut operator = second_derivative(given.need::<Dims>("dims")?);
        operator.read(given)?;
        Ok(operator.build()?)
    },
};
