//! What is wrong with an expression, and where in its text.

use std::fmt;
use std::ops::Range;

/// An error of the user's expression, with the place in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// The whole expression.
    pub expression: String,
    /// The bytes of the sub-expression at fault.
    pub span: Range<usize>,
    /// One sentence.
    pub message: String,
    /// What may cure it.
    pub help: Option<String>,
}

/// Why a node is wrong, before the text of the whole expression is known.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// The operand that is at fault; none for the node itself.
    pub operand: Option<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// A node that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub node: u64,
    pub wrong: Wrong,
}

impl Wrong {
    /// Something wrong with a node as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Wrong { operand: None, message: message.into(), help: None }
    }

    /// The same, pointing at an operand.
    pub fn at(self, operand: usize) -> Self {
        Wrong { operand: Some(operand), ..self }
    }

    /// The same with a cure.
    pub fn help(self, help: impl Into<String>) -> Self {
        Wrong { help: Some(help.into()), ..self }
    }
}

impl ExprError {
    /// Something wrong with a whole expression.
    pub fn about(expression: &dyn fmt::Display, message: impl Into<String>) -> Self {
        let expression = expression.to_string();
        let span = 0..expression.len();
        ExprError { expression, span, message: message.into(), help: None }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.expression[..self.span.start].chars().count();
        let carets = self.expression[self.span.clone()].chars().count().max(1);
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {}", self.expression)?;
        write!(f, "  {}{}", " ".repeat(before), "^".repeat(carets))?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExprError {}
