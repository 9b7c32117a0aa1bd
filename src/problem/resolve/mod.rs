//! Gives every name of a problem a meaning, checks what can be checked without data, and orders the
//! definitions so that each comes after those that it uses.

mod calls;
mod names;
mod order;
mod placed;
mod settings;
mod sort;
pub(super) mod uses;

use super::catalog::{Catalog, Entry};
use super::diagnostic::{Diagnostic, Document, Result, Spanned};
use super::file::{Array, Contract, Data, Layout, Name, Output, Parameter, Part, Problem};
use super::text::{Formula, Scalar};
use crate::Dtype;
pub use names::{FUNCTIONS, Names};
pub use settings::Setting;
pub use sort::Sort;

/// What a name in an expression stands for; the index is into the list of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// A number, `Resolved::parameters[i]`.
    Parameter(usize),
    /// An array, `Resolved::arrays[i]`.
    Array(usize),
    /// An operator, `Resolved::operators[i]`.
    Operator(usize),
    /// The solver's result `x`.
    Solution,
}

/// A problem whose names, kinds of values and parameters are checked; shapes and types are not.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The file.
    pub document: Document,
    /// The element type where nothing else says one.
    pub dtype: Option<Dtype>,
    /// Ranks or mesh, if the file says one.
    pub layout: Option<Layout>,
    /// Threads of a rank, if the file says so.
    pub threads: Option<usize>,
    /// What the compiler may do to the numbers.
    pub contract: Contract,
    /// Operators and values that are placed as is written.
    pub placements: Vec<(Name, Name)>,
    /// Numbers.
    pub parameters: Vec<Parameter>,
    /// Arrays.
    pub arrays: Vec<Array>,
    /// Operators, each after those that it uses.
    pub operators: Vec<Operator>,
    /// What to solve.
    pub solve: Option<Solve>,
    /// What to write.
    pub outputs: Vec<Output>,
    /// The expressions that were given besides the file, with what they are.
    pub expressions: Vec<(Formula, Sort)>,
    names: Names,
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
    /// An expression over earlier operators, and parameters.
    Formula(Formula),
    /// One of the catalogue.
    Built(Built),
}

/// A named thing of the catalogue with its checked parameters.
#[derive(Clone, Debug)]
pub struct Built {
    /// The entry, and where the file names it.
    pub entry: Spanned<Entry>,
    /// The parameters that are given, in the order of the file.
    pub settings: Vec<(Name, Spanned<Setting>)>,
}

impl Built {
    /// The setting of a parameter, if it is given.
    pub fn setting(&self, name: &str) -> Option<&Spanned<Setting>> {
        self.settings.iter().find(|(key, _)| key.value == name).map(|(_, setting)| setting)
    }
}

/// What is to be solved.
#[derive(Clone, Debug)]
pub struct Solve {
    /// The solver with its numbers.
    pub solver: Built,
    /// The operator to invert.
    pub operator: Formula,
    /// The right-hand side.
    pub data: Data,
    /// The start; zeros if absent.
    pub x0: Option<Data>,
}

impl Resolved {
    /// Resolves a file and the expressions that a command was given besides it.
    pub fn new(problem: Problem, catalog: &Catalog, expressions: Vec<Formula>) -> Result<Self> {
        let names = Names::collect(&problem, catalog)?;
        let Problem {
            document,
            dtype,
            parameters,
            arrays,
            operators,
            solve,
            outputs,
            placements,
            layout,
            threads,
            contract,
        } = problem;
        let operators = operators
            .into_iter()
            .map(|operator| settings::operator(&document, catalog, operator))
            .collect::<Result<Vec<_>>>()?;
        let solve = solve.map(|solve| settings::solve(&document, catalog, solve)).transpose()?;
        let mut resolved = Resolved {
            document,
            dtype: dtype.map(|dtype| dtype.value),
            layout,
            threads,
            contract,
            placements,
            parameters,
            arrays,
            operators,
            solve,
            outputs,
            expressions: Vec::new(),
            names,
        };
        uses::check(&resolved, &expressions)?;
        order::sort(&mut resolved)?;
        resolved.expressions = sort::check(&resolved, catalog, expressions)?;
        names::check_outputs(&resolved)?;
        uses::check_unused(&resolved)?;
        placed::check(&resolved)?;
        Ok(resolved)
    }

    /// What a name stands for; `None` for names that no section declares.
    pub fn lookup(&self, name: &str) -> Option<Entity> {
        self.names.lookup(name)
    }

    /// The value of an expression of numbers and parameters.
    pub fn number(&self, formula: &Formula) -> Result<Scalar> {
        formula.constant(&|name| match self.lookup(name)? {
            Entity::Parameter(i) => Some(self.parameters[i].value),
            Entity::Array(_) | Entity::Operator(_) | Entity::Solution => None,
        })
    }
}

/// The expressions of a value.
fn formulas(data: &Data) -> Vec<&Formula> {
    match data {
        Data::Whole(formula) => vec![formula],
        Data::Parts(parts) => parts.iter().filter_map(|(_, part)| part_formula(part)).collect(),
    }
}

fn part_formula(part: &Part) -> Option<&Formula> {
    match part {
        Part::Formula(formula) => Some(formula),
        Part::Zero => None,
    }
}

/// An error at the name of something in the file.
fn at_name(document: &Document, name: &Name, message: String, label: &str) -> Diagnostic {
    Diagnostic::new(document, name.span, message, label)
}
