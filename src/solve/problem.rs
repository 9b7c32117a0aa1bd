//! What a solver is asked for, and what it answers.

use super::lsqr::Column;
use super::steps::Program;
use crate::expr::{ExprError, Op, Parts};
use adjoin_passes::ir::TermId;
use adjoin_passes::{Dtype, Type};
use serde::Serialize;
use std::collections::BTreeMap;

/// An iterative method: a program, and a rule for the loop.
pub trait Solver: Send + Sync {
    /// Its name in problem files and reports.
    fn name(&self) -> &'static str;

    /// Whether the operator must map a space to itself.
    fn square(&self) -> bool {
        false
    }

    /// Writes the blocks: `setup`, `step`, `view`, and what else the method needs.
    fn program(&self, system: &System, program: &mut Program) -> Result<(), ExprError>;

    /// What to do after a block, from the control numbers that it made.
    fn next(&self, settings: &Settings, history: &mut Outcome, controls: &Controls) -> Next;
}

/// The next thing that the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Runs a block.
    Block(&'static str),
    /// Ends; the reason is in the outcome.
    Stop,
}

/// The numbers that end a loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Iterations at most.
    pub niter: usize,
    /// The tolerance, as the method defines it.
    pub tol: f64,
    /// Damping.
    pub damp: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { niter: 10, tol: 1e-4, damp: 0.0 }
    }
}

/// The control numbers of a block by name; one for each right-hand side.
pub type Controls = BTreeMap<String, Vec<f64>>;

/// Iterations for whose history there is room from the start.
const LONGEST: usize = 1 << 16;

/// What came out of a loop besides the solution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Iterations done.
    pub niter: usize,
    /// PyLops's number for the end: of CG and CGLS 1 if the tolerance was reached and 2 if the
    /// iterations ran out, of LSQR 0 if they ran out.
    pub istop: usize,
    /// Why the loop ended.
    pub stop: Stop,
    /// The norm of the residual before the first and after each iteration.
    pub cost: Vec<f64>,
    /// The same for each part of the data.
    pub norms: Vec<Vec<f64>>,
    /// The last value of what the tolerance is compared with.
    pub r1norm: f64,
    /// The norm of the residual, damping included.
    pub r2norm: f64,
    /// What LSQR knows of the operator and the solution.
    pub estimates: Option<Estimates>,
    /// LSQR's own, one for each right-hand side.
    pub(super) columns: Vec<Column>,
}

/// Why a loop ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// All iterations are done.
    #[default]
    Iterations,
    /// The solution is as good as was asked for.
    Tolerance,
    /// The operator is too ill-conditioned.
    Condition,
    /// More is not to be had in this arithmetic.
    Precision,
}

/// What LSQR finds on the way; norms over all right-hand sides, the worst operator among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimates {
    /// The Frobenius norm of `[A; δ]`.
    pub anorm: f64,
    /// The condition of `[A; δ]`.
    pub acond: f64,
    /// The norm of the gradient `Aᴴ r - δ² x`.
    pub arnorm: f64,
    /// The norm of what was added to the first guess.
    pub xnorm: f64,
}

impl Stop {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Stop::Iterations => "iterations",
            Stop::Tolerance => "tolerance",
            Stop::Condition => "condition",
            Stop::Precision => "precision",
        }
    }

    /// Said of a loop that has ended.
    pub fn sentence(self) -> &'static str {
        match self {
            Stop::Iterations => "iterations done",
            Stop::Tolerance => "tolerance reached",
            Stop::Condition => "condition beyond its limit",
            Stop::Precision => "as precise as the arithmetic allows",
        }
    }
}

/// `A x = d`: the operator, and what is known of the data.
#[derive(Clone)]
pub struct System {
    operator: Op,
    data: Vec<Dtype>,
    start: Option<Vec<Dtype>>,
    columns: Option<usize>,
}

impl System {
    /// A system with data of these types, one for each part of the range.
    pub fn new(operator: &Op, data: &[Dtype]) -> Result<Self, ExprError> {
        operator.check()?;
        let parts = operator.range().len();
        if data.len() != parts {
            let message = format!("has {parts} parts of data and is given {}", data.len());
            return Err(ExprError::about(operator, message));
        }
        Ok(System { operator: operator.clone(), data: data.to_vec(), start: None, columns: None })
    }

    /// The same with a first guess of these types.
    pub fn from(self, start: &[Dtype]) -> Self {
        System { start: Some(start.to_vec()), ..self }
    }

    /// The same with several right-hand sides, in a trailing dim of data and model.
    pub fn columns(self, columns: usize) -> Self {
        System { columns: Some(columns), ..self }
    }

    /// How many right-hand sides have a dim of their own.
    pub fn several(&self) -> Option<usize> {
        self.columns
    }

    /// The operator.
    pub fn operator(&self) -> &Op {
        &self.operator
    }

    /// Whether there is a first guess.
    pub fn starts(&self) -> bool {
        self.start.is_some()
    }

    /// Names for the parts of a vector like the data.
    pub fn data_labels(&self, of: &str) -> Vec<String> {
        self.operator.range().labels(of)
    }

    /// Names for the parts of a vector like the model.
    pub fn model_labels(&self, of: &str) -> Vec<String> {
        self.operator.domain().labels(of)
    }

    /// The parts of the model.
    pub fn model_parts(&self) -> &Parts {
        self.operator.domain()
    }

    /// The types of the data.
    pub fn data(&self, program: &Program) -> Vec<Type> {
        program.types(&self.operator.range().shapes(), &self.data)
    }

    /// The types of the model: those of `Aᴴ d`, promoted with those of the first guess.
    pub fn model(
        &self,
        program: &Program,
        adjoint: TermId,
        data: &[Type],
    ) -> Result<Vec<Type>, ExprError> {
        let mut types = program.results(adjoint, data)?;
        for (ty, start) in types.iter_mut().zip(self.start.iter().flatten()) {
            ty.dtype = ty.dtype.promote(*start);
        }
        Ok(types)
    }

    /// The whole program of a solver for this system.
    pub fn compile(&self, solver: &dyn Solver) -> Result<Program, ExprError> {
        let (rows, columns) = self.operator.shape();
        if solver.square() && rows != columns {
            let message =
                format!("{} needs a square operator, not {rows}×{columns}", solver.name());
            return Err(ExprError::about(&self.operator, message));
        }
        let mut program = Program::new(self.columns);
        solver.program(self, &mut program)?;
        Ok(program)
    }
}

impl Outcome {
    /// Nothing yet, with room for the history of so many iterations.
    pub(crate) fn with_room(niter: usize) -> Self {
        Outcome { cost: Vec::with_capacity(niter.min(LONGEST) + 1), ..Outcome::default() }
    }

    /// Notes squared norms of the parts of a residual, named by a prefix and a number.
    pub(super) fn note(&mut self, controls: &Controls, prefix: &str) {
        let parts = || {
            controls.iter().filter_map(|(name, squares)| {
                Some((name.strip_prefix(prefix)?.parse::<usize>().ok()?, squares))
            })
        };
        if self.norms.is_empty() {
            let room = self.cost.capacity();
            self.norms.resize_with(parts().count(), || Vec::with_capacity(room));
        }
        for (part, squares) in parts() {
            self.norms[part].push(squares.iter().sum());
        }
        let mut total = 0.0;
        for last in self.norms.iter_mut().filter_map(|norms| norms.last_mut()) {
            total += *last;
            *last = last.sqrt();
        }
        self.cost.push(total.sqrt());
    }
}
