//! `adjoin plan`: prints a plan.

use super::Failure;
use super::args::{Dump, Plan};
use super::job::{Job, applied, expression, plan_task, start, together};
use super::{dump, explain, sweep, text, write};
use crate::planned::{Planned, Planner};
use crate::problem::Model;
use crate::problem::build::Expression;
use crate::report::html::{Written, page};
use crate::runtime::World;

pub(super) fn run(args: &Plan) -> Result<(), Failure> {
    let world = start(None)?;
    let made = match &args.sweep {
        Some(sweep) => sweep::run(args, sweep),
        None => shown(args, &world).map(|text| (text, None)),
    };
    let (shown, picture) = together(&world, made)?;
    write::once(&world, || {
        if let (Some(path), Some(picture)) = (&args.svg, &picture) {
            text::write(path, picture)?;
        }
        match &args.output {
            Some(path) => text::write(path, &shown),
            None => text::print(&shown),
        }
    })
}

fn shown(args: &Plan, world: &World) -> Result<String, Failure> {
    let job = Job::read(&args.common, args.expr.as_deref())?;
    let mut model = job.model()?;
    let planner = job.planner(job.arrangement(world));
    let planned = planned(&job, &mut model, &planner)?;
    Ok(match args.dump {
        Dump::Plan => format!("{}\n", planned.to_string().trim_end()),
        Dump::Trace => dump::trace(&planned),
        Dump::Calls => dump::calls(&planned, args.rank)?,
        Dump::Explain => explain::explain(&planned)?,
        Dump::Json => dump::json(&planned)?,
        Dump::Html => html(args, &planned)?,
    })
}

/// The page of a plan.
fn html(args: &Plan, planned: &Planned) -> Result<String, Failure> {
    let file = args.common.file.display().to_string();
    let source = std::fs::read_to_string(&args.common.file)
        .map_err(|error| Failure::User(format!("cannot read {file}: {error}")))?;
    let name = args.common.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let written = Written {
        title: name.as_deref().unwrap_or(&file),
        expression: args.expr.as_deref().unwrap_or(""),
        source: &source,
    };
    Ok(page(planned, written))
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
