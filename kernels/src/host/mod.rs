//! Kernels in Rust for the host.
//!
//! Arrays are row-major slices. A trailing batch belongs to the innermost extent, `inner`.
//! Every kernel either replaces what its output holds or adds to it, as [`Acc`] says; no apply
//! allocates, what needs scratch gets it when it is made.
//! Kernels do arithmetic of one element type. Real data acts on complex vectors by viewing the
//! vectors with [`reals`] as twice as many reals in the innermost extent.

mod scalar;
mod simd;
mod vectors;

mod turn;

pub mod crew;

pub mod stream;

pub mod past;

pub mod combine;
pub mod dot;
pub mod vector;

pub mod tape;

pub mod columns;

pub mod dense;

pub mod batched;

pub mod diagonal;

pub mod star;

pub mod stencil;

pub mod derivative;

pub mod convolve;

pub mod sums;

pub mod integral;

pub mod fft;

pub mod spray;

pub mod index;

pub mod boxes;

pub use scalar::{Acc, Real, Scalar, reals, reals_mut};

#[cfg(test)]
mod testing;
