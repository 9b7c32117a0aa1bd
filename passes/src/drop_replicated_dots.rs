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
//! Numerics class: F.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::mesh::Axis;
use crate::pipeline::{Context, Numerics, Pass};

/// The pass.
pub struct DropReplicatedDots;

impl Pass for DropReplicatedDots {
    fn name(&self) -> &'static str {
        "drop-replicated-dots"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let blocks = plan.blocks.iter().map(dropped).collect();
        Ok(Plan { blocks, ..plan.clone() })
    }
}

fn dropped(block: &Block) -> Block {
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
        let whole: Option<Vec<_>> =
            dot.args.iter().map(|&v| unsliced(block, &defined, v, axes)).collect();
        let Some(args) = whole else { continue };
        let (x, y) = (&block.ty(args[0]).placement, &block.ty(args[1]).placement);
        if x == y
            && x.splits[x.splits.len() - columns..]
                == block.ty(node.results[0]).placement.splits[..]
        {
            out.nodes[n] = Node { op: dot.op.clone(), args, results: node.results.clone() };
        }
    }
    out
}

/// What a value was sliced from, if slicing is all that split it over the axes.
fn unsliced(block: &Block, defined: &[usize], value: Value, axes: &[Axis]) -> Option<Value> {
    let mut at = value;
    while block.ty(at).placement.split_axes().iter().any(|a| axes.contains(a)) {
        let node = &block.nodes[defined[at.index()]];
        if node.op != Op::Slice {
            return None;
        }
        at = node.args[0];
    }
    Some(at)
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
