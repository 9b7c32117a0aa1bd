//! Solvers: step programs, and the loop that runs them.
//!
//! A solver writes its blocks in the step language ([`steps`]) and says from the control numbers
//! how to go on; everything else, placement, communication, storage, is the compiler's.

pub mod steps;
pub mod problem;
mod cg;
mod cgls;
mod lsqr;

pub use cg::Cg;
pub use cgls::Cgls;
pub use lsqr::Lsqr;
pub use problem::{Controls, Estimates, Next, Outcome, Settings, Solver, Stop, System};
