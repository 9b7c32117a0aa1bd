//! `[solve]`: a solver, the system that it solves, and the sources of its data.

use super::Model;
use super::data::Side;
use crate::Dtype;
use crate::data::Source;
use crate::expr::{ExprError, LowerContext, Op};
use crate::problem::diagnostic::{Diagnostic, Result};
use crate::problem::resolve::{Built, Setting, Solve};
use crate::solve::{Cg, Cgls, Lsqr, Settings, Solver, System};
use adjoin_passes::ir::Slot;
use std::sync::Arc;

/// The slots that solvers read.
const SLOTS: [&str; 1] = ["damp"];

/// What is to be solved, with the sources of its data.
#[derive(Clone)]
pub struct Task {
    /// The method.
    pub solver: Arc<dyn Solver>,
    /// The operator and the types of the data.
    pub system: System,
    /// The numbers that end the loop.
    pub settings: Settings,
    /// One source for each part of the data.
    pub data: Vec<Source>,
    /// One source for each part of the start; it is zero if there are none.
    pub start: Option<Vec<Source>>,
}

impl Model<'_> {
    /// The task of the file, if it has one.
    pub fn task(&self) -> Result<Option<Task>> {
        self.resolved.solve.as_ref().map(|solve| self.solve(solve)).transpose()
    }

    fn solve(&self, solve: &Solve) -> Result<Task> {
        let operator = self.operator(&solve.operator)?;
        self.check_slots(solve, &operator)?;
        let solver = self.solver(&solve.solver)?;
        let (rows, columns) = operator.shape();
        let named = solve.operator.text();
        if solver.square() && rows != columns {
            let name = solver.name();
            let message = format!("{name} needs a square operator, and `{named}` is not");
            let span = solve.operator.expr.span;
            return Err(solve
                .operator
                .error(span, message, format!("{rows}×{columns}"))
                .help("least squares are solved by cgls and lsqr"));
        }
        let says = |what: &str| format!("`{named}` is {rows}×{columns}, so its {what}");
        let range = Side { parts: operator.range(), says: says("data have") };
        let data = self.data(&solve.data, &range)?;
        let domain = Side { parts: operator.domain(), says: says("start has") };
        let start = solve.x0.as_ref().map(|x0| self.data(x0, &domain)).transpose()?;
        let system = System::new(&operator, &types(&data.sources));
        let mut system = system.map_err(|error| unsolvable(solve, &error))?;
        if let Some(start) = &start {
            if start.columns != data.columns {
                let message = "the start and the data have different numbers of columns";
                return Err(Diagnostic::new(
                    &self.resolved.document,
                    solve.solver.entry.span,
                    message,
                    "in this problem",
                ));
            }
            system = system.from(&types(&start.sources));
        }
        if let Some(columns) = data.columns {
            system = system.columns(columns);
        }
        let settings = self.settings(&solve.solver)?;
        let start = start.map(|start| start.sources);
        Ok(Task { solver, system, settings, data: data.sources, start })
    }

    /// A parameter in the operator must not stand for a number of the solver.
    fn check_slots(&self, solve: &Solve, operator: &Op) -> Result<()> {
        let mut context = LowerContext::new();
        context.term(operator).map_err(|error| unsolvable(solve, &error))?;
        let taken = |slot: &Slot| SLOTS.contains(&slot.name.as_str());
        let Some(slot) = context.plan.slots.iter().find(|slot| taken(slot)) else {
            return Ok(());
        };
        let parameter = self.resolved.parameters.iter().find(|p| p.name.value == slot.name);
        let span = parameter.map_or(solve.operator.expr.span, |p| p.name.span);
        let message = format!("`{}` is a number of the solver", slot.name);
        let label = "so this needs another name";
        Err(Diagnostic::new(&self.resolved.document, span, message, label))
    }

    fn settings(&self, built: &Built) -> Result<Settings> {
        let mut settings = Settings::default();
        for (name, number) in self.numbers(built)? {
            match name {
                "niter" => settings.niter = number as usize,
                "damp" => settings.damp = number,
                "tol" => settings.tol = number,
                _ => {}
            }
        }
        Ok(settings)
    }

    /// The parameters that are numbers.
    fn numbers<'b>(&self, built: &'b Built) -> Result<Vec<(&'b str, f64)>> {
        let mut numbers = Vec::new();
        for (name, setting) in &built.settings {
            let number = match &setting.value {
                Setting::Number(x) => *x,
                Setting::Integer(n) => *n as f64,
                Setting::Formula(formula) => self.resolved.number(formula)?.value().re,
                _ => continue,
            };
            numbers.push((name.value.as_str(), number));
        }
        Ok(numbers)
    }

    fn solver(&self, built: &Built) -> Result<Arc<dyn Solver>> {
        Ok(match built.entry.value.name {
            "cg" => Arc::new(Cg),
            "lsqr" => Arc::new(self.lsqr(built)?),
            _ => Arc::new(Cgls),
        })
    }

    fn lsqr(&self, built: &Built) -> Result<Lsqr> {
        let mut lsqr = Lsqr::default();
        for (name, number) in self.numbers(built)? {
            match name {
                "atol" => lsqr.atol = number,
                "btol" => lsqr.btol = number,
                "conlim" => lsqr.conlim = number,
                _ => {}
            }
        }
        let calc_var = built.settings.iter().rev().find(|(name, _)| name.value == "calc_var");
        if let Some(Setting::Flag(flag)) = calc_var.map(|(_, setting)| &setting.value) {
            lsqr.calc_var = *flag;
        }
        Ok(lsqr)
    }
}

/// What the expression's own check says, at the operator.
fn unsolvable(solve: &Solve, error: &ExprError) -> Diagnostic {
    let span = solve.operator.expr.span;
    solve.operator.error(span, &error.message, "here").maybe_help(error.help.clone())
}

fn types(sources: &[Source]) -> Vec<Dtype> {
    sources.iter().map(Source::dtype).collect()
}
