//! Imaginary parts: `y = Im x = Re(-i x)`, an expression of the real part; adjoint `x = i y`, that
//! of a real-linear map.

use super::dims::Dims;
use super::registry::{Arguments, Entry, RegistryError};
use crate::expr::{Op, Scalar};
use adjoin_passes::ir::Elementwise;
use num_complex::Complex64;

/// The imaginary parts of arrays of `dims`.
pub fn imag(dims: impl Into<Dims>) -> Op {
    let dims = dims.into().0;
    let turn = Scalar::from(Complex64::new(0.0, -1.0)) * Op::identity(dims.clone());
    Op::element(Elementwise::Real, dims) * turn
}

pub(super) const ENTRY: Entry<Op> = Entry {
    name: "Imag",
    parameters: &["dims"],
    ignored: &["dtype", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Op, RegistryError> {
    Ok(imag(given.need::<Dims>("dims")?))
}
