//! adjoin: a compiler for distributed linear operators.

pub mod elements;
pub mod expr;
pub mod ops;

pub use adjoin_passes::Dtype;
