//! The compiler of adjoin: from an unplaced plan to proven calls.
//!
//! This crate knows no kernels, threads, MPI, CUDA or files.
//! Modules are declared in the order in which to read them.

pub mod dtype;

pub use dtype::Dtype;
