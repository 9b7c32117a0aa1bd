//! The compiler of adjoin: from an unplaced plan to proven calls.
//!
//! This crate knows no kernels, threads, MPI, CUDA or files.
//! Modules are declared in the order in which to read them.

pub mod calls;
pub mod dtype;
pub mod ir;
pub mod mesh;
pub mod placement;
pub mod signature;
pub mod terms;
pub mod text;
pub mod traffic;
pub mod verify;

pub use dtype::Dtype;
pub use ir::{Block, Plan};
pub use mesh::Mesh;
pub use placement::{Placement, Split, Type};
pub use signature::Signature;
