//! Lets independent reductions of vectors share one call, where a message costs more than a copy.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j) : f64[2, 5/p]
//! let B = (i) <- (j) : f64[3, 5/p]
//! %0 = input x : f64[5/p]
//! %1 = apply A %0 : f64[2] +p
//! %2 = all_reduce p %1 : f64[2]
//! %3 = apply B %0 : f64[3] +p
//! %4 = all_reduce p %3 : f64[3]
//! return %2 %4
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[2, 5/p]
//! let B = (i) <- (j)              : f64[3, 5/p]
//! %0 = input x                    : f64[5/p]
//! %1 = apply A %0                 : f64[2] +p
//! %2 = apply B %0                 : f64[3] +p
//! %3, %4 = all_reduce p %1 %2     : f64[2], f64[3]
//! return %3 %4
//! comm 1 call, 40 B per rank
//! ```
//! The machine's model says what is saved; a vector that shares a call is copied into the message
//! and out of it, which a long one need not be.
//! What may share a call, and when, is said in `sharing`.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::{Block, Node, Plan};
use crate::machine::Machine;
use crate::mesh::Mesh;
use crate::pipeline::{Context, Numerics, Pass};
use crate::sharing::{shared, size, sums_numbers, together};

/// The pass.
pub struct MergeVectors;

impl Pass for MergeVectors {
    fn name(&self) -> &'static str {
        "merge-vectors"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        Ok(shared(plan, |block, a, b| {
            !sums_numbers(block, a)
                && !sums_numbers(block, b)
                && pays(&cx.machine, &plan.mesh, block, (a, b))
        }))
    }
}

/// Whether one call for both is quicker, with the copies of the shorter vector.
fn pays(machine: &Machine, mesh: &Mesh, block: &Block, (a, b): (&Node, &Node)) -> bool {
    let shorter = size(block, mesh, a).min(size(block, mesh, b));
    let cost = |calls: &[&Node]| together(machine, mesh, block, calls);
    cost(&[a, b]) + machine.pass(4.0 * shorter) < cost(&[a]) + cost(&[b])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{unchanged, unchanged_unproven};

    #[test]
    fn long_vectors_stay_apart() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[1000000, 5/p]
            let B = (i) <- (j) : f64[2000000, 5/p]
            %0 = input x : f64[5/p]
            %1 = apply A %0 : f64[1000000] +p
            %2 = all_reduce p %1 : f64[1000000]
            %3 = apply B %0 : f64[2000000] +p
            %4 = all_reduce p %3 : f64[2000000]
            return %2 %4";
        assert!(unchanged_unproven(&MergeVectors, plan));
    }

    #[test]
    fn numbers_are_left_to_others() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[2, 5/p]
            %0 = input x : f64[5/p]
            %1 = apply A %0 : f64[2] +p
            %2 = all_reduce p %1 : f64[2]
            %3 = dot %0 %0 : f64[] +p
            %4 = all_reduce p %3 : f64[]
            return %2 %4";
        assert!(unchanged(&MergeVectors, plan));
    }
}
