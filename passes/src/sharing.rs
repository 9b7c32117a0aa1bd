//! Sharing: independent reductions, or halos, become one call, as far as a pass wants it.
//!
//! Two calls of one kind can be one if they connect the same ranks and neither needs the other's
//! result; and sums of numbers can go with the pieces of a vector that is scattered or gathered over
//! the same ranks.
//! Their precisions may differ: a message has parts of both, and each part is summed in its own.
//! Only ghosts that are added share a call with their like.
//! The shared call waits for the operands of both, and what follows either waits for it; so they
//! share only where the longest chain of communications stays as long as it was, and with one
//! call less nothing has been delayed by more than was saved.

use crate::ir::{Block, Node, Op, Plan, Value};
use crate::machine::{Machine, bytes};
use crate::mesh::{Axis, Mesh};
use crate::pipeline::{dependences, reordered};
use petgraph::algo::has_path_connecting;
use petgraph::graph::NodeIndex;

/// The plan after all pairs of reductions share a call that can, and that `wanted` picks.
pub(crate) fn shared(plan: &Plan, wanted: impl Fn(&Block, &Node, &Node) -> bool) -> Plan {
    shared_calls(plan, |op| matches!(op, Op::AllReduce(_)), wanted)
}

/// The plan after all pairs of calls of a kind are one that can be, and that `wanted` picks.
pub(crate) fn shared_calls(
    plan: &Plan,
    kind: impl Fn(&Op) -> bool,
    wanted: impl Fn(&Block, &Node, &Node) -> bool,
) -> Plan {
    let alike = |block: &Block, a: &Node, b: &Node| {
        a.op != Op::HaloSum || is_double(block, a) == is_double(block, b)
    };
    let same = |block: &Block, a: &Node, b: &Node| {
        a.op == b.op && alike(block, a, b) && wanted(block, a, b)
    };
    repeated(plan, |block| pair(block, &kind, same).map(|(i, j)| join(block, i, j)))
}

/// Whether a call that takes another one's operands along is quicker than the two, on this machine.
pub(crate) fn quicker(
    machine: &Machine,
    mesh: &Mesh,
    block: &Block,
    (call, other): (&Node, &Node),
) -> bool {
    together(machine, mesh, block, &[call, other])
        < together(machine, mesh, block, &[call]) + together(machine, mesh, block, &[other])
}

/// The seconds of a call that has the operands of all of these.
pub(crate) fn together(machine: &Machine, mesh: &Mesh, block: &Block, calls: &[&Node]) -> f64 {
    let types = |side: fn(&Node) -> &[Value]| {
        calls.iter().flat_map(|c| side(c)).map(|&v| block.ty(v).clone()).collect::<Vec<_>>()
    };
    let (args, results) = (types(|call| &call.args), types(|call| &call.results));
    machine.communication(&calls[0].op, mesh, &args, &results)
}

/// The first pair of a call that can carry the sums of a reduction over the same axes, and that
/// reduction: neither needs the other's result nor would delay anything, and `wanted` picks them.
pub(crate) fn carrier(
    block: &Block,
    wanted: impl Fn(&Node, &Node) -> bool,
) -> Option<(usize, usize)> {
    let over = |a: &Node, b: &Node| match (carries(&a.op), &b.op) {
        (Some(axes), Op::AllReduce(summed)) => axes == summed,
        _ => false,
    };
    let takes = |a: &Node, b: &Node| over(a, b) && wanted(a, b);
    let calls = |op: &Op| carries(op).is_some() || matches!(op, Op::AllReduce(_));
    let (i, j) = pair(block, calls, |_, a, b| takes(a, b) || takes(b, a))?;
    Some(if carries(&block.nodes[i].op).is_some() { (i, j) } else { (j, i) })
}

/// The axes of a call on whose vector sums can ride.
fn carries(op: &Op) -> Option<&[Axis]> {
    match op {
        Op::ReduceScatter(axes) | Op::AllGather(axes) => Some(axes),
        _ => None,
    }
}

fn pair(
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
        chains.can_join(i, j)
            && wanted(block, a, b)
            && !has_path_connecting(&graph, NodeIndex::new(i), NodeIndex::new(j), None)
    })
}

/// Whether a call carries double precision.
fn is_double(block: &Block, call: &Node) -> bool {
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

/// The block after a call takes another one's operands along.
pub(crate) fn join(block: &Block, call: usize, other: usize) -> Block {
    let mut nodes = block.nodes.clone();
    let (first, second) = (&block.nodes[call], &block.nodes[other]);
    nodes[call.max(other)] = Node {
        op: first.op.clone(),
        args: [&first.args[..], &second.args].concat(),
        results: [&first.results[..], &second.results].concat(),
    };
    nodes.remove(call.min(other));
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
