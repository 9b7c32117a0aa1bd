//! adjoin: a compiler for distributed linear operators.

pub mod data;

pub use adjoin_passes::Dtype;
