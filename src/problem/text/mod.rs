//! The expression language: PyLops text such as `A.H @ (B @ x)`, read into a tree with spans.
//!
//! Precedence and associativity are Python's.
//! Nesting, length and tree height are limited, so hostile text gives an error and later walks over
//! the tree may recurse.

pub mod constant;
pub mod lexer;
pub mod parser;
pub mod print;
pub mod tree;

use super::diagnostic::{Diagnostic, Document, Result, Span};
pub use constant::Scalar;
pub use tree::{Argument, Attribute, BinaryOp, Expr, ExprKind, Number};

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// How deep parentheses, signs and powers may nest.
pub const MAX_NESTING: usize = 100;
/// How high a tree may be; a sum of `n` terms has height `n`.
pub const MAX_HEIGHT: usize = 500;

/// An expression and the document that its spans point into.
#[derive(Clone, Debug)]
pub struct Formula {
    /// The problem file, or the text alone where a file's escapes keep spans from mapping into it.
    pub document: Document,
    /// The tree.
    pub expr: Expr,
}

impl Formula {
    /// Reads text that stands on its own, such as an argument of the command line.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let document = Document::new(name, text);
        Formula::parse_within(&document, Span::new(0, text.len()))
    }

    /// Reads the part of a document that `span` covers.
    pub fn parse_within(document: &Document, span: Span) -> Result<Self> {
        let length = span.end - span.start;
        if length > MAX_LENGTH {
            let message =
                format!("an expression has at most {MAX_LENGTH} bytes and this has {length}");
            let start = Span::new(span.start, span.start);
            return Err(Diagnostic::new(document, start, message, "")
                .help("give parts of it names under [operators]"));
        }
        let tokens = lexer::tokens(document, span)?;
        let expr = parser::parse(document, tokens)?;
        Ok(Formula { document: document.clone(), expr })
    }

    /// The text as it is written.
    pub fn text(&self) -> &str {
        self.document.slice(self.expr.span)
    }

    /// An error at a node of this expression.
    pub fn error(
        &self,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(&self.document, span, message, label)
    }
}
