//! Expressions: what users write, lazy, typed and cheap to clone.
//!
//! An [`Op`] is an operator, a [`Vector`] is data, a [`Scalar`] is a number or a named parameter.
//! Nothing is computed here: an expression is a tree of shared nodes that knows its shapes, its
//! element types and its own text.
//!
//! ```
//! use adjoin::expr::{Op, param, vstack};
//! let g = Op::identity([12]).named("G");
//! let l = Op::identity([3, 4]).named("L");
//! let a = vstack([("data", &g), ("smooth", &(param("eps", 0.1) * &l))])?;
//! assert_eq!(a.to_string(), "VStack(data = G, smooth = eps * L)");
//! assert_eq!(a.shape(), (24, 12));
//! # Ok::<(), adjoin::expr::ExprError>(())
//! ```
//!
//! Rust's arithmetic cannot fail, so an ill-shaped expression becomes a *poisoned* one that
//! carries its first error. [`Op::check`] reports it, and so do all that consume expressions.
//! Constructors that are plain functions, such as [`vstack`], return their error at once.
//!
//! [`lower`] turns an expression into an unplaced plan, node for node.

mod error;
mod parts;
mod scalar;
mod text;

mod fields;
mod op;
mod print;
mod shape;
mod stack;

mod kronecker;

mod family;
mod ragged;
mod tiles;

mod vector;

mod arithmetic;

mod leaves;
mod lowering;
mod values;

pub use error::ExprError;
pub use family::{Family, family};
pub use kronecker::kronecker;
pub use lowering::{LowerContext, Lowered, Output, lower, lower_operator};
pub use op::{Block, Op};
pub use parts::{Part, Parts};
pub use scalar::{Number, Scalar, param};
pub use stack::{block, block_diag, hstack, vstack};
pub use vector::{Piece, Vector, input, input_parts, stack, zeros};
