//! Rotation along one axis: `y[i] = x[(i - shift) mod n]`, adjoint `x[j] = y[(j + shift) mod n]`.
//!
//! ```text
//! (i) <- (j)
//! ```

use super::dims::Dims;
use super::indexed;
use super::registry::{Arguments, Entry, RegistryError};
use super::{Handle, OperatorError};
use adjoin_passes::Dtype;

const KIND: &str = "Roll";

/// A rotation to be built.
#[derive(Clone, Debug)]
pub struct Roll {
    dims: Dims,
    axis: isize,
    shift: isize,
    dtype: Dtype,
}

/// A rotation of arrays of `dims`.
pub fn roll(dims: impl Into<Dims>) -> Roll {
    Roll { dims: dims.into(), axis: -1, shift: 1, dtype: Dtype::F64 }
}

impl Roll {
    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// How far samples move towards the end, 1 otherwise.
    pub fn shift(mut self, shift: isize) -> Self {
        self.shift = shift;
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
        let first = (-self.shift).rem_euclid(n.max(1) as isize) as usize;
        let table = (first..n).chain(0..first).collect();
        indexed::indexed(KIND, self.dtype, dims, axis, table)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axis", "shift", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = roll(given.need::<Dims>("dims")?);
    given.set("axis", &mut operator.axis)?;
    given.set("shift", &mut operator.shift)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
