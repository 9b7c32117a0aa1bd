//! Computes the interior of what reads a halo while the halo travels, and the rims afterwards.
//!
//! ```before
//! mesh p=3 (3 ranks)
//! let S = (i, j) <- (i~1:1, j)    : f64[9000/p, 1000]
//! %0 = input x                    : f64[9000/p, 1000]
//! %1 = halo %0                    : f64[9000/p~1:1, 1000]
//! %2 = apply S %1                 : f64[9000/p, 1000]
//! %3 = neg %2                     : f64[9000/p, 1000]
//! return %3
//! ```
//! ```after
//! mesh p=3 (3 ranks)
//! let S = (i, j) <- (i~1:1, j)    : f64[9000/p, 1000]
//! %0 = input x                    : f64[9000/p, 1000]
//! split
//! %1 = halo %0                    : f64[9000/p~1:1, 1000]
//! %2 = apply S %1                 : f64[9000/p, 1000]
//! end
//! %3 = neg %2                     : f64[9000/p, 1000]
//! return %3
//! comm 1 call, 16000 B per rank
//! ```
//! From `split` to `end` the halo is on its way: operators are applied to the rows that do not need
//! it, then it is waited for, and then come the rows at the rims (`interior.rs`). Nodes between
//! that do not need the halo run before the wait too, and an operator that reads what another one
//! has made there has an interior as well.
//! A region of a stencil and its adjoint has an interior and rims like one operator.
//! A rank whose block is too thin for an interior waits first.
//! A halo is split if that hides half of it, on a machine that says how much of a communication
//! passes beside work; more calls, and copies where an interior is no range of rows, are counted.
//! An operator that holds data for its elements is applied as a whole, since it would
//! be held for each tile.
//! Every element is computed as before.
//! Numerics class: E.

use crate::cost::{Whose, nodes};
use crate::error::PlanError;
use crate::flight::hidden;
use crate::interior::Travel;
use crate::ir::{Applied, Block, Node, Op, Plan, Region, SplitHalo};
use crate::machine::Machine;
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::composed;

/// The share of a halo's time that is hidden at least.
const LEAST: f64 = 0.5;

/// The pass.
pub struct SplitHalos;

impl Pass for SplitHalos {
    fn name(&self) -> &'static str {
        "split-halos"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        if cx.machine.overlap > 0.0 {
            for block in &mut out.blocks {
                split(plan, block, &cx.machine);
            }
        }
        Ok(out)
    }
}

fn split(plan: &Plan, block: &mut Block, machine: &Machine) {
    let candidates = candidates(plan, block);
    if candidates.is_empty() {
        return;
    }
    let costs = nodes(plan, block, machine, Whose::Largest);
    let total = |block: &Block| {
        let all: f64 = costs.iter().map(|node| node.seconds).sum();
        all - hidden(plan, block, machine, |n| costs[n].seconds)
    };
    let mut best = total(block);
    for candidate in candidates {
        let mut splits = block.splits.clone();
        splits.push(candidate);
        splits.sort_by_key(|s| s.first);
        let after = Block { splits, ..block.clone() };
        let (seconds, halo) = (total(&after), costs[candidate.first as usize].seconds);
        if best - seconds > LEAST * halo {
            (*block, best) = (after, seconds);
        }
    }
}

/// For each halo that is not split the nodes that could work while it travels.
fn candidates(plan: &Plan, block: &Block) -> Vec<SplitHalo> {
    let taken = |n: usize| {
        let alone = |r: &Region| r.nodes().contains(&n) && !composed(plan, block, r);
        block.regions.iter().any(alone) || block.splits.iter().any(|s| s.nodes().contains(&n))
    };
    let candidate = |first: usize| {
        let mut travel = Travel::new(plan, block, &block.nodes[first]).ok()?;
        let mut last = first;
        for (n, node) in block.nodes.iter().enumerate().skip(first + 1) {
            if taken(n) || holds_data(plan, node) {
                break;
            }
            match travel.join(node) {
                Ok(true) => last = n,
                Ok(false) => {}
                Err(_) => break,
            }
        }
        (last > first).then_some(SplitHalo { first: first as u32, last: last as u32 })
    };
    (0..block.nodes.len()).filter(|&n| !taken(n)).filter_map(candidate).collect()
}

