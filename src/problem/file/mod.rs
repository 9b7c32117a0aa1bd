//! The schema of a problem file: its sections as they are written, names not yet looked up.

pub(super) mod fields;
mod overrides;
mod sections;
mod solve;

use super::diagnostic::{Document, Result, Span, Spanned};
use super::text::{Formula, Scalar};
use super::value::{self, Value};
use crate::Dtype;
use adjoin_passes::pipeline::Numerics;

/// A name and where it is written.
pub type Name = Spanned<String>;

/// A problem file, section by section.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The file.
    pub document: Document,
    /// `defaults.dtype`
    pub dtype: Option<Spanned<Dtype>>,
    /// `parameters`
    pub parameters: Vec<Parameter>,
    /// `arrays`
    pub arrays: Vec<Array>,
    /// `operators`
    pub operators: Vec<Operator>,
    /// `solve`
    pub solve: Option<Solve>,
    /// `outputs`
    pub outputs: Vec<Output>,
    /// `placements`: operators and values, and how they are split.
    pub placements: Vec<(Name, Name)>,
    /// `mesh` or `ranks`; the command line comes before it.
    pub layout: Option<Layout>,
    /// `threads`, those of a rank; the command line comes before it.
    pub threads: Option<usize>,
    /// `numerics` and `refresh`.
    pub contract: Contract,
}

/// What the compiler may do to the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// `numerics`; the command line comes before it.
    pub numerics: Option<Numerics>,
    /// `refresh`: after how many steps a recurrence is computed anew.
    pub refresh: Option<u32>,
}

/// A number that `--set` can change.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// What expressions call it.
    pub name: Name,
    /// Its value; always finite.
    pub value: Scalar,
}

/// An array and where it comes from.
#[derive(Clone, Debug)]
pub struct Array {
    /// What expressions call it.
    pub name: Name,
    /// Where its shape, type and values come from.
    pub origin: Origin,
    /// The whole entry.
    pub span: Span,
}

/// Where an array comes from. Paths are relative to the problem file.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An `.npy` file.
    Npy(Spanned<String>),
    /// A member of an `.npz` file.
    Npz {
        /// The file.
        path: Spanned<String>,
        /// The member, without `.npy`.
        member: Spanned<String>,
    },
    /// No values: enough for planning.
    Shape {
        /// Its dims; their product is representable.
        dims: Vec<usize>,
        /// Its element type, if not the default one.
        dtype: Option<Dtype>,
    },
}

/// A named operator.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What expressions call it.
    pub name: Name,
    /// What it is.
    pub body: Body,
}

/// What an operator is.
#[derive(Clone, Debug)]
pub enum Body {
    /// Text: an expression over other names.
    Formula(Formula),
    /// A table: `{ operator = "FirstDerivative", dims = [..], .. }`.
    Table {
        /// The kind of operator.
        kind: Name,
        /// The other keys, not yet compared with what the kind takes.
        arguments: value::Table,
    },
}

/// What is to be solved.
#[derive(Clone, Debug)]
pub struct Solve {
    /// The section's head or the whole table.
    pub span: Span,
    /// The name of the solver.
    pub solver: Name,
    /// The operator to invert.
    pub operator: Formula,
    /// The right-hand side.
    pub data: Data,
    /// The start; zeros if absent.
    pub x0: Option<Data>,
    /// The other keys, not yet compared with what the solver takes.
    pub options: value::Table,
}

/// A value with one or several parts.
#[derive(Clone, Debug)]
pub enum Data {
    /// One expression.
    Whole(Formula),
    /// One entry for each part that is named.
    Parts(Vec<(Name, Part)>),
}

/// One part of a value.
#[derive(Clone, Debug)]
pub enum Part {
    /// Zeros of whatever shape the part has.
    Zero,
    /// An expression.
    Formula(Formula),
}

/// A file to write.
#[derive(Clone, Debug)]
pub struct Output {
    /// The key: the result to write unless there is an expression.
    pub name: Name,
    /// What is written instead.
    pub expr: Option<Formula>,
    /// The path.
    pub file: Spanned<String>,
}

/// How many ranks, and how they are arranged.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// `ranks = 6`
    Ranks(usize),
    /// `mesh = { r = 2, c = 3 }`
    Mesh(Vec<(String, usize)>),
}

impl Problem {
    /// Reads TOML or JSON called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let document = Document::new(name, text);
        let value = value::read(&document)?;
        sections::problem(&document, value)
    }
}

/// Reads text of the file as an expression; `what` names it in messages.
pub(super) fn formula(document: &Document, value: &Value, what: &str) -> Result<Formula> {
    let quoted = fields::text(document, value, what)?;
    match quoted.at {
        Some(at) => Formula::parse_within(document, Span::new(at, at + quoted.text.len())),
        None => Formula::parse(&format!("{what} in {}", document.name()), &quoted.text),
    }
}
