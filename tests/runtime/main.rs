//! Programs on all back ends: sim, rank threads, the shadow device and MPI give the same.

mod agree;
mod backends;
mod cases;
mod failures;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "mpi")]
#[path = "../support/mpiexec.rs"]
mod mpiexec;
mod moves;
mod programs;
mod worlds;
