//! Expressions: shapes, types, texts, errors, and the plans that they are lowered to.

mod errors;
mod family;
mod kronecker;
mod lowering;
mod operators;
mod shapes;
mod types;
