//! Adds before summing over ranks: one reduction where there were several.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j) : f64[2, 5/p]
//! let B = (i) <- (j) : f64[2, 5/p]
//! %0 = input x : f64[5/p]
//! %1 = apply A %0 : f64[2] +p
//! %2 = apply B %0 : f64[2] +p
//! %3 = all_reduce p %1 : f64[2]
//! %4 = all_reduce p %2 : f64[2]
//! %5 = sub %3 %4 : f64[2]
//! return %5
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[2, 5/p]
//! let B = (i) <- (j)              : f64[2, 5/p]
//! %0 = input x                    : f64[5/p]
//! %1 = apply A %0                 : f64[2] +p
//! %2 = apply B %0                 : f64[2] +p
//! %3 = sub %1 %2                  : f64[2] +p
//! %4 = all_reduce p %3            : f64[2]
//! return %4
//! comm 1 call, 16 B per rank
//! ```
//! Only where the single sums are not needed themselves.
//! Numerics class: F.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::pipeline::{Context, Numerics, Pass, reordered};
use crate::sharing::repeated;

/// The pass.
pub struct MergeSums;

impl Pass for MergeSums {
    fn name(&self) -> &'static str {
        "merge-sums"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(repeated(plan, merged))
    }
}

/// The block with one sum merged, if one can be.
fn merged(block: &Block) -> Option<Block> {
    let (defined, uses) = (block.definitions(), block.uses());
    let reduction = |v: &Value| {
        let node = &block.nodes[defined[v.index()]];
        match &node.op {
            Op::AllReduce(axes) if node.args.len() == 1 && uses[v.index()] == 1 => {
                Some((axes, node.args[0]))
            }
            _ => None,
        }
    };
    let (at, axes, args) = block.nodes.iter().enumerate().find_map(|(n, node)| {
        if !matches!(node.op, Op::Add | Op::Sub) {
            return None;
        }
        let found: Option<Vec<_>> = node.args.iter().map(reduction).collect();
        let found = found?;
        let axes = found.first()?.0;
        found
            .iter()
            .all(|f| f.0 == axes)
            .then(|| (n, axes.clone(), found.iter().map(|f| f.1).collect::<Vec<_>>()))
    })?;
    let same = args.iter().all(|&a| block.ty(a).placement == block.ty(args[0]).placement);
    if !same {
        return None;
    }
    let mut out = block.clone();
    let sum = Value(out.types.len() as u32);
    out.types.push(block.ty(args[0]).clone());
    let mut nodes = out.nodes.clone();
    let result = nodes[at].results.clone();
    nodes[at] = Node { op: nodes[at].op.clone(), args, results: vec![sum] };
    nodes.insert(at + 1, Node { op: Op::AllReduce(axes), args: vec![sum], results: result });
    Some(reordered(&out, nodes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn chains_of_sums_become_one_reduction() {
        let plan = after(
            &MergeSums,
            "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[2, 5/p]
            let B = (i) <- (j) : f64[2, 5/p]
            let C = (i) <- (j) : f64[2, 5/p]
            %0 = input x : f64[5/p]
            %1 = apply A %0 : f64[2] +p
            %2 = apply B %0 : f64[2] +p
            %3 = apply C %0 : f64[2] +p
            %4 = all_reduce p %1 : f64[2]
            %5 = all_reduce p %2 : f64[2]
            %6 = all_reduce p %3 : f64[2]
            %7 = add %4 %5 : f64[2]
            %8 = sub %7 %6 : f64[2]
            return %8",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[5/p]
        %1 = apply A %0                 : f64[2] +p
        %2 = apply B %0                 : f64[2] +p
        %3 = apply C %0                 : f64[2] +p
        %4 = add %1 %2                  : f64[2] +p
        %5 = sub %4 %3                  : f64[2] +p
        %6 = all_reduce p %5            : f64[2]
        ");
    }

    #[test]
    fn a_sum_that_is_needed_itself_stays() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[2, 5/p]
            %0 = input x : f64[5/p]
            %1 = input y : f64[5/p]
            %2 = apply A %0 : f64[2] +p
            %3 = apply A %1 : f64[2] +p
            %4 = all_reduce p %2 : f64[2]
            %5 = all_reduce p %3 : f64[2]
            %6 = add %4 %5 : f64[2]
            return %4 %6";
        assert!(unchanged(&MergeSums, plan));
    }

    #[test]
    fn sums_over_other_axes_stay_apart() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let A = (i) <- (j) : f64[2, 5/r]
            let B = (i) <- (j) : f64[2, 5/c]
            %0 = input x : f64[5/r]
            %1 = input y : f64[5/c]
            %2 = apply A %0 : f64[2] +r
            %3 = apply B %1 : f64[2] +c
            %4 = all_reduce r %2 : f64[2]
            %5 = all_reduce c %3 : f64[2]
            %6 = add %4 %5 : f64[2]
            return %6";
        assert!(unchanged(&MergeSums, plan));
    }

    #[test]
    fn a_pair_that_cannot_merge_does_not_hide_one_that_can() {
        let plan = after(
            &MergeSums,
            "mesh r=2 c=2 (4 ranks)
            let A = (i) <- (j) : f64[2/r, 5/c]
            let B = (i) <- (j) : f64[3, 5/c]
            %0 = input x : f64[5/c]
            %1 = apply A %0 : f64[2/r] +c
            %2 = all_reduce c %1 : f64[2/r]
            %3 = slice %2 : f64[2/r]
            %4 = add %2 %3 : f64[2/r]
            %5 = apply B %0 : f64[3] +c
            %6 = neg %5 : f64[3] +c
            %7 = all_reduce c %5 : f64[3]
            %8 = all_reduce c %6 : f64[3]
            %9 = add %7 %8 : f64[3]
            return %4 %9",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[5/c]
        %1 = apply A %0                 : f64[2/r] +c
        %2 = all_reduce c %1            : f64[2/r]
        %3 = slice %2                   : f64[2/r]
        %4 = add %2 %3                  : f64[2/r]
        %5 = apply B %0                 : f64[3] +c
        %6 = neg %5                     : f64[3] +c
        %7 = add %5 %6                  : f64[3] +c
        %8 = all_reduce c %7            : f64[3]
        ");
    }
}
