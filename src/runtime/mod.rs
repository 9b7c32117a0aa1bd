//! The run time: what executes a lowered plan on real ranks.
//!
//! A [`World`] has ranks, each with a communicator.
//! A [`Program`] is one rank's calls bound to its communicator, to a device and to
//! its tiles of the operators; running one of its blocks allocates nothing and decides nothing.
//! [`sim`] runs all ranks in one thread instead, with the same kernels.

pub mod comm;
pub mod device;
pub mod error;
pub mod exec;
pub mod local;
pub mod sim;
pub mod world;

mod boxes;
mod memory;
mod tiles;
mod windows;

pub use device::{Device, Host};
pub use error::RunError;
pub use exec::Program;
pub use local::Functions;
pub use world::{RankContext, World};
