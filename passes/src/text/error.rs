//! What is wrong with a text, and where.

/// A text that is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}\n  {text}\n  {}", below(*.caret))]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What should have stood there, and what does.
    pub expected: String,
    /// The line, or of a very long line what surrounds the fault.
    pub text: String,
    /// The character of `text` at fault, from 0.
    pub caret: usize,
}

/// A fault at some byte of the text.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub expected: String,
}

impl Fault {
    pub fn new(at: usize, expected: impl Into<String>) -> Self {
        Fault { at, expected: expected.into() }
    }

    /// The error with the line of `text` in which it is.
    pub fn locate(self, text: &str) -> ParseError {
        const AROUND: usize = 60;
        let before = text.get(..self.at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before[start..].chars().count();
        let line = text[start..].lines().next().unwrap_or("");
        let skipped = column.saturating_sub(AROUND);
        ParseError {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            expected: self.expected,
            text: line.chars().skip(skipped).take(2 * AROUND).collect(),
            caret: column - skipped,
        }
    }
}

fn below(column: usize) -> String {
    format!("{:>1$}", '^', column + 1)
}
