//! Reversal of one axis: `y[i] = x[n - 1 - i]`, its own adjoint.
//!
//! ```text
//! (i) <- (j)
//! ```

use super::dims::Dims;
use super::indexed;
use super::registry::{Arguments, Entry, RegistryError};
use super::{Handle, OperatorError};
use adjoin_passes::Dtype;

const KIND: &str = "Flip";

/// A reversal to be built.
#[derive(Clone, Debug)]
pub struct Flip {
    dims: Dims,
    axis: isize,
    dtype: Dtype,
}

/// A reversal of arrays of `dims`.
pub fn flip(dims: impl Into<Dims>) -> Flip {
    Flip { dims: dims.into(), axis: -1, dtype: Dtype::F64 }
}

impl Flip {
    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
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
        let axis = indexed::axis(KIND, self.axis, &dims)?;
        let n = dims[axis];
        let table = (0..n).rev().collect();
        indexed::indexed(KIND, self.dtype, dims, axis, table)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axis", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = flip(given.need::<Dims>("dims")?);
    given.set("axis", &mut operator.axis)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
