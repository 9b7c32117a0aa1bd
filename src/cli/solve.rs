//! `adjoin solve`: solves the problem of a file and writes what it asks for.

use super::Failure;
use super::args::Solve;
use super::job::{
    Job, bound, plan_task, solution_labels, solution_vector, start, task_inputs, together,
};
use super::noted::Noted;
use super::saved::Saved;
use super::{text, write};
use crate::data::Array;
use crate::planned::{Arrangement, Planned, Planner};
use crate::problem::Model;
use crate::problem::build::{Content, Task, Wanted};
use crate::report::Report;
use crate::run::{Inputs, Solution};
use crate::runtime::World;
use crate::solve::Outcome;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr};
use std::path::PathBuf;
use std::time::Instant;

/// What is planned, and where it runs.
struct Work<'a> {
    job: &'a Job,
    world: World,
    planned: PlannedTask,
    noted: Noted<'a>,
}

/// A task with its plan, and the plans of what is written after it.
struct PlannedTask {
    task: Task,
    plan: Planned,
    outputs: Vec<(Wanted, Option<Planned>)>,
}

pub(super) fn run(args: &Solve) -> Result<(), Failure> {
    let world = start(args.backend)?;
    let (job, saved) = together(&world, read(args))?;
    let world = job.world(world, &args.working)?;
    let begin = Instant::now();
    let mut model = together(&world, job.model())?;
    let planner = job.planner(job.arrangement(&world));
    let planned = together(&world, planned(&mut model, &planner, saved.as_ref()))?;
    let planning = begin.elapsed().as_secs_f64();
    let noted = Noted::new(&args.noting);
    let work = Work { job: &job, world, planned, noted };
    together(&work.world, work.check_folders(args))?;
    let inputs = work.with_progress(task_inputs(&work.planned.task));
    let run = work.noted.run("solve", inputs, |inputs| work.planned.plan.run(&work.world, inputs));
    work.clear_progress();
    let solution = together(&work.world, run.map_err(Into::into))?;
    let mut written = Vec::new();
    if let Some(path) = &args.output {
        write::vector(&work.world, &solution, path)?;
        written.push(path.clone());
    }
    written.extend(work.write(&model, &solution)?);
    if let Some(path) = &args.report {
        let report = together(&work.world, work.report(&solution, planning))?.json();
        write::once(&work.world, || text::write(path, &report))?;
        written.push(path.clone());
    }
    write::once(&work.world, || work.say(&solution, &written))?;
    work.noted.finish(&work.world)
}

/// The file and the plan that was reviewed, whose mesh is the one that runs.
fn read(args: &Solve) -> Result<(Job, Option<Saved>), Failure> {
    let mut job = Job::read(&args.common, None)?;
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    if let Some(saved) = &saved {
        let other = job.ranks.as_ref().filter(|asked| match asked {
            Arrangement::Mesh(mesh) => mesh != saved.mesh(),
            Arrangement::Ranks(ranks) => *ranks != saved.mesh().ranks(),
        });
        if let Some(other) = other {
            let asked = match other {
                Arrangement::Mesh(mesh) => format!("{mesh} is"),
                Arrangement::Ranks(ranks) => format!("{ranks} ranks are"),
            };
            let message = format!("the plan is for {}, and {asked} asked for", saved.mesh());
            return Err(Failure::User(message));
        }
        job.ranks = Some(saved.mesh().clone().into());
    }
    Ok((job, saved))
}

fn planned(
    model: &mut Model<'_>,
    planner: &Planner,
    saved: Option<&Saved>,
) -> Result<PlannedTask, Failure> {
    let task = model.task()?.ok_or_else(|| Failure::User("the file has no [solve]".into()))?;
    let plan = plan_task(&task, planner)?;
    saved.map_or(Ok(()), |saved| saved.check(&plan))?;
    model.bind_solution(solution_vector(&plan));
    let outputs = planned_outputs(model, planner)?;
    Ok(PlannedTask { task, plan, outputs })
}

/// What is to be written, planned before anything runs.
fn planned_outputs(
    model: &Model<'_>,
    planner: &Planner,
) -> Result<Vec<(Wanted, Option<Planned>)>, Failure> {
    let plan = |wanted: Wanted| {
        let planned = match &wanted.content {
            Content::Expression(vector) => Some(planner.apply(vector)?),
            Content::Solution | Content::Cost | Content::Variance => None,
        };
        Ok((wanted, planned))
    };
    model.outputs()?.into_iter().map(plan).collect()
}

