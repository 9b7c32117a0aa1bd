//! The local arithmetic of adjoin: kernels on slices, without plans or ranks.

pub mod host;
