//! adjoin: a compiler for distributed linear operators.

pub mod data;
pub mod elements;
pub mod ops;

pub use adjoin_passes::Dtype;
