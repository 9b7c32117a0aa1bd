//! Kernels in Rust for the host.
