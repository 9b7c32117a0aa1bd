//! What all commands begin with: the file, the ranks, and the plans of what is asked for.

use super::Failure;
use super::args::{Backend, Common, Working};
use crate::Dtype;
use crate::data::Source;
use crate::expr::{Op, Vector, input_parts};
use crate::machine::{self, Machine};
use crate::planned::{Arrangement, Planned, Planner, Ranks};
use crate::problem::build::{Expression, Task};
use crate::problem::file::{Contract, Layout};
use crate::problem::{Catalog, Formula, Model, Problem, Resolved};
use crate::run::{Inputs, inputs};
use crate::runtime::World;
use adjoin_passes::Mesh;
use std::path::{Path, PathBuf};

/// A problem file that was read, and the ranks that the command line or the file names.
pub(super) struct Job {
    pub resolved: Resolved,
    /// Where the paths of the file begin.
    pub folder: PathBuf,
    pub ranks: Option<Arrangement>,
    pub machine: Machine,
    pub contract: Contract,
    pub quiet: bool,
}

impl Job {
    pub fn read(common: &Common, expr: Option<&str>) -> Result<Self, Failure> {
        let name = common.file.display().to_string();
        let text = std::fs::read_to_string(&common.file)
            .map_err(|error| Failure::User(format!("cannot read {name}: {error}")))?;
        let mut problem = Problem::parse(&name, &text)?;
        for assignment in &common.set {
            problem.set(assignment)?;
        }
        let expression = expr.map(|text| Formula::parse("EXPR", text)).transpose()?;
        let catalog = Catalog::standard();
        let resolved = Resolved::new(problem, &catalog, Vec::from_iter(expression))?;
        let folder = common.file.parent().unwrap_or(Path::new("")).to_owned();
        let some = common.ranks.map(|n| Ranks(n).into());
        let ranks = match some.or_else(|| common.mesh.clone().map(Arrangement::from)) {
            Some(ranks) => Some(ranks),
            None => resolved.layout.as_ref().map(layout).transpose()?,
        };
        let machine = match &common.machine {
            Some(name) => chosen(name)?,
            None => Machine::default(),
        };
        let own = resolved.contract;
        let contract = Contract { numerics: common.numerics.or(own.numerics), ..own };
        Ok(Job { resolved, folder, ranks, machine, contract, quiet: common.quiet })
    }

    pub fn model(&self) -> Result<Model<'_>, Failure> {
        Ok(Model::open(&self.resolved, &self.folder)?)
    }

    /// The ranks of a job, or so many threads as are asked for, each with its crew.
    pub fn world(&self, world: World, working: &Working) -> Result<World, Failure> {
        let ranks = self.arrangement(&world);
        let (asked, here) = (ranks.ranks(), world.ranks());
        let threads = working.threads.or(self.resolved.threads);
        if world.backend() == "threads" {
            return Ok(match threads {
                None => World::threads(asked),
                Some(threads) => World::threads(asked).with_threads_per_rank(threads)?,
            });
        }
        let fits = if asked == here {
            Ok(())
        } else {
            let message = match ranks {
                Arrangement::Mesh(mesh) => format!("the mesh {mesh} has {asked} ranks"),
                Arrangement::Ranks(asked) => format!("{asked} ranks are asked for"),
            };
            Err(Failure::User(format!("{message}, and the job has {here}")))
        };
        together(&world, fits)?;
        let Some(threads) = threads else { return Ok(world) };
        Ok(world.with_threads_per_rank(threads)?)
    }

    /// Plans for ranks of the machine that the command line names.
    pub fn planner(&self, ranks: impl Into<Arrangement>) -> Planner {
        let planner = Planner::new(ranks).contract(self.contract);
        planner.machine(self.machine.clone()).pins(self.resolved.pins())
    }

    /// The mesh or the ranks that are asked for, else the ranks of the job.
    pub fn arrangement(&self, world: &World) -> Arrangement {
        self.ranks.clone().unwrap_or_else(|| Ranks(world.ranks()).into())
    }
}

/// A machine that the command line names.
pub(super) fn chosen(name: &str) -> Result<Machine, Failure> {
    machine::named(name).map_err(|error| Failure::User(error.to_string()))
}

/// What runs this process: an MPI job if there is one, else a thread.
pub(super) fn start(backend: Option<Backend>) -> Result<World, Failure> {
    let world = match backend {
        Some(Backend::Mpi) => mpi()?,
        Some(Backend::Threads) | None => World::new()?,
    };
    let alone = if backend == Some(Backend::Threads) && world.backend() != "threads" {
        let message = "a launcher has started several tasks, and each would write all results";
        Err(Failure::User(format!("{message}: leave out --backend threads")))
    } else {
        Ok(())
    };
    together(&world, alone)?;
    Ok(world)
}

