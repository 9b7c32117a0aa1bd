//! Rotation along one axis: `y[i] = x[(i - shift) mod n]`, adjoint `x[j] = y[(j + shift) mod n]`.
//!
//! ```text
//! (i) <- (j)
//! ```

use super::dims::Dims;
use super::indexed::{Pick, Picked};
use super::registry::Entry;

/// A rotation to be built.
pub type Roll = Picked<Rotation>;

/// From some index to the last and on from the first.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    shift: isize,
}

/// A rotation of arrays of `dims`.
pub fn roll(dims: impl Into<Dims>) -> Roll {
    Picked::new(dims.into(), Rotation { shift: 1 })
}

impl Roll {
    /// How far samples move towards the end, 1 otherwise.
    pub fn shift(mut self, shift: isize) -> Self {
        self.pick.shift = shift;
        self
    }
}

impl Pick for Rotation {
    const KIND: &'static str = "Roll";

    fn table(&self, n: usize) -> Vec<usize> {
        let first = (-self.shift).rem_euclid(n.max(1) as isize) as usize;
        (first..n).chain(0..first).collect()
    }
}

pub(super) const ENTRY: Entry = Roll::entry(&["dims", "axis", "shift", "dtype"], |given| {
    let mut operator = roll(given.need::<Dims>("dims")?);
    given.set("shift", &mut operator.pick.shift)?;
    operator.with(given)
});
