//! `adjoin plan`: prints a plan.

use super::Failure;
use super::args::{Dump, Plan};
use super::job::{Job, applied, expression, plan_task, start, together};
use super::{dump, explain, text, write};
use crate::planned::{Planned, Planner};
use crate::problem::Model;
use crate::problem::build::Expression;
use crate::runtime::World;

pub(super) fn run(args: &Plan) -> Result<(), Failure> {
    let world = start(None)?;
    let shown = together(&world, shown(args, &world))?;
    write::once(&world, || match &args.output {
        Some(path) => text::write(path, &shown),
        None => text::print(&shown),
    })
}

fn shown(args: &Plan, world: &World) -> Result<String, Failure> {
    let job = Job::read(&args.common, args.expr.as_deref())?;
    let mut model = job.model()?;
    let planner = job.planner(&job.planned_mesh(world));
    let planned = planned(&job, &mut model, &planner)?;
    Ok(match args.dump {
        Dump::Plan => format!("{}\n", planned.to_string().trim_end()),
        Dump::Trace => dump::trace(&planned),
        Dump::Calls => dump::calls(&planned, args.rank)?,
        Dump::Explain => explain::explain(&planned)?,
        Dump::Json => dump::json(&planned)?,
    })
}

/// The plan of the expression, or of the solver's program.
pub(super) fn planned(
    job: &Job,
    model: &mut Model<'_>,
    planner: &Planner,
) -> Result<Planned, Failure> {
    match expression(job, model, planner)? {
        Some((Expression::Vector(vector), _)) => Ok(planner.apply(&vector)?),
        Some((Expression::Operator(op), _)) => {
            Ok(planner.apply(&applied(&op, job.resolved.dtype)?)?)
        }
        None => {
            let nothing = "the file has no [solve]: give an expression to plan";
            let task = model.task()?.ok_or_else(|| Failure::User(nothing.into()))?;
            plan_task(&task, planner)
        }
    }
}
