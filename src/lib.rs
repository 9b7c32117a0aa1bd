//! adjoin: a compiler for distributed linear operators.

pub use adjoin_passes::Dtype;

pub mod runtime;
