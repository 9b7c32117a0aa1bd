//! Computes equal values once.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[2, 3]
//! %0 = input x : f64[3]
//! %1 = apply A %0 : f64[2]
//! %2 = apply A %0 : f64[2]
//! %3 = add %1 %2 : f64[2]
//! return %3
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[2, 3]
//! %0 = input x                    : f64[3]
//! %1 = apply A %0                 : f64[2]
//! %2 = add %1 %1                  : f64[2]
//! return %2
//! comm 0 calls, 0 B per rank
//! ```
//! Numerics class: E.

use crate::error::PlanError;
use crate::ir::{Block, Op, Plan, Value};
use crate::pipeline::{Context, Numerics, Pass};
use std::collections::BTreeMap;

/// The pass.
pub struct ShareValues;

impl Pass for ShareValues {
    fn name(&self) -> &'static str {
        "share-values"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let blocks = plan.blocks.iter().map(shared).collect();
        Ok(Plan { blocks, ..plan.clone() })
    }
}

fn shared(block: &Block) -> Block {
    let mut out = block.emptied();
    let mut map = vec![Value(0); block.types.len()];
    let mut known: BTreeMap<(Op, Vec<Value>, Vec<crate::Type>), Vec<Value>> = BTreeMap::new();
    for node in &block.nodes {
        let args: Vec<_> = node.args.iter().map(|v| map[v.index()]).collect();
        let types: Vec<_> = node.results.iter().map(|&r| block.ty(r).clone()).collect();
        let key = (node.op.clone(), args.clone(), types.clone());
        let made = known
            .entry(key)
            .or_insert_with(|| out.push_many(node.op.clone(), &args, types))
            .clone();
        for (r, v) in node.results.iter().zip(made) {
            map[r.index()] = v;
        }
    }
    for r in &block.returns {
        out.give(r.target.clone(), map[r.value.index()]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn whole_chains_are_shared() {
        let plan = after(
            &ShareValues,
            "mesh 1 rank
            let A = (i) <- (j) : f64[2, 3]
            slot a : f64
            %0 = input x : f64[3]
            %1 = slot a : f64[]
            %2 = apply A %0 : f64[2]
            %3 = scale %1 %2 : f64[2]
            %4 = slot a : f64[]
            %5 = apply A %0 : f64[2]
            %6 = scale %4 %5 : f64[2]
            return %3 %6",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[3]
        %1 = slot a                     : f64[]
        %2 = apply A %0                 : f64[2]
        %3 = scale %1 %2                : f64[2]
        ");
    }

    #[test]
    fn another_type_or_another_placement_is_another_value() {
        let plan = "mesh p=2 (2 ranks)
            %0 = input x : f64[5]
            %1 = slice %0 : f64[5/p]
            %2 = cast %0 : f32[5]
            %3 = cast %0 : c128[5]
            return %0 %1 %2 %3";
        assert!(unchanged(&ShareValues, plan));
    }
}
