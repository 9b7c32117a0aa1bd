//! Lets independent reductions over the same axes share one call.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! %0 = input x : f64[5/p]
//! %1 = input y : f64[5/p]
//! %2 = dot %0 %0 : f64[] +p
//! %3 = all_reduce p %2 : f64[]
//! %4 = dot %0 %1 : f64[] +p
//! %5 = all_reduce p %4 : f64[]
//! return %3 %5
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! %0 = input x                    : f64[5/p]
//! %1 = input y                    : f64[5/p]
//! %2 = dot %0 %0                  : f64[] +p
//! %3 = dot %0 %1                  : f64[] +p
//! %4, %5 = all_reduce p %2 %3     : f64[], f64[]
//! return %4 %5
//! comm 1 call, 16 B per rank
//! ```
//! Two reductions are independent if neither needs the other's result.
//! Numerics class: F, as a library may sum a longer message in another order.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan};
use crate::pipeline::{Context, Numerics, Pass, reordered};

/// The pass.
pub struct MergeDots;

impl Pass for MergeDots {
    fn name(&self) -> &'static str {
        "merge-dots"
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

/// The block with one more pair of reductions merged, if there is one.
fn merged(block: &Block) -> Option<Block> {
    let needs = needs(block);
    let reductions: Vec<usize> =
        (0..block.nodes.len()).filter(|&n| matches!(block.nodes[n].op, Op::AllReduce(_))).collect();
    for (k, &j) in reductions.iter().enumerate().skip(1) {
        for &i in &reductions[..k] {
            let (a, b) = (&block.nodes[i], &block.nodes[j]);
            let double = |n: &Node| block.ty(n.args[0]).dtype.is_double();
            if a.op == b.op && double(a) == double(b) && !needs[j][i] {
                return Some(joined(block, i, j));
            }
        }
    }
    None
}

fn joined(block: &Block, i: usize, j: usize) -> Block {
    let mut nodes = block.nodes.clone();
    let late = nodes.remove(j);
    let early = nodes.remove(i);
    let both = Node {
        op: early.op,
        args: [early.args, late.args].concat(),
        results: [early.results, late.results].concat(),
    };
    nodes.insert(j - 1, both);
    reordered(block, nodes)
}

/// For each node the earlier nodes whose results it needs, directly or not.
fn needs(block: &Block) -> Vec<Vec<bool>> {
    let defined = block.definitions();
    let mut out: Vec<Vec<bool>> = Vec::with_capacity(block.nodes.len());
    for node in &block.nodes {
        let mut mine = vec![false; block.nodes.len()];
        for arg in &node.args {
            let at = defined[arg.index()];
            mine[at] = true;
            for (m, n) in mine.iter_mut().zip(&out[at]) {
                *m = *m || *n;
            }
        }
        out.push(mine);
    }
    out
}
