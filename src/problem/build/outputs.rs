//! `[outputs]`: what is written after the solve.

use super::Model;
use crate::expr::Vector;
use crate::problem::diagnostic::{Result, Span};

/// A file to write.
pub struct Wanted {
    /// Its path, relative to the problem file.
    pub file: String,
    /// What goes into it.
    pub content: Content,
    /// Where the path is written.
    pub span: Span,
}

/// What is written.
pub enum Content {
    /// The solution; flat if it has several parts.
    Solution,
    /// The history of the norm of the residual.
    Cost,
    /// What LSQR estimates besides the solution, part for part.
    Variance,
    /// An expression, evaluated with `x` bound to the solution.
    Expression(Vector),
}

impl Model<'_> {
    /// What the file wants to be written; `x` must be bound.
    pub fn outputs(&self) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        for output in &self.resolved.outputs {
            let content = match &output.expr {
                Some(formula) => Content::Expression(self.vector(formula)?),
                None if output.name.value == "cost" => Content::Cost,
                None if output.name.value == "var" => Content::Variance,
                None => Content::Solution,
            };
            let file = output.file.value.clone();
            wanted.push(Wanted { file, content, span: output.file.span });
        }
        Ok(wanted)
    }
}