/// Whether a node applies an operator with data for each element.
fn holds_data(plan: &Plan, node: &Node) -> bool {
    let Op::Apply(Applied::Leaf(leaf) | Applied::Adjoint(leaf)) = node.op else { return false };
    let signature = &plan[leaf].signature;
    let elements: usize = signature.range.iter().map(|dims| dims.iter().product::<usize>()).sum();
    signature.cost.holds >= elements as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after_beside, read, unchanged};
    use crate::pipeline::tidy;
    use insta::assert_snapshot;

    /// The text from the first input on.
    fn text(plan: &Plan) -> String {
        let text = plan.to_string();
        let lines = text.lines().skip_while(|line| !line.starts_with('%'));
        lines.take_while(|line| !line.starts_with("return")).collect::<Vec<_>>().join("\n")
    }

    fn stays(plan: &str) -> bool {
        after_beside(&SplitHalos, plan) == tidy(&read(plan))
    }

    const CHAIN: &str = "mesh p=3 (3 ranks)
        let S = (i, j) <- (i~1:1, j) : f64[9000/p, 1000]
        let B = (i) <- (j) : f64[100, 100]
        %0 = input x : f64[9000/p, 1000]
        %1 = input y : f64[100]
        %2 = halo %0 : f64[9000/p~2:2, 1000]
        %3 = apply S %2 : f64[9000/p~1:1, 1000]
        %4 = apply B %1 : f64[100]
        %5 = apply S.H %3 : f64[9000/p, 1000]
        %6 = dot %5 %5 : f64[] +p
        %7 = all_reduce p %6 : f64[]
        return %4 %5 %7";

    #[test]
    fn chains_and_other_work_are_beside_a_halo() {
        assert_snapshot!(text(&after_beside(&SplitHalos, CHAIN)), @"
        %0 = input x                    : f64[9000/p, 1000]
        %1 = input y                    : f64[100]
        split
        %2 = halo %0                    : f64[9000/p~2:2, 1000]
        %3 = apply S %2                 : f64[9000/p~1:1, 1000]
        %4 = apply B %1                 : f64[100]
        %5 = apply S.H %3               : f64[9000/p, 1000]
        end
        %6 = dot %5 %5                  : f64[] +p
        %7 = all_reduce p %6            : f64[]
        ");
    }

    #[test]
    fn a_region_of_a_stencil_and_its_adjoint_is_beside_its_halo() {
        let plan = "mesh p=3 (3 ranks)
            let S = (i, j) <- (i~1:1, j) : f64[9000/p, 1000]
            %0 = input x : f64[9000/p, 1000]
            %1 = halo %0 : f64[9000/p~2:2, 1000]
            region S.H S
            %2 = apply S %1 : f64[9000/p~1:1, 1000]
            %3 = apply S.H %2 : f64[9000/p, 1000]
            end
            %4 = neg %3 : f64[9000/p, 1000]
            return %4";
        assert_snapshot!(text(&after_beside(&SplitHalos, plan)), @"
        %0 = input x                    : f64[9000/p, 1000]
        split
        %1 = halo %0                    : f64[9000/p~2:2, 1000]
        region S.H S
        %2 = apply S %1                 : f64[9000/p~1:1, 1000]
        %3 = apply S.H %2               : f64[9000/p, 1000]
        end
        end
        %4 = neg %3                     : f64[9000/p, 1000]
        ");
    }

    /// Boxes of what lies between need not be whole rows, as nobody copies them.
    #[test]
    fn what_lies_in_a_region_keeps_no_halo_whole() {
        let plan = "mesh p=3 (3 ranks)
            let G = (l!, i, j) <- (i~1:1, j) : f64[3, 9000/p, 1000]
            %0 = input x : f64[9000/p, 1000]
            %1 = halo %0 : f64[9000/p~2:2, 1000]
            region G.H G
            %2 = apply G %1 : f64[3, 9000/p~1:1, 1000]
            %3 = apply G.H %2 : f64[9000/p, 1000]
            end
            return %3";
        let made = after_beside(&SplitHalos, plan);
        assert_eq!(made.blocks[0].splits, [SplitHalo { first: 1, last: 3 }]);
    }

    #[test]
    fn operators_of_one_halo_follow_each_other() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let S = (i, j) <- (i~1:1, j) : c128[3000/r, 4000/c]
            let T = (i, j) <- (i~1:2, j) : c128[3000/r, 4000/c]
            %0 = input x : c128[3000/r, 4000/c]
            %1 = input y : c128[3000/r, 4000/c]
            %2, %3 = halo %0 %1 : c128[3000/r~1:1, 4000/c], c128[3000/r~2:1, 4000/c]
            %4 = apply S %2 : c128[3000/r, 4000/c]
            %5 = apply T.H %3 : c128[3000/r, 4000/c]
            %6 = add %4 %5 : c128[3000/r, 4000/c]
            return %6";
        let made = after_beside(&SplitHalos, plan);
        assert_eq!(made.blocks[0].splits, [SplitHalo { first: 2, last: 4 }]);
    }

    #[test]
    fn where_communication_needs_attention_nothing_is_split() {
        assert!(unchanged(&SplitHalos, CHAIN));
    }

    #[test]
    fn thin_blocks_are_not_split() {
        assert!(stays(&CHAIN.replace("9000/p", "12/p")));
    }

    #[test]
    fn operators_with_data_keep_one_tile() {
        let mut plan = tidy(&read(CHAIN));
        let signature = std::sync::Arc::make_mut(&mut plan.leaves[0].signature);
        signature.cost = crate::signature::Cost { flops: 1e6, holds: 8e7, ..signature.cost };
        let machine = Machine::default().with_overlap(1.0);
        let cx = Context { mesh: plan.mesh.clone(), machine, ..Context::default() };
        assert_eq!(SplitHalos.run(&plan, &cx), Ok(plan));
    }

    #[test]
    fn columns_are_split_only_if_copies_cost_less() {
        let plan = |rows: usize| {
            format!(
                "mesh p=4 (4 ranks)
            let S = (i, j) <- (i, j~1:1) : f64[{rows}, 400000/p]
            %0 = input x : f64[{rows}, 400000/p]
            %1 = halo %0 : f64[{rows}, 400000/p~1:1]
            %2 = apply S %1 : f64[{rows}, 400000/p]
            return %2"
            )
        };
        assert!(!stays(&plan(1)));
        assert!(stays(&plan(40)));
    }
}
