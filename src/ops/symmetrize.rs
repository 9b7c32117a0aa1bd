//! Reflection at the first sample of one axis: `y[i] = x[|i - (n - 1)|]`, of `2n - 1` samples;
//! adjoint `x[0] = y[n - 1]`, `x[j] = y[n - 1 - j] + y[n - 1 + j]`.
//!
//! ```text
//! (i) <- (j)
//! ```

use super::dims::Dims;
use super::indexed::{Pick, Picked};
use super::registry::Entry;

/// A reflection to be built.
pub type Symmetrize = Picked<Reflection>;

/// Down to the first index and up again.
#[derive(Clone, Copy, Debug)]
pub struct Reflection;

/// A reflection of arrays of `dims`.
pub fn symmetrize(dims: impl Into<Dims>) -> Symmetrize {
    Picked::new(dims.into(), Reflection)
}

impl Pick for Reflection {
    const KIND: &'static str = "Symmetrize";

    fn table(&self, n: usize) -> Vec<usize> {
        (1..n).rev().chain(0..n).collect()
    }
}

pub(super) const ENTRY: Entry = Symmetrize::entry(&["dims", "axis", "dtype"], |given| {
    let operator = symmetrize(given.need::<Dims>("dims")?);
    operator.with(given)
});
