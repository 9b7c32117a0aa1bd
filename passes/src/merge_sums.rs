//! Adds before summing over ranks: one reduction where there were several.
//!
//! ```text
//! %2 = all_reduce p %0         %2 = add %0 %1
//! %3 = all_reduce p %1    ⟶   %3 = all_reduce p %2
//! %4 = add %2 %3
//! ```
//! Only where the single sums are not needed themselves.
//! Numerics class: F.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::pipeline::{Context, Numerics, Pass, reordered};

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
        let mut out = plan.clone();
        for block in &mut out.blocks {
            while let Some(merged) = merged(block) {
                *block = merged;
            }
        }
        Ok(out)
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
