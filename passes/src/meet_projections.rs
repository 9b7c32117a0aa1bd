//! Applies no transforms where a half spectrum meets its adjoint.
//!
//! ```before
//! mesh 1 rank
//! cut s0 = 4 spread 1 1 1 0
//! let F = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
//! let S = (k@s0) <- (k) co_isometry : f64[4]
//! let A = (i) <- (j)              : c128[3, 3]
//! %0 = input x : c128[3]
//! %1 = apply A %0 : c128[3]
//! %2 = apply S.H %1 : c128[4]
//! %3 = apply F.H %2 : f64[6]
//! %4 = apply F %3 : c128[4]
//! %5 = apply S %4 : c128[3]
//! %6 = apply A.H %5 : c128[3]
//! return %6
//! ```
//! ```after
//! mesh 1 rank
//! cut s0 = 4 spread 1 1 1 0
//! let F = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
//! let S = (k@s0) <- (k) co_isometry : f64[4]
//! let A = (i) <- (j)              : c128[3, 3]
//! %0 = input x                    : c128[3]
//! %1 = apply A %0                 : c128[3]
//! %2 = project S F %1             : c128[3]
//! %3 = apply A.H %2               : c128[3]
//! return %3
//! comm 0 calls, 0 B per rank
//! ```
//! `S F F.H S.H` projects onto the range of `S F`; of the transform F of real samples, and of what S
//! selects of it, that drops the imaginary parts of real frequencies and nothing else (the lemma is
//! [`crate::spectrum`]'s, and the law `half_spectrum` stands for it).
//! So two multi-dimensional convolutions that follow each other have no transform between them, and
//! what they hand over may be split by frequencies.
//! Numerics class: F, as an isometry is one only up to rounding.

use crate::error::PlanError;
use crate::ir::{Applied, Block, LeafId, Op, Plan, Value};
use crate::pipeline::{Context, Numerics, Pass};
use crate::spectrum::projection;

/// The pass.
pub struct MeetProjections;

impl Pass for MeetProjections {
    fn name(&self) -> &'static str {
        "meet-projections"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        if cx.numerics < self.numerics() {
            return Ok(plan.clone());
        }
        let blocks = plan.blocks.iter().map(|block| met(plan, block)).collect();
        Ok(Plan { blocks, ..plan.clone() })
    }
}

/// The block with a projection for each product that follows its own adjoint.
fn met(plan: &Plan, block: &Block) -> Block {
    let (mut out, defined) = (block.clone(), block.definitions());
    for (n, node) in out.nodes.iter_mut().enumerate() {
        let Some((onto, of)) = meeting(block, &defined, n) else { continue };
        if let Some(projection) = projection(plan, &onto) {
            (node.op, node.args) = (Op::Project(projection), vec![of]);
        }
    }
    out
}

/// The leaves of the product that ends in a node, the last of which is applied first, and what its
/// adjoint is applied to, if that comes right before.
fn meeting(block: &Block, defined: &[usize], n: usize) -> Option<(Vec<LeafId>, Value)> {
    let mut onto = Vec::new();
    let mut at = n;
    // Down through the product ...
    while let (Op::Apply(Applied::Leaf(leaf)), [arg]) = one(block, at)? {
        onto.push(*leaf);
        at = defined[arg.index()];
    }
    // ... and through its adjoint, from the inside.
    let mut of = None;
    for leaf in onto.iter().rev() {
        let (Op::Apply(Applied::Adjoint(adjoint)), [arg]) = one(block, at)? else { return None };
        if adjoint != leaf {
            return None;
        }
        of = Some(*arg);
        at = defined[arg.index()];
    }
    Some((onto, of?))
}

/// The operation of a node with one result, and its operands.
fn one(block: &Block, n: usize) -> Option<(&Op, &[Value])> {
    let node = &block.nodes[n];
    (node.results.len() == 1).then_some((&node.op, node.args.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    const LEAVES: &str = "mesh 1 rank
        cut s0 = 4 spread 1 1 1 0
        let F = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
        let G = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
        let P = (k!) <- (i!) isometry real r2c : f64[4, 6]
        let S = (k@s0) <- (k) co_isometry : f64[4]
        let D = (k) <- (k) : f64[4]\n";

    fn plan(lines: &str) -> String {
        format!("{LEAVES}{lines}")
    }

    /// What lies between is still there for whoever wants it.
    #[test]
    fn samples_that_are_used_elsewhere_stay() {
        let plan = after(
            &MeetProjections,
            &plan(
                "%0 = input y : c128[4]
                %1 = apply F.H %0 : f64[6]
                %2 = apply F %1 : c128[4]
                return %1 %2",
            ),
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input y                    : c128[4]
        %1 = apply F.H %0               : f64[6]
        %2 = project F %0               : c128[4]
        ");
    }

    /// The transforms meet, though what is selected afterwards is not what was selected before.
    #[test]
    fn what_meets_inside_of_something_else_is_projected() {
        let plan = after(
            &MeetProjections,
            &plan(
                "%0 = input y : c128[4]
                %1 = apply D.H %0 : c128[4]
                %2 = apply F.H %1 : f64[6]
                %3 = apply F %2 : c128[4]
                %4 = apply S %3 : c128[3]
                %5 = apply S.H %4 : c128[4]
                return %5",
            ),
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input y                    : c128[4]
        %1 = apply D.H %0               : c128[4]
        %2 = project F %1               : c128[4]
        %3 = apply S %2                 : c128[3]
        %4 = apply S.H %3               : c128[4]
        ");
    }

    #[test]
    fn what_is_no_projection_is_left() {
        for (outer, inner, why) in
            [("G", "F", "another transform"), ("P", "P", "no law says what it drops")]
        {
            let plan = plan(&format!(
                "%0 = input y : c128[4]
                %1 = apply {inner}.H %0 : f64[6]
                %2 = apply {outer} %1 : c128[4]
                return %2"
            ));
            assert!(unchanged(&MeetProjections, &plan), "{why}");
        }
        let samples = plan(
            "%0 = input x : f64[6]
            %1 = apply F %0 : c128[4]
            %2 = apply F.H %1 : f64[6]
            return %2",
        );
        assert!(unchanged(&MeetProjections, &samples), "samples stay samples");
    }
}
