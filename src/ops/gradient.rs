//! The gradient: `y[a] = ∂x/∂a` for every axis `a`, adjoint `x = Σₐ (∂/∂a)ᵀ y[a]`.
//!
//! ```text
//! (a, i~1:1, j~1:1) <- (i, j)
//! ```
//! The components are the first dim of the range, of which every rank has all.

use super::derivative::{self, Arm, Degree, Kind, Reach, Sweep};
use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, real_typed};
use super::{Handle, OperatorError};
use adjoin_passes::signature::{Binding, Factor, letter};
use adjoin_passes::{Dtype, Signature};

const KIND: &str = "Gradient";

/// A gradient to be built.
#[derive(Clone, Debug)]
pub struct Gradient {
    dims: Dims,
    sampling: Vec<f64>,
    edge: bool,
    kind: Kind,
    dtype: Dtype,
}

/// The gradient of arrays of `dims`.
pub fn gradient(dims: impl Into<Dims>) -> Gradient {
    Gradient {
        dims: dims.into(),
        sampling: vec![1.0],
        edge: false,
        kind: Kind::Centered,
        dtype: Dtype::F64,
    }
}

impl Gradient {
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
        let (dims, kind, edge) = (self.dims.0, self.kind, self.edge);
        dims::check(KIND, &dims)?;
        let sampling = dims::each(KIND, "sampling", &self.sampling, dims.len())?;
        let mut arms = vec![];
        for (axis, (&n, &sampling)) in dims.iter().zip(&sampling).enumerate() {
            let stencil = Degree::First(3).stencil::<f64>(KIND, n, kind, edge, sampling)?;
            arms.push((axis, stencil.reach()));
        }
        leaf(signature(self.dtype, dims.clone(), &arms), move |signature, tile| {
            real_typed!(tile.domain, T => {
                let mut arms = Vec::<Arm<T>>::new();
                for (axis, (&n, &sampling)) in dims.iter().zip(&sampling).enumerate() {
                    let stencil = Degree::First(3).stencil(KIND, n, kind, edge, sampling)?;
                    arms.push(Arm { part: axis, axis, stencil });
                }
                Ok(tile::local(signature, tile, Sweep::new(dims.len(), arms)))
            })
        })
    }
}

fn signature(dtype: Dtype, dims: Vec<usize>, arms: &[Reach]) -> Signature {
    let components = dims.len();
    let mut signature = derivative::signature(KIND, dtype, dims, arms);
    let rule = &mut signature.rule;
    rule.factors.insert(0, Factor::whole(letter(components), components));
    for binding in rule.domain[0].iter_mut().chain(&mut rule.range[0]) {
        binding.factor += 1;
    }
    rule.range[0].insert(0, Binding::plain(0));
    signature.range[0].insert(0, components);
    signature
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "sampling", "edge", "kind", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = gradient(given.need::<Dims>("dims")?);
    given.set("sampling", &mut operator.sampling)?;
    given.set("edge", &mut operator.edge)?;
    given.set("kind", &mut operator.kind)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
