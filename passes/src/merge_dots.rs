//! Lets independent sums of numbers share one call.
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
//! What may share a call, and when, is said in `sharing`.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::Plan;
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::{shared, sums_numbers};

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
        Ok(shared(plan, |block, a, b| sums_numbers(block, a) && sums_numbers(block, b)))
    }
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
    fn reductions_over_other_axes_stay_apart() {
        let plan = "mesh r=2 c=2 (4 ranks)
            %0 = input y : f64[5/r]
            %1 = input z : f64[5/c]
            %2 = dot %0 %0 : f64[] +r
            %3 = dot %1 %1 : f64[] +c
            %4 = all_reduce r %2 : f64[]
            %5 = all_reduce c %3 : f64[]
            return %4 %5";
        assert!(unchanged(&MergeDots, plan));
    }

    #[test]
    fn numbers_of_other_precision_share_a_call() {
        let plan = after(
            &MergeDots,
            "mesh p=3 (3 ranks)
            let B = (i) <- (j) : f32[1, 5/p]
            %0 = input x : f32[5/p]
            %1 = input y : f64[5/p]
            %2 = apply B %0 : f32[1] +p
            %3 = reshape %2 : f32[] +p
            %4 = dot %1 %1 : f64[] +p
            %5 = all_reduce p %3 : f32[]
            %6 = all_reduce p %4 : f64[]
            return %5 %6",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f32[5/p]
        %1 = input y                    : f64[5/p]
        %2 = apply B %0                 : f32[1] +p
        %3 = reshape %2                 : f32[] +p
        %4 = dot %1 %1                  : f64[] +p
        %5, %6 = all_reduce p %3 %4     : f32[], f64[]
        ");
    }

    #[test]
    fn vectors_are_left_to_others() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[2, 5/p]
            %0 = input x : f64[5/p]
            %1 = apply A %0 : f64[2] +p
            %2 = all_reduce p %1 : f64[2]
            %3 = dot %0 %0 : f64[] +p
            %4 = all_reduce p %3 : f64[]
            return %2 %4";
        assert!(unchanged(&MergeDots, plan));
    }

    /// Two calls follow one another along each axis; a shared one would make it three.
    #[test]
    fn a_number_does_not_wait_where_others_wait_for_it() {
        let plan = "mesh r=2 c=2 (4 ranks)
            %0 = input x : f64[5/r]
            %1 = input y : f64[5/c]
            %2 = dot %0 %0 : f64[] +r
            %3 = all_reduce r %2 : f64[]
            %4 = dot %1 %1 : f64[] +c
            %5 = all_reduce c %4 : f64[]
            %6 = scale %5 %0 : f64[5/r]
            %7 = dot %0 %6 : f64[] +r
            %8 = all_reduce r %7 : f64[]
            %9 = scale %3 %1 : f64[5/c]
            %10 = dot %1 %9 : f64[] +c
            %11 = all_reduce c %10 : f64[]
            return %8 %11";
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
