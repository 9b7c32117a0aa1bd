//! Problem files and their expression language, from text to a resolved tree.
//!
//! ```text
//! text ──▶ value ──▶ file ──▶ resolve
//!            └─ expressions ─▶ text
//! ```
//!
//! Nothing here knows operators or plans: a resolved problem is data that a later step builds from.
//! Modules are declared in the order in which to read them.

pub mod diagnostic;
pub mod suggest;
pub mod text;
pub mod value;

pub use diagnostic::{Diagnostic, Document, Result, Span, Spanned};
pub use text::Formula;
