//! Sharing: independent reductions, or halos, become one call, as far as a pass wants it.
//!
//! Two calls of one kind can be one if they connect the same ranks, carry the same precision and
//! neither needs the other's result.
//! The shared call waits for the operands of both, and what follows either waits for it; so they
//! share only where the longest chain of communications stays as long as it was, and with one
//! call less nothing has been delayed by more than was saved.

use crate::ir::{Block, Node, Op, Plan, Value};
use crate::machine::bytes;
use crate::mesh::Mesh;
use crate::pipeline::{dependences, reordered};
use petgraph::algo::has_path_connecting;
use petgraph::graph::NodeIndex;

/// The plan after all pairs of reductions share a call that can, and that `wanted` picks.
pub(crate) fn shared(plan: &Plan, wanted: impl Fn(&Block, &Node, &Node) -> bool) -> Plan {
    repeated(plan, |block| joined(block, &wanted))
}

/// The plan after all pairs of calls of a kind are one that can be, and that `wanted` picks.
pub(crate) fn shared_calls(
    plan: &Plan,
    kind: impl Fn(&Op) -> bool,
    wanted: impl Fn(&Block, &Node, &Node) -> bool,
) -> Plan {
    let same = |block: &Block, a: &Node, b: &Node| {
        is_double(block, a) == is_double(block, b) && wanted(block, a, b)
    };
    repeated(plan, |block| pair_of(block, &kind, same).map(|(i, j)| join(block, i, j)))
}

/// The block after one pair of reductions shares a call, if there is one that can.
pub(crate) fn joined(
    block: &Block,
    wanted: impl Fn(&Block, &Node, &Node) -> bool,
) -> Option<Block> {
    let same = |a: &Node, b: &Node| is_double(block, a) == is_double(block, b);
    let (i, j) = pair(block, |block, a, b| same(a, b) && wanted(block, a, b))?;
    Some(join(block, i, j))
}

/// The first pair of reductions that neither needs the other's result nor would delay anything,
/// and that `wanted` picks; their precision may differ.
pub(crate) fn pair(
    block: &Block,
    wanted: impl Fn(&Block, &Node, &Node) -> bool,
) -> Option<(usize, usize)> {
    pair_of(block, |op| matches!(op, Op::AllReduce(_)), wanted)
}

fn pair_of(
    block: &Block,
    kind: impl Fn(&Op) -> bool,
    wanted: impl Fn(&Block, &Node, &Node) -> bool,
) -> Option<(usize, usize)> {
    let graph = dependences(block);
    let chains = Chains::new(block);
    let calls: Vec<usize> = (0..block.nodes.len()).filter(|&n| kind(&block.nodes[n].op)).collect();
    let mut pairs = (1..calls.len())
        .flat_map(|k| calls[..k].iter().map(move |&i| (i, k)))
        .map(|(i, k)| (i, calls[k]));
    pairs.find(|&(i, j)| {
        let (a, b) = (&block.nodes[i], &block.nodes[j]);
        a.op == b.op
            && chains.can_join(i, j)
            && wanted(block, a, b)
            && !has_path_connecting(&graph, NodeIndex::new(i), NodeIndex::new(j), None)
    })
}

/// Whether a call carries double precision.
pub(crate) fn is_double(block: &Block, call: &Node) -> bool {
    block.ty(call.args[0]).dtype.is_double()
}

/// The bytes of a reduction's operands on the rank that has most of them.
pub(crate) fn size(block: &Block, mesh: &Mesh, reduction: &Node) -> f64 {
    reduction.args.iter().map(|&v| bytes(block.ty(v), mesh)).sum()
}

/// The plan after a rewriting of blocks, repeated for as long as there is something to rewrite.
pub(crate) fn repeated(plan: &Plan, rewritten: impl Fn(&Block) -> Option<Block>) -> Plan {
    let mut out = plan.clone();
    for block in &mut out.blocks {
        while let Some(next) = rewritten(block) {
            *block = next;
        }
    }
    out
}

/// Whether a reduction sums numbers only: scalar products, and what was computed from them.
pub(crate) fn sums_numbers(block: &Block, reduction: &Node) -> bool {
    let defined = block.definitions();
    reduction.args.iter().all(|&v| is_number(block, &defined, v))
}

fn is_number(block: &Block, defined: &[usize], value: Value) -> bool {
    let node = &block.nodes[defined[value.index()]];
    let follows = matches!(
        node.op,
        Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Conj | Op::Cast | Op::Slice
    );
    block.ty(value).dims.is_empty()
        || matches!(node.op, Op::Dot { .. } | Op::Dots)
        || follows && node.args.iter().all(|&v| is_number(block, defined, v))
}

fn join(block: &Block, i: usize, j: usize) -> Block {
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

/// How many communications follow one another, at most, up to each node and from it on.
struct Chains {
    before: Vec<usize>,
    after: Vec<usize>,
    longest: usize,
}

impl Chains {
    fn new(block: &Block) -> Self {
        let count = block.nodes.len();
        let defined = block.definitions();
        let own = |n: usize| usize::from(block.nodes[n].op.communicates());
        let makers = |n: usize| block.nodes[n].args.iter().map(|a| defined[a.index()]);
        let mut before = vec![0; count];
        for n in 0..count {
            before[n] = own(n) + makers(n).map(|m| before[m]).max().unwrap_or(0);
        }
        let mut after = vec![0; count];
        for n in (0..count).rev() {
            after[n] += own(n);
            for m in makers(n) {
                after[m] = after[m].max(after[n]);
            }
        }
        Chains { longest: before.iter().copied().max().unwrap_or(0), before, after }
    }

    /// Whether the longest chain stays as it is if two communications become one.
    fn can_join(&self, i: usize, j: usize) -> bool {
        let before = self.before[i].max(self.before[j]);
        let after = self.after[i].max(self.after[j]);
        before + after - 1 <= self.longest
    }
}
