//! `adjoin plan`: prints a plan.

use super::Failure;
use super::args::{Dump, Plan};
use super::job::{Job, applied, expression, plan_task};
use super::{dump, explain, text};
use crate::planned::{Planned, Planner};
use crate::problem::Model;
use crate::problem::build::Expression;
use adjoin_passes::Mesh;

pub(super) fn run(args: &Plan) -> Result<(), Failure> {
    let job = Job::read(&args.common, args.expr.as_deref())?;
    let root = job.root()?;
    let mut model = job.model()?;
    let mesh = job.planned_mesh();
    let planned = planned(&job, &mut model, &mesh)?;
    let shown = match args.dump {
        Dump::Plan => format!("{}\n", planned.to_string().trim_end()),
        Dump::Trace => dump::trace(&planned),
        Dump::Calls => dump::calls(&planned, args.rank)?,
        Dump::Explain => explain::explain(&planned)?,
        Dump::Json => dump::json(&planned)?,
    };
    match &args.output {
        _ if !root => Ok(()),
        Some(path) => text::write(path, &shown),
        None => text::print(&shown),
    }
}

/// The plan of the expression, or of the solver's program.
pub(super) fn planned(job: &Job, model: &mut Model<'_>, mesh: &Mesh) -> Result<Planned, Failure> {
    let planner = Planner::new(mesh.clone());
    match expression(job, model, mesh)? {
        Some((Expression::Vector(vector), _)) => Ok(planner.apply(&vector)?),
        Some((Expression::Operator(op), _)) => {
            Ok(planner.apply(&applied(&op, job.resolved.dtype)?)?)
        }
        None => match model.task()? {
            Some(task) => plan_task(&task, mesh),
            None => {
                let message = "the file has no [solve]: give an expression to plan";
                Err(Failure::User(message.into()))
            }
        },
    }
}