impl Work<'_> {
    /// Folders that are missing are found before anything runs.
    fn check_folders(&self, args: &Solve) -> Result<(), Failure> {
        let files = self.planned.outputs.iter().map(|(wanted, _)| self.path(wanted));
        let named = args.output.iter().chain(&args.report).chain(&args.noting.trace).cloned();
        for path in files.chain(named) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let (path, folder) = (path.display(), folder.display());
                let message = format!("cannot write {path}: there is no folder {folder}");
                return Err(Failure::User(message));
            }
        }
        Ok(())
    }

    fn path(&self, wanted: &Wanted) -> PathBuf {
        self.job.folder.join(&wanted.file)
    }

    /// A line that is written over after each iteration, on a terminal only.
    fn with_progress(&self, inputs: Inputs) -> Inputs {
        if !self.shows_progress() {
            return inputs;
        }
        let (name, niter) = (self.planned.task.solver.name(), self.planned.task.settings.niter);
        inputs.progress(move |outcome: &Outcome| {
            let cost = outcome.cost.last().copied().unwrap_or(f64::NAN);
            let mut err = stderr().lock();
            let _ = write!(err, "\r{name} {}/{niter}  cost {cost:.6e}\x1b[K", outcome.niter);
            let _ = err.flush();
        })
    }

    fn clear_progress(&self) {
        if self.shows_progress() {
            eprint!("\r\x1b[K");
        }
    }

    fn shows_progress(&self) -> bool {
        !self.job.quiet && self.world.is_root() && stderr().is_terminal()
    }

    /// Writes all outputs of the file; their paths.
    fn write(&self, model: &Model<'_>, solution: &Solution) -> Result<Vec<PathBuf>, Failure> {
        let wants_x = self.planned.outputs.iter().any(|(_, planned)| planned.is_some());
        let labels = solution_labels(&self.planned.plan);
        let x = if wants_x {
            together(&self.world, write::gathered(solution, &labels))?
        } else {
            Vec::new()
        };
        let mut written = Vec::new();
        for (wanted, planned) in &self.planned.outputs {
            let path = self.path(wanted);
            match (&wanted.content, planned) {
                (Content::Expression(_), Some(planned)) => {
                    let inputs = bound(planned, model, &x);
                    let run = |inputs: &Inputs| planned.run(&self.world, inputs);
                    let value = self.noted.run("outputs", inputs, run);
                    let value = together(&self.world, value.map_err(Into::into))?;
                    write::vector(&self.world, &value, &path)?;
                }
                (Content::Cost, _) => {
                    let cost = solution.outcome.as_ref().map_or(Vec::new(), |o| o.cost.clone());
                    let cost = Array::new([cost.len()], cost)?;
                    write::array(&self.world, &cost, &path)?;
                }
                (Content::Variance, _) => {
                    let variance = solution.variance();
                    let variance = variance
                        .ok_or_else(|| Failure::Internal("the solver left no variance".into()))?;
                    write::vector(&self.world, &variance, &path)?;
                }
                (Content::Solution | Content::Expression(_), _) => {
                    write::vector(&self.world, solution, &path)?;
                }
            }
            written.push(path);
        }
        Ok(written)
    }

    fn report(&self, solution: &Solution, planning: f64) -> Result<Report, Failure> {
        let Some(outcome) = &solution.outcome else {
            return Err(Failure::Internal("the solver left no outcome".into()));
        };
        let labels = self.planned.task.system.operator().range().0.iter().enumerate();
        let labels = labels.map(|(i, part)| part.name.clone().unwrap_or_else(|| i.to_string()));
        Ok(Report::new(outcome, &solution.cost, planning)
            .solver(self.planned.task.solver.name())
            .parts(&labels.collect::<Vec<_>>())
            .world(&self.world, &self.planned.plan.plan().mesh)
            .plan(&self.planned.plan)
            .problem(&self.job.resolved))
    }

    fn say(&self, solution: &Solution, written: &[PathBuf]) -> Result<(), Failure> {
        if self.job.quiet {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(outcome) = &solution.outcome {
            let name = self.planned.task.solver.name();
            let cost = outcome.cost.last().copied().unwrap_or(f64::NAN);
            let stop = crate::report::stop(outcome);
            let n = outcome.niter;
            let plural = if n == 1 { "" } else { "s" };
            let _ = writeln!(said, "{name}: {n} iteration{plural}, {stop}, cost {cost:.6e}");
        }
        for path in written {
            let _ = writeln!(said, "wrote {}", path.display());
        }
        text::print(&said)
    }
}
