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
//! No library sums a message of two types: a short vector in single precision is widened, so that
//! numbers in double precision can ride on it, where the machine's model says that it is quicker.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan};
use crate::machine::Machine;
use crate::mesh::Mesh;
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::{is_double, joined, pair, repeated, shared, size, sums_numbers, widened};

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
        let plan = shared(plan, rides);
        let plan = repeated(&plan, |block| {
            let wanted = |b: &Block, x: &Node, y: &Node| pays(&cx.machine, &plan.mesh, b, (x, y));
            let (i, j) = pair(block, wanted)?;
            let vector = if is_double(block, &block.nodes[i]) { j } else { i };
            joined(&widened(block, vector), rides)
        });
        Ok(shared(&plan, rides))
    }
}

/// Whether one of two reductions is of numbers, and the other is not.
fn rides(block: &Block, a: &Node, b: &Node) -> bool {
    sums_numbers(block, a) != sums_numbers(block, b)
}

/// Whether numbers ride on a vector in single precision more quickly than they go alone, though it
/// is twice as long and is copied there and back.
fn pays(machine: &Machine, mesh: &Mesh, block: &Block, (a, b): (&Node, &Node)) -> bool {
    let Op::AllReduce(axes) = &a.op else { return false };
    let (vector, numbers) = if sums_numbers(block, a) { (b, a) } else { (a, b) };
    if !rides(block, a, b) || is_double(block, vector) || !is_double(block, numbers) {
        return false;
    }
    let (ranks, link) = (mesh.sizes(axes), machine.link(mesh, axes));
    let cost = |bytes: f64| link.all_reduce(ranks, bytes);
    let (short, numbers) = (size(block, mesh, vector), size(block, mesh, numbers));
    cost(2.0 * short + numbers) + 2.0 * machine.pass(3.0 * short) < cost(short) + cost(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
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
    fn a_short_vector_in_single_precision_is_widened() {
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
        %2 = cast %1                    : c128[4] +p
        %3 = dot real %0 %0             : f64[] +p
        %4, %5 = all_reduce p %2 %3     : c128[4], f64[]
        %6 = cast %4                    : c64[4]
        ");
    }

    #[test]
    fn numbers_over_other_axes_or_beside_a_long_single_vector_go_alone() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let A = (i) <- (j) : f32[3000, 5/r]
            let B = (i) <- (j) : f64[2, 5/c]
            %0 = input x : f32[5/r]
            %1 = input y : f64[5/c]
            %2 = apply A %0 : f32[3000] +r
            %3 = all_reduce r %2 : f32[3000]
            %4 = apply B %1 : f64[2] +c
            %5 = all_reduce c %4 : f64[2]
            %6 = dot %0 %0 : f64[] +r
            %7 = all_reduce r %6 : f64[]
            return %3 %5 %7";
        assert!(unchanged(&RideReductions, plan));
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
