//! What the integration tests share.
#![allow(dead_code)] // Each test binary uses a part of it.

pub mod cases;
pub mod check;
pub mod dense;
pub mod exchanges;
pub mod folder;
pub mod latency;
#[cfg(feature = "mpi")]
pub mod mpiexec;
pub mod mutate_calls;
pub mod mutate_plans;
pub mod reference;
pub mod riders;
pub mod subjects;
pub mod systems;
pub mod tiles;
pub mod trees;
