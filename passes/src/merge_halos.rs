//! Lets independent halos share one call: those of the parts of a stack, or of the terms of a sum.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let S = (i) <- (i~1:1) : f64[6/p]
//! let T = (i) <- (i~0:2) : f64[8/p]
//! %0 = input x : f64[6/p]
//! %1 = input y : f64[8/p]
//! %2 = halo %0 : f64[6/p~1:1]
//! %3 = apply S %2 : f64[6/p]
//! %4 = halo %1 : f64[8/p~0:2]
//! %5 = apply T %4 : f64[8/p]
//! return %3 %5
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let S = (i) <- (i~1:1)          : f64[6/p]
//! let T = (i) <- (i~0:2)          : f64[8/p]
//! %0 = input x                    : f64[6/p]
//! %1 = input y                    : f64[8/p]
//! %2, %3 = halo %0 %1             : f64[6/p~1:1], f64[8/p~0:2]
//! %4 = apply S %2                 : f64[6/p]
//! %5 = apply T %3                 : f64[8/p]
//! return %4 %5
//! comm 1 call, 32 B per rank
//! ```
//! The values are split over the same axes, so that neighbours are the same ranks, and elements are
//! packed and unpacked as before: a call less, and nothing more is copied.
//! Ghost contributions that are to be added share calls alike.
//! What may share a call, and when, is said in `sharing`.
//! Numerics class: E.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan};
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::shared_calls;

/// The pass.
pub struct MergeHalos;

impl Pass for MergeHalos {
    fn name(&self) -> &'static str {
        "merge-halos"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let halo = |op: &Op| matches!(op, Op::Halo | Op::HaloSum);
        Ok(shared_calls(plan, halo, same_neighbours))
    }
}

fn same_neighbours(block: &Block, a: &Node, b: &Node) -> bool {
    let axes = |node: &Node| block.ty(node.args[0]).placement.split_axes();
    axes(a) == axes(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn ghosts_that_are_added_share_a_call_with_each_other_only() {
        let plan = after(
            &MergeHalos,
            "mesh p=3 (3 ranks)
            let S = (i, j) <- (i~1:1, j) : f64[7/p, 2]
            %0 = input x : c128[7/p, 2]
            %1 = input y : f64[7/p, 2]
            %2 = apply S.H %0 : c128[7/p~+1:1, 2]
            %3 = halo_sum %2 : c128[7/p, 2]
            %4 = apply S.H %1 : f64[7/p~+1:1, 2]
            %5 = halo_sum %4 : f64[7/p, 2]
            %6 = halo %1 : f64[7/p~1:1, 2]
            %7 = apply S %6 : f64[7/p, 2]
            return %3 %5 %7",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : c128[7/p, 2]
        %1 = input y                    : f64[7/p, 2]
        %2 = apply S.H %0               : c128[7/p~+1:1, 2]
        %3 = apply S.H %1               : f64[7/p~+1:1, 2]
        %4, %5 = halo_sum %2 %3         : c128[7/p, 2], f64[7/p, 2]
        %6 = halo %1                    : f64[7/p~1:1, 2]
        %7 = apply S %6                 : f64[7/p, 2]
        ");
    }

    #[test]
    fn a_halo_that_needs_the_other_waits_for_it() {
        let plan = "mesh p=2 (2 ranks)
            let S = (i) <- (i~1:1) : f64[6/p]
            %0 = input x : f64[6/p]
            %1 = halo %0 : f64[6/p~1:1]
            %2 = apply S %1 : f64[6/p]
            %3 = halo %2 : f64[6/p~1:1]
            %4 = apply S %3 : f64[6/p]
            return %4";
        assert!(unchanged(&MergeHalos, plan));
    }

    #[test]
    fn other_neighbours_are_other_calls() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let S = (i) <- (i~1:1) : f64[6/r]
            let T = (i) <- (i~1:1) : f64[6/c]
            %0 = input x : f64[6/r]
            %1 = input y : f64[6/c]
            %2 = halo %0 : f64[6/r~1:1]
            %3 = halo %1 : f64[6/c~1:1]
            %4 = apply S %2 : f64[6/r]
            %5 = apply T %3 : f64[6/c]
            return %4 %5";
        assert!(unchanged(&MergeHalos, plan));
    }

    /// A message may have parts of both precisions, but what is added must have one.
    #[test]
    fn ghosts_of_both_precisions_share_a_call_unless_they_are_added() {
        let plan = after(
            &MergeHalos,
            "mesh p=3 (3 ranks)
            let S = (i) <- (i~1:1) : f64[7/p]
            let T = (i) <- (i~1:1) : f32[7/p]
            %0 = input x : f64[7/p]
            %1 = input y : f32[7/p]
            %2 = halo %0 : f64[7/p~1:1]
            %3 = halo %1 : f32[7/p~1:1]
            %4 = apply S %2 : f64[7/p]
            %5 = apply T %3 : f32[7/p]
            %6 = apply S.H %0 : f64[7/p~+1:1]
            %7 = apply T.H %1 : f32[7/p~+1:1]
            %8 = halo_sum %6 : f64[7/p]
            %9 = halo_sum %7 : f32[7/p]
            return %4 %5 %8 %9",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[7/p]
        %1 = input y                    : f32[7/p]
        %2, %3 = halo %0 %1             : f64[7/p~1:1], f32[7/p~1:1]
        %4 = apply S %2                 : f64[7/p]
        %5 = apply T %3                 : f32[7/p]
        %6 = apply S.H %0               : f64[7/p~+1:1]
        %7 = apply T.H %1               : f32[7/p~+1:1]
        %8 = halo_sum %6                : f64[7/p]
        %9 = halo_sum %7                : f32[7/p]
        ");
    }
}
