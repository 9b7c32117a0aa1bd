//! Computes equal values once.
//!
//! ```text
//! %1 = apply A %0              %1 = apply A %0
//! %2 = apply A %0         ⟶   %3 = add %1 %1
//! %3 = add %1 %2
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
    let mut out = Block::new(&block.name);
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
