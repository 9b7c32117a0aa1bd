//! adjoin: a compiler for distributed linear operators.

pub mod data;
pub mod problem;

pub use adjoin_passes::Dtype;

pub mod runtime;
