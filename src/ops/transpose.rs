//! Transposition of axes: axis `k` of `y` is axis `axes[k]` of `x`; the adjoint puts them back.
//!
//! ```text
//! (j, i) <- (i, j)
//! ```

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::moves::Moves;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, real_typed};
use super::{Handle, OperatorError};
use adjoin_kernels::host::boxes::BoxCopy;
use adjoin_passes::{Dtype, Plan, Signature};

const KIND: &str = "Transpose";

/// A transposition to be built.
#[derive(Clone, Debug)]
pub struct Transpose {
    dims: Dims,
    axes: Vec<isize>,
    dtype: Dtype,
}

/// The operator that puts the axes of arrays of `dims` into the order `axes`.
pub fn transpose(dims: impl Into<Dims>, axes: impl Into<Vec<isize>>) -> Transpose {
    Transpose { dims: dims.into(), axes: axes.into(), dtype: Dtype::F64 }
}

impl Transpose {
    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let dims = self.dims.0;
        let axes = dims::axes(KIND, &self.axes, &dims)?;
        if axes.len() != dims.len() {
            let message = format!("axes {:?} must name every axis of dims {dims:?}", self.axes);
            return dims::fail(KIND, message);
        }
        made(Signature::transposition(dims, &axes, self.dtype), axes)
    }
}

fn made(signature: Signature, axes: Vec<usize>) -> Result<Handle, OperatorError> {
    leaf(signature, move |signature, tile| {
        let axes = axes.clone();
        let domain = tile::lens(&tile.domain_box(&signature.rule, 0));
        let make = move |group| BoxCopy::permute(&domain, &axes, group);
        real_typed!(tile.domain, T => {
            Ok(tile::local(signature, tile, Moves::<T, _>::new((true, true), make)))
        })
    })
}

/// The operators of all leaves of a plan: those that are given, and the transpositions that passes
/// have added after them.
pub fn completed(plan: &Plan, given: &[Handle]) -> Vec<Handle> {
    let more = plan.leaves.iter().skip(given.len()).map_while(|leaf| {
        let signature = Signature::clone(&leaf.signature);
        let axes = signature.transposed_axes()?;
        made(signature, axes).ok()
    });
    given.iter().cloned().chain(more).collect()
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axes", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = transpose(given.need::<Dims>("dims")?, given.need::<Vec<isize>>("axes")?);
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
