//! Lets independent reductions over the same axes share one call.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! %0 = input x : f64[5/p]
//! %1 = input y : f64[5/p]
//! %2 = dot %0 %0 : f64[] +p
//! %3 = all_reduce p %2 : f64[]
//! %4 = dot %0 %1 : f64[] +p
//! %5 = all_reduce p %4 : f64[]
//! return %3 %5
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! %0 = input x                    : f64[5/p]
//! %1 = input y                    : f64[5/p]
//! %2 = dot %0 %0                  : f64[] +p
//! %3 = dot %0 %1                  : f64[] +p
//! %4, %5 = all_reduce p %2 %3     : f64[], f64[]
//! return %4 %5
//! comm 1 call, 16 B per rank
//! ```
//! Two reductions are independent if neither needs the other's result.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan};
use crate::pipeline::{Context, Numerics, Pass, dependences, reordered};
use petgraph::algo::has_path_connecting;
use petgraph::graph::NodeIndex;

/// The pass.
pub struct MergeDots;

impl Pass for MergeDots {
    fn name(&self) -> &'static str {
        "merge-dots"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for block in &mut out.blocks {
            while let Some(merged) = merged(block) {
                *block = merged;
            }
        }
        Ok(out)
    }
}

/// The block with one more pair of reductions merged, if there is one.
fn merged(block: &Block) -> Option<Block> {
    let graph = dependences(block);
    let reductions: Vec<usize> =
        (0..block.nodes.len()).filter(|&n| matches!(block.nodes[n].op, Op::AllReduce(_))).collect();
    for (k, &j) in reductions.iter().enumerate().skip(1) {
        for &i in &reductions[..k] {
            let (a, b) = (&block.nodes[i], &block.nodes[j]);
            let double = |n: &Node| block.ty(n.args[0]).dtype.is_double();
            if a.op == b.op
                && double(a) == double(b)
                && !has_path_connecting(&graph, NodeIndex::new(i), NodeIndex::new(j), None)
            {
                return Some(joined(block, i, j));
            }
        }
    }
    None
}

fn joined(block: &Block, i: usize, j: usize) -> Block {
    let mut nodes = block.nodes.clone();
    let late = nodes.remove(j);
    let early = nodes.remove(i);
    let both = Node {
        op: early.op,
        args: [early.args, late.args].concat(),
        results: [early.results, late.results].concat(),
    };
    nodes.insert(j - 1, both);
    reordered(block, nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn a_reduction_waits_for_the_next_that_does_not_need_it() {
        let plan = after(
            &MergeDots,
            "mesh p=2 (2 ranks)
            %0 = input x : f64[5/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            %3 = sqrt %2 : f64[]
            %4 = neg %0 : f64[5/p]
            %5 = dot %0 %4 : f64[] +p
            %6 = all_reduce p %5 : f64[]
            %7 = scale %3 %0 : f64[5/p]
            return %7 %6",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[5/p]
        %1 = dot %0 %0                  : f64[] +p
        %2 = neg %0                     : f64[5/p]
        %3 = dot %0 %2                  : f64[] +p
        %4, %5 = all_reduce p %1 %3     : f64[], f64[]
        %6 = sqrt %4                    : f64[]
        %7 = scale %6 %0                : f64[5/p]
        ");
    }

    #[test]
    fn dependent_reductions_stay_apart() {
        let plan = "mesh p=2 (2 ranks)
            %0 = input x : f64[5/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            %3 = scale %2 %0 : f64[5/p]
            %4 = dot %0 %3 : f64[] +p
            %5 = all_reduce p %4 : f64[]
            return %5";
        assert!(unchanged(&MergeDots, plan));
    }

    #[test]
    fn reductions_over_other_axes_or_of_other_precision_stay_apart() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let A = (i) <- (j) : f32[2, 5/r]
            let B = (i) <- (j) : f64[2, 5/r]
            let C = (i) <- (j) : f64[2, 5/c]
            %0 = input x : f32[5/r]
            %1 = input y : f64[5/r]
            %2 = input z : f64[5/c]
            %3 = apply A %0 : f32[2] +r
            %4 = apply B %1 : f64[2] +r
            %5 = apply C %2 : f64[2] +c
            %6 = all_reduce r %3 : f32[2]
            %7 = all_reduce r %4 : f64[2]
            %8 = all_reduce c %5 : f64[2]
            return %6 %7 %8";
        assert!(unchanged(&MergeDots, plan));
    }

    #[test]
    fn of_three_in_a_chain_two_merge() {
        let plan = after(
            &MergeDots,
            "mesh p=2 (2 ranks)
            %0 = input x : f64[5/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            %3 = scale %2 %0 : f64[5/p]
            %4 = dot %3 %3 : f64[] +p
            %5 = all_reduce p %4 : f64[]
            %6 = dot %0 %0 : f64[] +p
            %7 = neg %6 : f64[] +p
            %8 = all_reduce p %7 : f64[]
            return %5 %8",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[5/p]
        %1 = dot %0 %0                  : f64[] +p
        %2 = dot %0 %0                  : f64[] +p
        %3 = neg %2                     : f64[] +p
        %4, %5 = all_reduce p %1 %3     : f64[], f64[]
        %6 = scale %4 %0                : f64[5/p]
        %7 = dot %6 %6                  : f64[] +p
        %8 = all_reduce p %7            : f64[]
        ");
    }
}
