//! The compiler of adjoin: from an unplaced plan to proven calls.
//!
//! This crate knows no kernels, threads, MPI, CUDA or files.
//! Modules are declared in the order in which to read them.

pub mod associate_products;
mod bounds;
pub mod calls;
pub mod cancel_identities;
pub mod certify;
pub mod dtype;
pub mod eliminate;
pub mod error;
pub mod exact;
pub mod field;
pub mod fold_scalars;
pub mod interpret;
pub mod ir;
pub mod lower;
pub mod machine;
pub mod mesh;
pub mod pipeline;
pub mod placement;
pub mod push_adjoints;
pub mod reference;
pub mod route;
pub mod share_values;
pub mod signature;
pub mod stand_in;
pub mod terms;

pub use dtype::Dtype;
pub use ir::{Block, Plan};
pub use mesh::Mesh;
pub use placement::{Placement, Split, Type};
pub use signature::Signature;
