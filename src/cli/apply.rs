//! `adjoin apply`: evaluates an expression.

use super::Failure;
use super::args::Apply;
use super::job::{Job, bound, expression, solution_labels, task_inputs};
use super::{text, write};
use crate::planned::Planner;
use crate::problem::build::Expression;

pub(super) fn run(args: &Apply) -> Result<(), Failure> {
    let job = Job::read(&args.common, Some(&args.expr))?;
    let (world, mesh) = job.world(args.backend)?;
    let mut model = job.model()?;
    let (vector, solved) = match expression(&job, &mut model, &mesh)? {
        Some((Expression::Vector(vector), solved)) => (vector, solved),
        Some((Expression::Operator(_), _)) => {
            let (formula, _) = &job.resolved.expressions[0];
            let error = formula.error(formula.expr.span, "this is an operator", "nothing to apply");
            return Err(error.help("write what it is applied to, as in `A @ d`").into());
        }
        None => return Err(Failure::Internal("an expression was lost".into())),
    };
    let planned = Planner::new(mesh).apply(&vector)?;
    let mut more = Vec::new();
    if let Some((task, plan)) = &solved {
        let solution = plan.run(&world, &task_inputs(task))?;
        more = write::gathered(&solution, &solution_labels(plan))?;
    }
    let result = planned.run(&world, &bound(&planned, &model, &more))?;
    write::vector(&world, &result, &args.output)?;
    if world.is_root() && !job.quiet {
        text::print(&format!("wrote {}\n", args.output.display()))?;
    }
    Ok(())
}
