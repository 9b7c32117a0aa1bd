//! From a resolved problem to expressions, a system to solve, and the sources of its data.
//!
//! Only headers of arrays are read here, so that a problem can be planned without its data.
//! Errors of shapes and element types point into the file.
//!
//! ```text
//! [arrays]     → Source            headers only
//! [operators]  → Op                tables through `ops::registry`, text through `expr`
//! [parameters] → param(name, ..)   slots, so that `--set` needs no new plan
//! [solve]      → Task              system, settings, one source for each part of the data
//! [outputs]    → Wanted            evaluated with `x` bound to the solution
//! ```

mod arguments;
mod blocks;
mod data;
mod fit;
mod formula;
mod lazy;
mod outputs;
mod task;

use super::diagnostic::{Diagnostic, Result};
use super::file::{Array, Origin};
use super::resolve::{Body, Entity, Resolved, Sort, uses};
use super::text::Formula;
use crate::Dtype;
use crate::data::{DataError, Source};
use crate::expr::{Op, Vector, input_parts};
pub use outputs::{Content, Wanted};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub use task::Task;

/// How an array of the file becomes a source.
type Open<'a> = dyn Fn(&Array) -> std::result::Result<Source, DataError> + 'a;

/// A problem whose names stand for expressions.
pub struct Model<'a> {
    resolved: &'a Resolved,
    arrays: Vec<Option<Source>>,
    operators: Vec<Option<Op>>,
    /// What `x` is, once the types of the solution are known.
    solution: Option<Vector>,
    /// The inputs that were named so far, so that each is one node.
    inputs: RefCell<BTreeMap<usize, Vector>>,
}

/// An expression of the command line.
pub enum Expression {
    /// One that has a value.
    Vector(Vector),
    /// An operator, applied to nothing yet.
    Operator(Op),
}

impl<'a> Model<'a> {
    /// Opens the arrays, relative to `folder`, and builds the operators that are needed for the
    /// given expressions, or for all that the file asks for if there are none.
    pub fn open(resolved: &'a Resolved, folder: &Path) -> Result<Self> {
        let dtype = resolved.dtype.unwrap_or(Dtype::F64);
        Model::with(resolved, &|array| open(array, folder, dtype))
    }

    /// The same with arrays from somewhere else.
    pub fn with(resolved: &'a Resolved, open: &Open<'_>) -> Result<Self> {
        let needed = uses::used_by(resolved, &roots(resolved));
        let mut model = Model {
            resolved,
            arrays: vec![None; resolved.arrays.len()],
            operators: vec![None; resolved.operators.len()],
            solution: None,
            inputs: RefCell::default(),
        };
        for (i, array) in resolved.arrays.iter().enumerate() {
            if needed.arrays[i] {
                let source = open(array).map_err(|error| unreadable(resolved, array, &error))?;
                model.arrays[i] = Some(source);
            }
        }
        for (i, operator) in resolved.operators.iter().enumerate() {
            if needed.operators[i] {
                let op = match &operator.body {
                    Body::Formula(formula) => model.operator(formula)?,
                    Body::Built(built) => model.built(built)?,
                };
                let name = &operator.name.value;
                let op = resolved.placement(name).map_or(op.clone(), |wanted| op.on(wanted));
                model.operators[i] = Some(op.named(name));
            }
        }
        Ok(model)
    }

    /// The expressions that were given besides the file.
    pub fn expressions(&self) -> Result<Vec<Expression>> {
        let build = |(formula, sort): &(Formula, Sort)| match sort {
            Sort::Operator => Ok(Expression::Operator(self.operator(formula)?)),
            Sort::Array => Ok(Expression::Vector(self.vector(formula)?)),
            Sort::Number => {
                let error = formula.error(formula.expr.span, "this is a number", "nothing to plan");
                Err(error.help("give an operator, or what one is applied to"))
            }
        };
        self.resolved.expressions.iter().map(build).collect()
    }

    /// The named operators that were needed, in the order in which they use each other.
    pub fn operators(&self) -> impl Iterator<Item = &Op> {
        self.operators.iter().flatten()
    }

    /// Binds `x` to a vector like the solution.
    pub fn bind_solution(&mut self, solution: Vector) {
        self.solution = Some(solution);
    }

    /// The source of each input of expressions, by its name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let names = self.resolved.arrays.iter().map(|array| array.name.value.as_str());
        names.zip(&self.arrays).filter_map(|(name, source)| Some((name, source.as_ref()?)))
    }

    /// The source of an array of the file.
    fn source(&self, name: &str) -> Option<&Source> {
        match self.resolved.lookup(name)? {
            Entity::Array(i) => self.arrays[i].as_ref(),
            Entity::Parameter(_) | Entity::Operator(_) | Entity::Solution => None,
        }
    }

    /// An array of the file as an input.
    fn input(&self, i: usize) -> Option<Vector> {
        let source = self.arrays[i].as_ref()?;
        let name = &self.resolved.arrays[i].name.value;
        let mut inputs = self.inputs.borrow_mut();
        let make = || input_parts(name, source.dims().to_vec().into(), &[source.dtype()]);
        Some(inputs.entry(i).or_insert_with(make).clone())
    }
}

/// The expressions that say what is needed: those of the command line, else those of the file.
fn roots(resolved: &Resolved) -> Vec<&Formula> {
    let given: Vec<&Formula> = resolved.expressions.iter().map(|(formula, _)| formula).collect();
    let solved = given.iter().any(|formula| names_solution(resolved, formula));
    if !given.is_empty() && !solved {
        return given;
    }
    let mut all = given;
    all.extend(uses::of_solve(resolved));
    all.extend(resolved.outputs.iter().filter_map(|output| output.expr.as_ref()));
    if resolved.solve.is_none() && resolved.outputs.is_empty() {
        all.extend(resolved.operators.iter().flat_map(uses::of_operator));
    }
    all
}

/// Whether an expression uses the solution.
pub fn names_solution(resolved: &Resolved, formula: &Formula) -> bool {
    let mut found = false;
    formula.expr.names(&mut |name, _| {
        found = found || resolved.lookup(name) == Some(Entity::Solution);
    });
    found
}

fn open(array: &Array, folder: &Path, default: Dtype) -> std::result::Result<Source, DataError> {
    let path = |path: &str| -> PathBuf { folder.join(path) };
    match &array.origin {
        Origin::Npy(file) => Source::npy(path(&file.value)),
        Origin::Npz { path: file, member } => Source::npz(path(&file.value), &member.value),
        Origin::Shape { dims, dtype } => {
            Ok(Source::declared(dims.clone(), dtype.unwrap_or(default)))
        }
    }
}

fn unreadable(resolved: &Resolved, array: &Array, error: &DataError) -> Diagnostic {
    let span = match &array.origin {
        Origin::Npy(path) | Origin::Npz { path, .. } => path.span,
        Origin::Shape { .. } => array.span,
    };
    let text = error.to_string();
    let (message, help) = match text.split_once("; ") {
        Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
        None => (text, None),
    };
    Diagnostic::new(&resolved.document, span, message, "needed here").maybe_help(help)
}
