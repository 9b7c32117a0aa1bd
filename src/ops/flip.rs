//! Reversal of one axis: `y[i] = x[n - 1 - i]`, its own adjoint.
//!
//! ```text
//! (i) <- (j)
//! ```

use super::dims::Dims;
use super::indexed::{Pick, Picked};
use super::registry::Entry;

/// A reversal to be built.
pub type Flip = Picked<Reversal>;

/// The last index first.
#[derive(Clone, Copy, Debug)]
pub struct Reversal;

/// A reversal of arrays of `dims`.
pub fn flip(dims: impl Into<Dims>) -> Flip {
    Picked::new(dims.into(), Reversal)
}

impl Pick for Reversal {
    const KIND: &'static str = "Flip";

    fn table(&self, n: usize) -> Vec<usize> {
        (0..n).rev().collect()
    }
}

pub(super) const ENTRY: Entry = Flip::entry(&["dims", "axis", "dtype"], |given| {
    let operator = flip(given.need::<Dims>("dims")?);
    operator.with(given)
});
