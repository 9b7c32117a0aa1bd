//! Takes scalar products of replicated values where they are, without a reduction.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! %0 = input x : f64[5]
//! %1 = slice %0 : f64[5/p]
//! %2 = dot %1 %1 : f64[] +p
//! %3 = all_reduce p %2 : f64[]
//! return %3
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! %0 = input x                    : f64[5]
//! %1 = dot %0 %0                  : f64[]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! Numerics class: F.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::mesh::Axis;
use crate::pipeline::{Context, Numerics, Pass};

/// The pass.
pub struct DropReplicatedDots;

impl Pass for DropReplicatedDots {
    fn name(&self) -> &'static str {
        "drop-replicated-dots"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let blocks = plan.blocks.iter().map(dropped).collect();
        Ok(Plan { blocks, ..plan.clone() })
    }
}

fn dropped(block: &Block) -> Block {
    let defined = block.definitions();
    let mut out = block.clone();
    for (n, node) in block.nodes.iter().enumerate() {
        let Op::AllReduce(axes) = &node.op else { continue };
        let [arg] = node.args.as_slice() else { continue };
        let dot = &block.nodes[defined[arg.index()]];
        if !matches!(dot.op, Op::Dot { .. }) || block.ty(*arg).placement.pending != *axes {
            continue;
        }
        let whole: Option<Vec<_>> =
            dot.args.iter().map(|&v| unsliced(block, &defined, v, axes)).collect();
        if let Some(args) = whole
            && block.ty(args[0]).placement == block.ty(args[1]).placement
        {
            out.nodes[n] = Node { op: dot.op.clone(), args, results: node.results.clone() };
        }
    }
    out
}

/// What a value was sliced from, if slicing is all that split it over the axes.
fn unsliced(block: &Block, defined: &[usize], value: Value, axes: &[Axis]) -> Option<Value> {
    let mut at = value;
    loop {
        let placement = &block.ty(at).placement;
        if placement.split_axes().iter().all(|a| !axes.contains(a)) {
            let rest_kept = placement.split_axes().is_empty();
            return rest_kept.then_some(at);
        }
        let node = &block.nodes[defined[at.index()]];
        if node.op != Op::Slice {
            return None;
        }
        at = node.args[0];
    }
}
