//! Takes scalar products of replicated values where they are, without a reduction.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! %0 = input x : f64[5]
//! %1 = slice %0 : f64[5/p]
//! %2 = dot %1 %1 : f64[] +p
//! %3 = all_reduce p %2 : f64[]
//! return %3
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! %0 = input x                    : f64[5]
//! %1 = dot %0 %0                  : f64[]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! A value that is split, and is gathered for somebody else, is replicated as well: its scalar
//! products are taken after that where a block then has fewer calls, once reductions share them, or
//! as many and is quicker, and the machine's model says that the longer sum costs less than a call.
//! Numerics class: F.

use crate::carry_numbers::CarryNumbers;
use crate::cost::Account;
use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::machine::bytes;
use crate::merge_dots::MergeDots;
use crate::merge_vectors::MergeVectors;
use crate::mesh::Axis;
use crate::pipeline::{Context, Numerics, Pass, reordered};
use crate::ride_reductions::RideReductions;

/// The pass.
pub struct DropReplicatedDots;

impl Pass for DropReplicatedDots {
    fn name(&self) -> &'static str {
        "drop-replicated-dots"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        let with = |gathers: bool| {
            let blocks = plan.blocks.iter().map(|block| dropped(plan, block, cx, gathers));
            Plan { blocks: blocks.collect(), ..plan.clone() }
        };
        let (mut plain, gathers) = (with(false), with(true));
        if plain == gathers {
            return Ok(plain);
        }
        let costs = costs(&plain, cx)?.into_iter().zip(costs(&gathers, cx)?);
        let blocks = plain.blocks.iter_mut().zip(gathers.blocks).zip(costs);
        for ((block, other), _) in blocks.filter(|(_, (before, after))| after < before) {
            *block = other;
        }
        Ok(plain)
    }
}

/// How many calls each block has once reductions share them, and how long it takes then.
fn costs(plan: &Plan, cx: &Context) -> Result<Vec<(usize, f64)>, PlanError> {
    let passes: [&dyn Pass; 4] = [&MergeVectors, &RideReductions, &MergeDots, &CarryNumbers];
    let shared = passes.iter().try_fold(plan.clone(), |plan, pass| pass.run(&plan, cx))?;
    let blocks = Account::of(&shared, &cx.machine).blocks;
    Ok(blocks.iter().map(|block| (block.calls.calls, block.seconds())).collect())
}

fn dropped(plan: &Plan, block: &Block, cx: &Context, gathers: bool) -> Block {
    let defined = block.definitions();
    let mut out = block.clone();
    for (n, node) in block.nodes.iter().enumerate() {
        let Op::AllReduce(axes) = &node.op else { continue };
        let [arg] = node.args.as_slice() else { continue };
        let dot = &block.nodes[defined[arg.index()]];
        let Op::Dot { columns, .. } = dot.op else { continue };
        if block.ty(*arg).placement.pending != *axes {
            continue;
        }
        let whole = |&v: &Value| {
            unsliced(block, &defined, v, axes)
                .or_else(|| gathers.then(|| gathered(block, v, axes)).flatten())
        };
        let whole: Option<Vec<_>> = dot.args.iter().map(whole).collect();
        let Some(args) = whole.filter(|args| pays(plan, block, cx, (axes, &dot.args, args))) else {
            continue;
        };
        let (x, y) = (&block.ty(args[0]).placement, &block.ty(args[1]).placement);
        if x == y
            && x.splits[x.splits.len() - columns..]
                == block.ty(node.results[0]).placement.splits[..]
        {
            out.nodes[n] = Node { op: dot.op.clone(), args, results: node.results.clone() };
        }
    }
    if out.nodes == block.nodes {
        return out;
    }
    let nodes = std::mem::take(&mut out.nodes);
    reordered(&out, nodes)
}

/// What a value was sliced from, if slicing is all that split it over the axes.
fn unsliced(block: &Block, defined: &[usize], value: Value, axes: &[Axis]) -> Option<Value> {
    let mut at = value;
    while is_split(block, at, axes) {
        let node = &block.nodes[defined[at.index()]];
        if node.op != Op::Slice {
            return None;
        }
        at = node.args[0];
    }
    Some(at)
}

/// The same value after a call that gathers it over the axes.
fn gathered(block: &Block, value: Value, axes: &[Axis]) -> Option<Value> {
    let gathers = |node: &&Node| matches!(node.op, Op::AllGather(_)) && node.args == [value];
    let whole = block.nodes.iter().filter(gathers).map(|node| node.results[0]);
    whole.into_iter().find(|&v| !is_split(block, v, axes))
}

