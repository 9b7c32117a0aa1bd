//! `adjoin apply`: evaluates an expression.

use super::Failure;
use super::args::Apply;
use super::job::{Job, Solved, bound, expression, solution_labels, start, task_inputs, together};
use super::noted::Noted;
use super::{text, write};
use crate::planned::{Planned, Planner};
use crate::problem::Model;
use crate::problem::build::Expression;

pub(super) fn run(args: &Apply) -> Result<(), Failure> {
    let world = start(args.backend)?;
    let job = together(&world, Job::read(&args.common, Some(&args.expr)))?;
    let world = job.world(world, &args.working)?;
    let mut model = together(&world, job.model())?;
    let planner = job.planner(job.arrangement(&world));
    let prepared = together(&world, prepared(&job, &mut model, &planner))?;
    let noted = Noted::new(&args.noting);
    let mut more = Vec::new();
    if let Some((task, plan)) = &prepared.solved {
        let run = noted.run("solve", task_inputs(task), |inputs| plan.run(&world, inputs));
        let solution = together(&world, run.map_err(Into::into))?;
        more = together(&world, write::gathered(&solution, &solution_labels(plan)))?;
    }
    let inputs = bound(&prepared.planned, &model, &more);
    let run = noted.run("expression", inputs, |inputs| prepared.planned.run(&world, inputs));
    let result = together(&world, run.map_err(Into::into))?;
    write::vector(&world, &result, &args.output)?;
    if !job.quiet {
        write::once(&world, || text::print(&format!("wrote {}\n", args.output.display())))?;
    }
    noted.finish(&world)
}

/// The plan of the expression, and the task before it if it uses the solution.
struct Prepared {
    planned: Planned,
    solved: Option<Solved>,
}

fn prepared(job: &Job, model: &mut Model<'_>, planner: &Planner) -> Result<Prepared, Failure> {
    match expression(job, model, planner)? {
        Some((Expression::Vector(vector), solved)) => {
            Ok(Prepared { planned: planner.apply(&vector)?, solved })
        }
        Some((Expression::Operator(_), _)) => {
            let (formula, _) = &job.resolved.expressions[0];
            let error = formula.error(formula.expr.span, "this is an operator", "nothing to apply");
            Err(error.help("write what it is applied to, as in `A @ d`").into())
        }
        None => Err(Failure::Internal("an expression was lost".into())),
    }
}
