//! A planned expression or problem: the plan, and what it takes to run it.
//!
//! A value without data or ranks: print it, save it, run it on a [`crate::runtime::World`].

use crate::expr::{ExprError, LowerContext, Output, Vector, lower};
use crate::ops::{Operator, completed};
use crate::problem::file::Contract;
use crate::solve::{Settings, Solver, System};
use adjoin_passes::certify::Verdict;
use adjoin_passes::cost::Account;
use adjoin_passes::error::PlanError;
use adjoin_passes::machine::Machine;
use adjoin_passes::meaning::without_meaning;
use adjoin_passes::pipeline::Numerics;
use adjoin_passes::search::{Pin, Reviewed, review};
use adjoin_passes::shape::{Tried, compile_for};
use adjoin_passes::{Compiled, Context, Mesh, Plan, compile};
use num_complex::Complex64;
use std::fmt;
use std::sync::Arc;

/// A number of ranks, whose arrangement is chosen with the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks(pub usize);

/// How ranks are arranged: as a mesh, or as the planner likes best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// As this mesh.
    Mesh(Mesh),
    /// So many ranks: in a line, or on a grid where that is cheaper.
    Ranks(usize),
}

impl Arrangement {
    /// How many ranks there are.
    pub fn ranks(&self) -> usize {
        match self {
            Arrangement::Mesh(mesh) => mesh.ranks(),
            Arrangement::Ranks(ranks) => *ranks,
        }
    }
}

impl From<Mesh> for Arrangement {
    fn from(mesh: Mesh) -> Self {
        Arrangement::Mesh(mesh)
    }
}

impl From<Ranks> for Arrangement {
    fn from(ranks: Ranks) -> Self {
        Arrangement::Ranks(ranks.0)
    }
}

impl fmt::Display for Arrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arrangement::Mesh(mesh) => write!(f, "{mesh}"),
            Arrangement::Ranks(ranks) => write!(f, "{ranks} ranks"),
        }
    }
}

/// A plan with its operators, and how it is driven.
#[derive(Clone)]
pub struct Planned {
    compiled: Compiled,
    context: Context,
    operators: Vec<Arc<dyn Operator>>,
    slots: Vec<Complex64>,
    outputs: Vec<Output>,
    drive: Drive,
    verdict: Verdict,
    shapes: Vec<Tried>,
}

/// How a plan is run.
#[derive(Clone)]
pub enum Drive {
    /// Its only block, once.
    Apply,
    /// A solver's loop.
    Solve(Arc<dyn Solver>, Settings),
}

