//! Lets sums of numbers ride on the reduction of a vector.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j) : c128[6/p, 4]
//! %0 = input u : c128[6/p]
//! %1 = dot real %0 %0 : f64[] +p
//! %2 = all_reduce p %1 : f64[]
//! %3 = apply A.H %0 : c128[4] +p
//! %4 = all_reduce p %3 : c128[4]
//! %5 = sqrt %2 : f64[]
//! %6 = div %4 %5 : c128[4]
//! return %6
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : c128[6/p, 4]
//! %0 = input u                    : c128[6/p]
//! %1 = dot real %0 %0             : f64[] +p
//! %2 = apply A.H %0               : c128[4] +p
//! %3, %4 = all_reduce p %1 %2     : f64[], c128[4]
//! %5 = sqrt %3                    : f64[]
//! %6 = div %4 %5                  : c128[4]
//! return %6
//! comm 1 call, 72 B per rank
//! ```
//! What may share a call, and when, is said in `sharing`.
//! A message of two precisions goes whole from rank to rank, so numbers in double precision ride on
//! a vector in single precision where the machine's model says that this is quicker than two calls.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::Plan;
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::{quicker, shared, sums_numbers};

/// The pass.
pub struct RideReductions;

impl Pass for RideReductions {
    fn name(&self) -> &'static str {
        "ride-reductions"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        Ok(shared(plan, |block, a, b| {
            let (numbers, other) = (sums_numbers(block, a), sums_numbers(block, b));
            let pair = if numbers { (b, a) } else { (a, b) };
            numbers != other && quicker(&cx.machine, &plan.mesh, block, pair)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged, unchanged_unproven};
    use insta::assert_snapshot;

    #[test]
    fn several_numbers_and_columns_ride_on_one_vector() {
        let plan = after(
            &RideReductions,
            "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[6/p, 4]
            %0 = input u : f64[6/p, 3]
            %1 = dot columns=1 %0 %0 : f64[3] +p
            %2 = all_reduce p %1 : f64[3]
            %3 = apply A.H %0 : f64[4, 3] +p
            %4 = all_reduce p %3 : f64[4, 3]
            %5 = dot %0 %0 : f64[] +p
            %6 = all_reduce p %5 : f64[]
            return %2 %4 %6",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input u                    : f64[6/p, 3]
        %1 = dot columns=1 %0 %0        : f64[3] +p
        %2 = apply A.H %0               : f64[4, 3] +p
        %3 = dot %0 %0                  : f64[] +p
        %4, %5, %6 = all_reduce p %1 %2 %3 : f64[3], f64[4, 3], f64[]
        ");
    }

    #[test]
    fn a_number_on_which_the_vector_depends_goes_ahead() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[6/p, 4]
            %0 = input u : f64[6/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            %3 = scale %2 %0 : f64[6/p]
            %4 = apply A.H %3 : f64[4] +p
            %5 = all_reduce p %4 : f64[4]
            return %5";
        assert!(unchanged(&RideReductions, plan));
    }

    #[test]
    fn numbers_in_double_ride_on_a_vector_in_single_precision() {
        let plan = after(
            &RideReductions,
            "mesh p=2 (2 ranks)
            let A = (i) <- (j) : c64[6/p, 4]
            %0 = input u : c64[6/p]
            %1 = apply A.H %0 : c64[4] +p
            %2 = all_reduce p %1 : c64[4]
            %3 = dot real %0 %0 : f64[] +p
            %4 = all_reduce p %3 : f64[]
            return %2 %4",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input u                    : c64[6/p]
        %1 = apply A.H %0               : c64[4] +p
        %2 = dot real %0 %0             : f64[] +p
        %3, %4 = all_reduce p %1 %2     : c64[4], f64[]
        ");
    }

    #[test]
    fn numbers_over_other_axes_go_alone() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let B = (i) <- (j) : f64[2, 5/c]
            %0 = input x : f32[5/r]
            %1 = input y : f64[5/c]
            %2 = apply B %1 : f64[2] +c
            %3 = all_reduce c %2 : f64[2]
            %4 = dot %0 %0 : f64[] +r
            %5 = all_reduce r %4 : f64[]
            return %3 %5";
        assert!(unchanged(&RideReductions, plan));
    }

    /// A message of one precision is cut among the ranks, one of two precisions is not.
    #[test]
    fn numbers_beside_a_long_vector_in_single_precision_go_alone() {
        let step = |ranks: usize, n: usize| {
            format!(
                "mesh p={ranks} ({ranks} ranks)
                %0 = input x : f32[{n}]
                %1 = input y : f64[]
                %2 = partial p %0 : f32[{n}] +p
                %3 = partial p %1 : f64[] +p
                %4 = all_reduce p %2 : f32[{n}]
                %5 = all_reduce p %3 : f64[]
                return %4 %5"
            )
        };
        let alone = |step: String| unchanged_unproven(&RideReductions, &step);
        assert!(alone(step(8, 1 << 20)));
        assert!(!alone(step(2, 1 << 20)));
        assert!(!alone(step(8, 1000)));
    }

    /// The number would have to wait for a vector that comes after another call, and a halo waits
    /// for the number: three calls would follow one another instead of two.
    #[test]
    fn nothing_waits_longer_for_a_number_that_rides() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[6/p, 4]
            let S = (i) <- (i~1:1) : f64[6/p]
            %0 = input u : f64[6/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            %3 = halo %0 : f64[6/p~1:1]
            %4 = apply S %3 : f64[6/p]
            %5 = apply A.H %4 : f64[4] +p
            %6 = all_reduce p %5 : f64[4]
            %7 = scale %2 %0 : f64[6/p]
            %8 = halo %7 : f64[6/p~1:1]
            %9 = apply S %8 : f64[6/p]
            return %6 %9";
        assert!(unchanged(&RideReductions, plan));
    }
}
