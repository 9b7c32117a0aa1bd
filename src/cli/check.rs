//! `adjoin check`: what is proven of a plan, and each leaf on its real kernels.

use super::Failure;
use super::args::Check;
use super::job::{Job, applied, start};
use super::{explain, plan, text};
use crate::check::{Fault, blocks, leaf};
use crate::ops::Operator;
use crate::planned::{Planned, Planner};
use adjoin_passes::signature::Signature;
use std::sync::Arc;

pub(super) fn run(args: &Check) -> Result<(), Failure> {
    let world = start(None)?;
    // One process is enough, and it says what is wrong.
    if !world.is_root() {
        return Ok(());
    }
    let job = Job::read(&args.common, args.expr.as_deref())?;
    let mut model = job.model()?;
    let mesh = job.planned_mesh(&world);
    let nothing_asked = job.resolved.expressions.is_empty() && job.resolved.solve.is_none();
    let plans = if nothing_asked {
        let planner = Planner::new(mesh);
        let plan = |op| Ok(planner.apply(&applied(op, job.resolved.dtype)?)?);
        model.operators().map(plan).collect::<Result<Vec<_>, Failure>>()?
    } else {
        vec![plan::planned(&job, &mut model, &mesh)?]
    };
    let leaves = leaves(&plans);
    let chosen = match &args.block {
        None => leaves.iter().map(|(name, op)| (name.clone(), op.clone(), None)).collect(),
        Some(block) => vec![named(&leaves, block)?],
    };
    for planned in &plans {
        say(&job, &explain::proofs(planned)?)?;
    }
    let mut faults = Vec::new();
    for (name, operator, block) in chosen {
        let found = leaf(&name, &*operator, block)
            .map_err(|error| Failure::User(format!("{name} cannot be checked: {error}")))?;
        say(&job, &line(&name, operator.signature(), block, &found))?;
        faults.extend(found);
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::Faults(faults)) }
}

fn say(job: &Job, what: &str) -> Result<(), Failure> {
    if job.quiet { Ok(()) } else { text::print(what) }
}

type Leaf = (String, Arc<dyn Operator>);

/// A leaf, or one block of a family.
type Chosen = (String, Arc<dyn Operator>, Option<usize>);

/// The leaves of all plans, each once.
fn leaves(plans: &[Planned]) -> Vec<Leaf> {
    let mut found: Vec<Leaf> = Vec::new();
    for planned in plans {
        for (leaf, operator) in planned.plan().leaves.iter().zip(planned.operators()) {
            let known =
                |(_, other): &Leaf| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(operator));
            if !found.iter().any(known) {
                found.push((leaf.name.clone(), operator.clone()));
            }
        }
    }
    found
}

/// A leaf of this name, or a block of a family.
fn named(leaves: &[Leaf], name: &str) -> Result<Chosen, Failure> {
    let find = |name: &str| leaves.iter().find(|(leaf, _)| leaf == name);
    if let Some((name, operator)) = find(name) {
        return Ok((name.clone(), operator.clone(), None));
    }
    let block = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
    let block = block.and_then(|(family, index)| Some((find(family)?, index.parse().ok()?)));
    if let Some(((family, operator), index)) = block {
        let signature = operator.signature();
        let size = blocks(signature).map_or(0, |factor| signature.rule.factors[factor].size);
        if index < size {
            return Ok((family.clone(), operator.clone(), Some(index)));
        }
        let message = format!("{family} has {size} blocks, and none is {name}");
        return Err(Failure::User(message));
    }
    let known: Vec<_> = leaves.iter().map(|(leaf, _)| leaf.as_str()).collect();
    Err(Failure::User(format!("there is no operator {name}; there are {}", known.join(", "))))
}

fn line(name: &str, signature: &Signature, block: Option<usize>, faults: &[Fault]) -> String {
    let block = block.map_or_else(String::new, |block| format!("[{block}]"));
    let laws = signature.laws.names();
    let laws = if laws.is_empty() { String::new() } else { format!(", {}", laws.join(", ")) };
    let result = if faults.is_empty() {
        format!("splits, adjoint, linearity{laws}: as declared")
    } else {
        format!("{} wrong", if faults.len() == 1 { "a claim is" } else { "claims are" })
    };
    let (rows, columns) = (signature.rows(), signature.columns());
    format!(
        "checked    {name}{block}, {} {rows}×{columns} {}: {result}\n",
        signature.kind,
        signature.dtype.numpy()
    )
}