/// Why something cannot be planned.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlanningError {
    /// The expression is at fault.
    #[error(transparent)]
    Expression(#[from] ExprError),
    /// The compiler.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Where and how to plan.
#[derive(Clone, Debug)]
pub struct Planner {
    arrangement: Arrangement,
    context: Context,
}

impl Planner {
    /// Plans for a mesh, or for a number of ranks that are arranged as is best.
    pub fn new(arrangement: impl Into<Arrangement>) -> Self {
        Planner { arrangement: arrangement.into(), context: Context::default() }
    }

    /// For a machine.
    pub fn machine(mut self, machine: Machine) -> Self {
        self.context.machine = machine;
        self
    }

    /// With what the user allows to happen to the numbers.
    pub fn numerics(mut self, numerics: Numerics) -> Self {
        self.context.numerics = numerics;
        self
    }

    /// With the contract of a problem file.
    pub fn contract(self, contract: Contract) -> Self {
        let planner = self.numerics(contract.numerics.unwrap_or_default());
        contract.refresh.into_iter().fold(planner, Planner::refresh)
    }

    /// With what is carried along by a recurrence computed anew after so many steps.
    pub fn refresh(mut self, steps: u32) -> Self {
        self.context.refresh = Some(steps);
        self
    }

    /// With an operator, an input or a state placed as is written, such as `i/r, j/c` for the
    /// factors of an operator and `n/r, m` for the dims of a value; see [`Pin`].
    pub fn pin(self, subject: &str, wanted: &str) -> Self {
        let (subject, wanted) = (subject.to_owned(), wanted.to_owned());
        self.pins([Pin { subject, wanted, always: true }])
    }

    /// With an input that the caller holds in a layout of his own: of its first dim, so many
    /// elements on each rank, in their order. A result of the same shape is handed back so.
    pub fn layout(self, subject: &str, counts: &[usize]) -> Self {
        let axes: Vec<&str> = match &self.arrangement {
            Arrangement::Mesh(mesh) => mesh.axes.iter().map(|(name, _)| name.as_str()).collect(),
            Arrangement::Ranks(_) => vec!["p"],
        };
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        let wanted = format!("rows ({})@[{}]", axes.join(","), counts.join(", "));
        self.pin(subject, &wanted)
    }

    /// With several placements.
    pub fn pins(mut self, pins: impl IntoIterator<Item = Pin>) -> Self {
        self.context.pins.extend(pins);
        self
    }

    /// Plans a data expression, to be evaluated once.
    pub fn apply(&self, vector: &Vector) -> Result<Planned, PlanningError> {
        let lowered = lower(vector)?;
        let planner = self.clone().pins(lowered.pins);
        let (operators, slots, outputs) = (lowered.operators, lowered.slots, lowered.outputs);
        planner.finish(&lowered.plan, &operators, slots, outputs, Drive::Apply)
    }

    /// Plans a solver's program.
    pub fn solve(
        &self,
        solver: Arc<dyn Solver>,
        system: &System,
        settings: Settings,
    ) -> Result<Planned, PlanningError> {
        let program = system.compile(&*solver)?;
        let planner = self.clone().pins(program.context.pins());
        let LowerContext { plan, operators, mut slots, .. } = program.context;
        if let Some(damp) = plan.slots.iter().position(|s| s.name == "damp") {
            slots[damp] = Complex64::new(settings.damp, 0.0);
        }
        let view = plan.block("view");
        let types =
            view.map(|v| v.returns.iter().map(|r| v.ty(r.value).clone()).collect::<Vec<_>>());
        let parts = system.model_parts().0.iter().zip(types.unwrap_or_default());
        let outputs =
            parts.map(|(p, ty)| Output { name: p.name.clone(), dims: ty.dims, dtype: ty.dtype });
        let outputs = outputs.collect();
        planner.finish(&plan, &operators, slots, outputs, Drive::Solve(solver, settings))
    }

    fn finish(
        &self,
        plan: &Plan,
        operators: &[Arc<dyn Operator>],
        slots: Vec<Complex64>,
        outputs: Vec<Output>,
        drive: Drive,
    ) -> Result<Planned, PlanningError> {
        let (compiled, shapes) = match &self.arrangement {
            Arrangement::Mesh(mesh) => {
                let context = Context { mesh: mesh.clone(), ..self.context.clone() };
                (compile(plan, &context)?, Vec::new())
            }
            Arrangement::Ranks(ranks) => compile_for(*ranks, plan, &self.context)?,
        };
        let verdict = compiled.certify();
        if let Verdict::Refuted(reason) = &verdict {
            return Err(PlanError::Refuted(reason.clone()).into());
        }
        let operators = completed(&compiled.plan, operators);
        let context = Context { mesh: compiled.plan.mesh.clone(), ..self.context.clone() };
        let context = context.among_ranks();
        Ok(Planned { compiled, context, operators, slots, outputs, drive, verdict, shapes })
    }
}

impl Planned {
    /// The finished plan with its source, trace and decisions.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The mesh, the machine and the contract that it was planned for.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What it costs on the machine that it was planned for.
    pub fn account(&self) -> Account {
        Account::of(&self.compiled.plan, &self.context.machine)
    }

    /// What the search has chosen, and what would have come next; nothing on a single rank.
    pub fn choices(&self) -> Vec<Reviewed> {
        if self.compiled.plan.mesh.ranks() == 1 {
            return Vec::new();
        }
        let before = self.trace().iter().take_while(|(pass, _)| *pass != "insert-collectives");
        let source = before.last().map_or(self.source(), |(_, plan)| plan);
        review(&without_meaning(source), &self.context)
    }

    /// The shapes of the mesh that were tried, the chosen one first; none if only one was.
    pub fn shapes(&self) -> &[Tried] {
        &self.shapes
    }

    /// The finished plan.
    pub fn plan(&self) -> &Plan {
        &self.compiled.plan
    }

    /// The plan before any pass.
    pub fn source(&self) -> &Plan {
        &self.compiled.source
    }

    /// Each pass that changed something, with the plan after it.
    pub fn trace(&self) -> &[(&'static str, Plan)] {
        &self.compiled.trace
    }

    /// The operator of each leaf.
    pub fn operators(&self) -> &[Arc<dyn Operator>] {
        &self.operators
    }

    /// The default of each slot.
    pub fn slots(&self) -> &[Complex64] {
        &self.slots
    }

    /// The parts of the result.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// How it is run.
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// How its certificate ended.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.compiled.plan)
    }
}
