//! The compiler of adjoin: from an unplaced plan to proven calls.
//!
//! This crate knows no kernels, threads, MPI, CUDA or files.
//! Modules are declared in the order in which to read them.

mod bounds;
pub mod calls;
pub mod certify;
pub mod dtype;
pub mod exact;
pub mod field;
pub mod interpret;
pub mod ir;
pub mod lower;
pub mod mesh;
pub mod placement;
pub mod reference;
pub mod signature;
pub mod stand_in;
pub mod terms;

pub use dtype::Dtype;
pub use ir::{Block, Plan};
pub use mesh::Mesh;
pub use placement::{Placement, Split, Type};
pub use signature::Signature;