/// The result of something that all processes do; if one fails all do, and the first of those that
/// have failed says why.
///
/// It has said so when this returns, since a launcher ends all processes after the first that
/// leaves with an error.
pub(super) fn together<T>(world: &World, result: Result<T, Failure>) -> Result<T, Failure> {
    if world.backend() == "threads" {
        return result;
    }
    let code = result.as_ref().err().map_or(0, Failure::code);
    let codes = world.run(|rank| Ok(rank.comm().all_gather_bytes(&[code])?))?;
    let codes: Vec<u8> = codes.into_iter().flatten().flatten().collect();
    match (result, codes.iter().position(|code| *code != 0)) {
        (result, Some(first)) => {
            if let (Err(error), true) = (&result, world.here().contains(&first)) {
                eprint!("{}", error.render());
            }
            world.run(|rank| Ok(rank.comm().barrier()?))?;
            Err(Failure::Said(codes[first]))
        }
        (result, None) => result,
    }
}

#[cfg(feature = "mpi")]
fn mpi() -> Result<World, Failure> {
    Ok(World::mpi()?)
}

#[cfg(not(feature = "mpi"))]
fn mpi() -> Result<World, Failure> {
    let message = "this adjoin was built without MPI: build it with --features mpi";
    Err(Failure::User(message.into()))
}

fn layout(layout: &Layout) -> Result<Arrangement, Failure> {
    match layout {
        Layout::Ranks(n) => Ok(Ranks(*n).into()),
        Layout::Mesh(axes) => {
            let text: Vec<_> = axes.iter().map(|(name, n)| format!("{name}={n}")).collect();
            Ok(Mesh::parse(&text.join(",")).map_err(Failure::User)?.into())
        }
    }
}

/// The plan of a task.
pub(super) fn plan_task(task: &Task, planner: &Planner) -> Result<Planned, Failure> {
    Ok(planner.solve(task.solver.clone(), &task.system, task.settings)?)
}

/// The data of a task by the names that its plan gives them.
pub(super) fn task_inputs(task: &Task) -> Inputs {
    let labels = task.system.data_labels("d").into_iter().zip(&task.data);
    let starts = task.system.model_labels("x0").into_iter().zip(task.start.iter().flatten());
    labels.chain(starts).fold(inputs(), |all, (label, source)| all.part(label, source.clone()))
}

/// A vector like the solution of a planned task.
pub(super) fn solution_vector(planned: &Planned) -> Vector {
    let parts = planned
        .outputs()
        .iter()
        .map(|output| crate::expr::Part { name: output.name.clone(), dims: output.dims.clone() });
    let types: Vec<Dtype> = planned.outputs().iter().map(|output| output.dtype).collect();
    input_parts("x", crate::expr::Parts(parts.collect()), &types)
}

/// The names of the parts of the solution as an input.
pub(super) fn solution_labels(planned: &Planned) -> Vec<String> {
    solution_vector(planned).parts().labels("x")
}

/// A task and its plan, where an expression uses its solution.
pub(super) type Solved = (Task, Planned);

/// What an expression of the command line stands for, with `x` like the solution.
pub(super) fn expression(
    job: &Job,
    model: &mut Model<'_>,
    planner: &Planner,
) -> Result<Option<(Expression, Option<Solved>)>, Failure> {
    let Some((formula, _)) = job.resolved.expressions.first() else { return Ok(None) };
    let mut solved = None;
    if crate::problem::build::names_solution(&job.resolved, formula)
        && let Some(task) = model.task()?
    {
        let planned = plan_task(&task, planner)?;
        model.bind_solution(solution_vector(&planned));
        solved = Some((task, planned));
    }
    let expression = model.expressions()?.into_iter().next();
    Ok(expression.map(|expression| (expression, solved)))
}

/// An operator as applied to an input `x` of the narrowest type that it can take.
pub(super) fn applied(op: &Op, default: Option<Dtype>) -> Result<Vector, Failure> {
    op.check()?;
    let x = |dtype| op * op.input("x", dtype);
    let weak = x(Dtype::F32);
    let own = weak.dtypes().iter().copied().reduce(Dtype::promote).unwrap_or(Dtype::F64);
    let candidates = [default.unwrap_or(own), own, own.real(), Dtype::F32];
    let found = candidates.into_iter().map(x).find(|vector| vector.check().is_ok());
    found.map_or_else(|| Err(weak.check().err().map_or_else(internal, Failure::from)), Ok)
}

fn internal() -> Failure {
    Failure::Internal("an operator takes no vector of any type".into())
}

/// The inputs of an expression: arrays of the file, and the parts of the solution.
pub(super) fn bound(planned: &Planned, model: &Model<'_>, more: &[(String, Source)]) -> Inputs {
    let labels = planned.input_labels();
    let more = more.iter().map(|(name, source)| (name.as_str(), source));
    model
        .sources()
        .chain(more)
        .filter(|(name, _)| labels.iter().any(|label| label == name))
        .fold(inputs(), |all, (name, source)| all.part(name, source.clone()))
}
