//! The compiler of adjoin: from an unplaced plan to proven calls.
//!
//! This crate knows no kernels, threads, MPI, CUDA or files.
//! Modules are declared in the order in which to read them.

// What a plan is.
pub mod dtype;
pub mod weights;
pub mod signature;
pub mod mesh;
pub mod placement;
pub mod ir;
pub mod region;
pub mod spectrum;
pub mod terms;
pub mod text;
pub mod traffic;
pub mod verify;
pub mod error;

// How a plan is made: the pipeline, and one file for each pass.
pub mod pipeline;
pub mod push_adjoints;
pub mod fold_scalars;
pub mod cancel_identities;
pub mod recognise_normal;
pub mod expand_kronecker;
pub mod associate_products;
pub mod share_values;
pub mod meaning;
pub mod hoist_isometries;
pub mod meet_projections;
pub mod recur_products;
pub mod hoist_invariants;
pub mod rotate_updates;
mod interior;
pub mod flight;
pub mod machine;
pub mod cost;
pub mod route;
pub mod eliminate;
pub mod search;
mod contest;
pub mod shape;
pub mod insert_collectives;
mod sharing;
pub mod merge_sums;
pub mod drop_replicated_dots;
pub mod merge_vectors;
pub mod ride_reductions;
pub mod merge_dots;
pub mod carry_numbers;
pub mod merge_halos;
pub mod one_pass_normal;
pub mod fuse_updates;
pub mod rematerialise;
pub mod start_early;
pub mod split_halos;
pub mod compose_stencils;
pub mod plan_buffers;
mod rooms;
pub mod origins;

// What the ranks do, and the proof that it is right.
pub mod calls;
pub mod lower;
mod bounds;
pub mod interpret;
pub mod simulate;
pub mod field;
pub mod stand_in;
pub mod reference;
pub mod exact;
pub mod shrink;
pub mod certify;
pub mod agree;
#[cfg(test)]
mod examples;

pub use dtype::Dtype;
pub use ir::{Block, Plan};
pub use mesh::Mesh;
pub use pipeline::{Compiled, Context, compile};
pub use placement::{Placement, Split, Type};
pub use signature::Signature;
