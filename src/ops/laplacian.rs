//! The Laplacian: `y = Σₐ wₐ ∂²x/∂a²` over some axes, adjoint `x = Σₐ wₐ (∂²/∂a²)ᵀ y`.
//!
//! ```text
//! (i~1:1, j~1:1) <- (i, j)
//! ```
//! One leaf with a star of ghost cells, and one sweep over its tile.

use super::derivative::{self, Arm, Degree, Kind, Sweep};
use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, real_typed};
use super::{Handle, OperatorError};
use adjoin_kernels::host::Real;
use adjoin_passes::Dtype;

const KIND: &str = "Laplacian";

/// A Laplacian to be built.
#[derive(Clone, Debug)]
pub struct Laplacian {
    dims: Dims,
    axes: Vec<isize>,
    weights: Vec<f64>,
    sampling: Vec<f64>,
    edge: bool,
    kind: Kind,
    dtype: Dtype,
}

/// The Laplacian of arrays of `dims` along their last two axes.
pub fn laplacian(dims: impl Into<Dims>) -> Laplacian {
    Laplacian {
        dims: dims.into(),
        axes: vec![-2, -1],
        weights: vec![1.0],
        sampling: vec![1.0],
        edge: false,
        kind: Kind::Centered,
        dtype: Dtype::F64,
    }
}

impl Laplacian {
    /// The axes, the last two otherwise.
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = axes.into();
        self
    }

    /// The weight of each axis, or one for all; 1 otherwise.
    pub fn weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.weights = weights.into();
        self
    }

    /// The distance between samples along each axis, or one for all; 1 otherwise.
    pub fn sampling(mut self, sampling: impl Into<Vec<f64>>) -> Self {
        self.sampling = sampling.into();
        self
    }

    /// Whether rows at the edge have a one-sided stencil, for the centered kind.
    pub fn edge(mut self, edge: bool) -> Self {
        self.edge = edge;
        self
    }

    /// The kind of the derivatives, centered otherwise.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let (dims, dtype) = (self.dims.0.clone(), self.dtype);
        dims::check(KIND, &dims)?;
        let terms = self.terms()?;
        if terms.is_empty() {
            return dims::fail(KIND, "axes is empty");
        }
        let mut arms = vec![];
        for term in &terms {
            arms.push((term.axis, term.stencil::<f64>()?.reach()));
        }
        leaf(derivative::signature(KIND, dtype, dims, &arms), move |signature, tile| {
            real_typed!(tile.domain, T => {
                let arm = |term: &Term| {
                    Ok(Arm { part: 0, axis: term.axis, stencil: term.stencil::<T>()? })
                };
                let arms = terms.iter().map(arm).collect::<Result<_, OperatorError>>()?;
                Ok(tile::local(signature, tile, Sweep::new(1, arms)))
            })
        })
    }

    fn terms(&self) -> Result<Vec<Term>, OperatorError> {
        let axes = dims::axes(KIND, &self.axes, &self.dims.0)?;
        let weights = dims::each(KIND, "weights", &self.weights, axes.len())?;
        let sampling = dims::each(KIND, "sampling", &self.sampling, axes.len())?;
        let term = |(axis, (weight, sampling))| Term {
            axis,
            n: self.dims.0[axis],
            weight,
            sampling,
            edge: self.edge,
            kind: self.kind,
        };
        Ok(axes.into_iter().zip(weights.into_iter().zip(sampling)).map(term).collect())
    }
}

/// The derivative along one axis.
struct Term {
    axis: usize,
    n: usize,
    weight: f64,
    sampling: f64,
    edge: bool,
    kind: Kind,
}

impl Term {
    fn stencil<R: Real>(&self) -> Result<adjoin_kernels::host::stencil::Stencil<R>, OperatorError> {
        let Term { n, kind, edge, sampling, .. } = *self;
        Ok(Degree::Second.stencil(KIND, n, kind, edge, sampling)?.scaled(self.weight))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axes", "weights", "sampling", "edge", "kind", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = laplacian(given.need::<Dims>("dims")?);
    given.set("axes", &mut operator.axes)?;
    given.set("weights", &mut operator.weights)?;
    given.set("sampling", &mut operator.sampling)?;
    given.set("edge", &mut operator.edge)?;
    given.set("kind", &mut operator.kind)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
