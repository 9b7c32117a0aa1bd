//! Solver programs as plan text: the step language is large enough for them, and each is proven.
//!
//! A `.plan` file is an unplaced program over a state.
//! The driver owns the loop; it runs `setup`, then a block at a time, and picks the next one from
//! control scalars.
//!
//! | file | blocks beside `setup`, `view`, `finish` | who decides what |
//! |---|---|---|
//! | `cg` | `step` | `cost` stops |
//! | `cgls`, `cgls_stack` | `step` | `cost` stops |
//! | `lsqr`, `lsqr_stack` | `step` | `cost`, `gradient` stop |
//! | `gmres` | `step`, `restart` | five steps to a restart; `cost` stops, `subspace` breaks down |
//! | `fista`, `fista_stack` | `step`, `backtrack`, `accept` | `backtrack` while `refused`, then `accept` |
//! | `omp`, `omp_stack` | `step` | `cost` stops |
//! | `power` | `step` | `eigenvalue` stops |
//! | `minres` | `step` | `cost` stops |
//!
//! The files are complex: conjugates and real parts stand where they must.
//! A real program is the same text with `f64` for `c128`, and another operator is another head.

mod programs;
mod proofs;
mod refusals;
mod traffic;
