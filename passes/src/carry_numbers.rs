//! Lets sums of numbers go with the pieces of a vector that is scattered over the ranks or gathered.
//!
//! ```before
//! mesh p=3 (3 ranks)
//! let A = (i) <- (j) : f64[7/p, 5]
//! %0 = input v : f64[5/p]
//! %1 = dot %0 %0 : f64[] +p
//! %2 = all_reduce p %1 : f64[]
//! %3 = all_gather p %0 : f64[5]
//! %4 = apply A %3 : f64[7/p]
//! %5 = scale %2 %4 : f64[7/p]
//! %6 = dot %5 %5 : f64[] +p
//! %7 = all_reduce p %6 : f64[]
//! %8 = apply A.H %5 : f64[5] +p
//! %9 = reduce_scatter p %8 : f64[5/p]
//! %10 = scale %7 %9 : f64[5/p]
//! return %10
//! ```
//! ```after
//! mesh p=3 (3 ranks)
//! let A = (i) <- (j)              : f64[7/p, 5]
//! %0 = input v                    : f64[5/p]
//! %1 = dot %0 %0                  : f64[] +p
//! %2, %3 = all_gather p %0 %1     : f64[5], f64[]
//! %4 = apply A %2                 : f64[7/p]
//! %5 = scale %3 %4                : f64[7/p]
//! %6 = dot %5 %5                  : f64[] +p
//! %7 = apply A.H %5               : f64[5] +p
//! %8, %9 = reduce_scatter p %7 %6 : f64[5/p], f64[]
//! %10 = scale %9 %8               : f64[5/p]
//! return %10
//! comm 2 calls, 128 B per rank
//! ```
//! Each piece of a `reduce_scatter` takes a copy of the numbers along, so that every rank gets their
//! sums with its own; an `all_gather` brings each rank's parts to every rank, which adds them in the
//! order of ranks.
//! The machine's model says whether so many copies are quicker than a call.
//! Where numbers in double precision go with pieces in single precision, all pieces of a
//! `reduce_scatter` are as long as the largest.
//! What may go with a vector, and when, is said in `sharing`.
//! Numerics class: F, as the numbers are added in another order.

use crate::error::PlanError;
use crate::ir::{Block, Plan};
use crate::machine::Machine;
use crate::mesh::Mesh;
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::{carrier, join, quicker, repeated, sums_numbers};

/// The pass.
pub struct CarryNumbers;

impl Pass for CarryNumbers {
    fn name(&self) -> &'static str {
        "carry-numbers"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        Ok(repeated(plan, |block| carried(&cx.machine, &plan.mesh, block)))
    }
}

/// The block after the numbers of a reduction ride on a vector that is scattered or gathered.
fn carried(machine: &Machine, mesh: &Mesh, block: &Block) -> Option<Block> {
    let (vector, numbers) = carrier(block, |vector, numbers| {
        sums_numbers(block, numbers) && quicker(machine, mesh, block, (vector, numbers))
    })?;
    Some(join(block, vector, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn every_piece_carries_columns_and_complex_numbers() {
        let plan = after(
            &CarryNumbers,
            "mesh p=4 (4 ranks)
            let A = (i) <- (j) : c128[6/p, 3]
            %0 = input u : c128[6/p, 2]
            %1 = dot columns=1 %0 %0 : c128[2] +p
            %2 = all_reduce p %1 : c128[2]
            %3 = dot real %0 %0 : f64[] +p
            %4 = all_reduce p %3 : f64[]
            %5 = apply A.H %0 : c128[3, 2] +p
            %6 = reduce_scatter p %5 : c128[3/p, 2]
            return %2 %4 %6",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input u                    : c128[6/p, 2]
        %1 = dot columns=1 %0 %0        : c128[2] +p
        %2 = dot real %0 %0             : f64[] +p
        %3 = apply A.H %0               : c128[3, 2] +p
        %4, %5, %6 = reduce_scatter p %3 %1 %2 : c128[3/p, 2], c128[2], f64[]
        ");
    }

    #[test]
    fn numbers_in_double_go_with_pieces_in_single_precision() {
        let plan = after(
            &CarryNumbers,
            "mesh p=3 (3 ranks)
            let A = (i) <- (j) : f32[7/p, 5]
            %0 = input u : f32[7/p]
            %1 = input v : f32[5/p]
            %2 = apply A.H %0 : f32[5] +p
            %3 = reduce_scatter p %2 : f32[5/p]
            %4 = dot %0 %0 : f64[] +p
            %5 = all_reduce p %4 : f64[]
            %6 = scale %5 %1 : f32[5/p]
            %7 = dot %1 %1 : f64[] +p
            %8 = all_reduce p %7 : f64[]
            %9 = all_gather p %6 : f32[5]
            return %3 %8 %9",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input u                    : f32[7/p]
        %1 = input v                    : f32[5/p]
        %2 = apply A.H %0               : f32[5] +p
        %3 = dot %0 %0                  : f64[] +p
        %4 = dot %1 %1                  : f64[] +p
        %5, %6, %7 = reduce_scatter p %2 %3 %4 : f32[5/p], f64[], f64[]
        %8 = scale %6 %1                : f32[5/p]
        %9 = all_gather p %8            : f32[5]
        ");
    }

    /// A copy for each of many ranks takes longer than a call.
    #[test]
    fn numbers_go_alone_where_ranks_are_many_or_axes_differ() {
        let step = |mesh: &str, axis: &str| {
            format!(
                "mesh {mesh}
                let A = (i) <- (j) : f64[6/{axis}, 4]
                %0 = input u : f64[6/{axis}]
                %1 = input y : f64[6/c]
                %2 = dot %1 %1 : f64[] +c
                %3 = all_reduce c %2 : f64[]
                %4 = apply A.H %0 : f64[4] +{axis}
                %5 = reduce_scatter {axis} %4 : f64[4/{axis}]
                return %3 %5"
            )
        };
        assert!(unchanged(&CarryNumbers, &step("r=2 c=2 (4 ranks)", "r")));
        let plan = crate::text::parse(
            &step("c=65536 (65536 ranks)", "c").replace("\n                ", "\n"),
        );
        let plan = crate::pipeline::tidy(&plan.unwrap());
        let rides = crate::pipeline::run(&CarryNumbers, &plan, &Context::default());
        assert_eq!(rides.unwrap(), plan);
    }
}
