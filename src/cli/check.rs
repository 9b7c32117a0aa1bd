//! `adjoin check`: what is proven of a plan, and each leaf on its real kernels.

use super::Failure;
use super::args::Check;
use super::job::{Job, applied, start};
use super::{explain, plan, text};
use crate::check::{Fault, blocks, leaf};
use crate::ops::Operator;
use crate::planned::{Planned, Planner};
use crate::problem::Model;
use crate::runtime::World;
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
    let planner = job.planner(job.arrangement(&world));
    let nothing_asked = job.resolved.expressions.is_empty() && job.resolved.solve.is_none();
    let plans = if nothing_asked {
        let plan = |op| Ok(planner.apply(&applied(op, job.resolved.dtype)?)?);
        model.operators().map(plan).collect::<Result<Vec<_>, Failure>>()?
    } else {
        vec![plan::planned(&job, &mut model, &planner)?]
    };
    let leaves = leaves(&plans);
    let chosen = match &args.block {
        None => whole(leaves),
        Some(block) => named(&leaves, block)
            .or_else(|error| stacked(&job, &model, block, &planner).unwrap_or(Err(error)))?,
    };
    for planned in &plans {
        say(&job, &explain::proofs(planned)?)?;
    }
    let threads = args.working.threads.or(job.resolved.threads);
    let threads = threads.unwrap_or(world.threads_per_rank());
    let alone = World::threads(1).with_threads_per_rank(threads)?;
    let mut faults = Vec::new();
    for (name, operator, block) in chosen {
        let found = alone.run(|_| Ok(leaf(&name, &*operator, block)))?;
        let found = found.into_iter().next().unwrap_or(Ok(Vec::new()));
        let found =
            found.map_err(|error| Failure::User(format!("{name} cannot be checked: {error}")))?;
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

/// All blocks of all leaves.
fn whole(leaves: Vec<Leaf>) -> Vec<Chosen> {
    leaves.into_iter().map(|(name, operator)| (name, operator, None)).collect()
}

/// `A[3]` as a name and a number.
fn indexed(name: &str) -> Option<(&str, usize)> {
    let (name, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    Some((name, index.parse().ok()?))
}

/// The leaves of a block of a stack that the file names; nothing if it names none so.
fn stacked(
    job: &Job,
    model: &Model<'_>,
    name: &str,
    planner: &Planner,
) -> Option<Result<Vec<Chosen>, Failure>> {
    let (stack, index) = indexed(name)?;
    let blocks = model.operators().find(|op| op.to_string() == stack)?.blocks();
    if blocks.is_empty() {
        return None;
    }
    let Some(block) = blocks.get(index) else {
        let count = explain::counted(blocks.len(), "block");
        return Some(Err(Failure::User(format!("{stack} has {count}, and none is {name}"))));
    };
    let plan = || Ok(planner.apply(&applied(block, job.resolved.dtype)?)?);
    Some(plan().map(|planned| whole(leaves(&[planned]))))
}

/// A leaf of this name, or a block of a family.
fn named(leaves: &[Leaf], name: &str) -> Result<Vec<Chosen>, Failure> {
    let find = |name: &str| leaves.iter().find(|(leaf, _)| leaf == name);
    if let Some((name, operator)) = find(name) {
        return Ok(vec![(name.clone(), operator.clone(), None)]);
    }
    let block = indexed(name).and_then(|(family, index)| Some((find(family)?, index)));
    if let Some(((family, operator), index)) = block {
        let signature = operator.signature();
        let size = blocks(signature).map_or(0, |factor| signature.rule.factors[factor].size);
        if index < size {
            return Ok(vec![(family.clone(), operator.clone(), Some(index))]);
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