fn is_split(block: &Block, value: Value, axes: &[Axis]) -> bool {
    block.ty(value).placement.split_axes().iter().any(|a| axes.contains(a))
}

/// Whether the sums over what every rank has cost less than those over parts, and a call.
fn pays(
    plan: &Plan,
    block: &Block,
    cx: &Context,
    (axes, parts, whole): (&[Axis], &[Value], &[Value]),
) -> bool {
    let read =
        |values: &[Value]| -> f64 { values.iter().map(|&v| bytes(block.ty(v), &plan.mesh)).sum() };
    let more = read(whole) - read(parts);
    let link = cx.machine.link(&plan.mesh, axes);
    let sliced = parts.iter().zip(whole).all(|(&part, &whole)| {
        let made = block.nodes.iter().find(|node| node.results == [part]);
        part == whole || made.is_some_and(|node| node.op == Op::Slice)
    });
    sliced || cx.machine.pass(more) < link.all_reduce(plan.mesh.sizes(axes), 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn slices_of_replicated_values_are_not_needed() {
        let plan = after(
            &DropReplicatedDots,
            "mesh r=2 c=2 (4 ranks)
            %0 = input x : c128[5, 3]
            %1 = slice %0 : c128[5/r, 3]
            %2 = slice %1 : c128[5/r, 3/c]
            %3 = dot real %2 %2 : f64[] +r +c
            %4 = all_reduce (r,c) %3 : f64[]
            return %4",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : c128[5, 3]
        %1 = dot real %0 %0             : f64[]
        ");
    }

    /// Every rank has the vector for the operator, and so its norm; on few ranks its parts go with
    /// the gather.
    #[test]
    fn what_is_gathered_is_summed_after_that() {
        let step = |ranks: usize, size: usize| {
            format!(
                "mesh p={ranks} ({ranks} ranks)
                let A = (i) <- (j) : f64[600/p, {size}]
                %0 = input x : f64[{size}/p]
                %1 = dot %0 %0 : f64[] +p
                %2 = all_reduce p %1 : f64[]
                %3 = all_gather p %0 : f64[{size}]
                %4 = apply A %3 : f64[600/p]
                %5 = scale %2 %4 : f64[600/p]
                return %5"
            )
        };
        assert_snapshot!(nodes(&after(&DropReplicatedDots, &step(600, 600))), @"
        %0 = input x                    : f64[600/p]
        %1 = all_gather p %0            : f64[600]
        %2 = dot %1 %1                  : f64[]
        %3 = apply A %1                 : f64[600/p]
        %4 = scale %2 %3                : f64[600/p]
        ");
        assert!(unchanged(&DropReplicatedDots, &step(600, 1 << 22)));
        assert!(unchanged(&DropReplicatedDots, &step(2, 600)));
    }

    #[test]
    fn a_value_that_is_split_needs_its_reduction() {
        let plan = "mesh p=2 (2 ranks)
            %0 = input x : f64[5]
            %1 = input y : f64[5/p]
            %2 = slice %0 : f64[5/p]
            %3 = dot %1 %2 : f64[] +p
            %4 = all_reduce p %3 : f64[]
            return %4";
        assert!(unchanged(&DropReplicatedDots, plan));
    }

    #[test]
    fn columns_that_stay_split_keep_their_placement() {
        let plan = "mesh r=2 c=2 (4 ranks)
            %0 = input x : f64[5, 4]
            %1 = slice %0 : f64[5/r, 4/c]
            %2 = dot columns=1 %1 %1 : f64[4/c] +r
            %3 = all_reduce r %2 : f64[4/c]
            return %3";
        assert!(unchanged(&DropReplicatedDots, plan));
    }

    #[test]
    fn columns_that_were_split_before_may_stay_split() {
        let plan = after(
            &DropReplicatedDots,
            "mesh r=2 c=2 (4 ranks)
            %0 = input x : f64[5, 4/c]
            %1 = slice %0 : f64[5/r, 4/c]
            %2 = dot columns=1 %1 %1 : f64[4/c] +r
            %3 = all_reduce r %2 : f64[4/c]
            return %3",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[5, 4/c]
        %1 = dot columns=1 %0 %0        : f64[4/c]
        ");
    }
}
