//! adjoin: a compiler for distributed linear operators.

pub mod elements;
pub mod data;
pub mod machine;
pub mod ops;
pub mod expr;
pub mod solve;
pub mod planned;
pub mod problem;
pub mod runtime;
pub mod trace;
pub mod run;
pub mod check;
pub mod report;
pub mod cli;
mod pages;

pub use adjoin_passes::{Dtype, Mesh};
pub use pages::LargePages;
pub use trace::{Trace, mark};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
