//! The calls of each rank with what they take, and nothing else.

use crate::calls::{Call, Calls, Kind, Packet, Transfer};
use crate::cost::{NodeCost, Whose, nodes};
use crate::ir::{Block, Op, Plan};
use crate::lower::lower_with_nodes;
use crate::machine::Machine;
use std::ops::Range;

/// One call.
pub(super) struct Step {
    pub nodes: Range<usize>,
    pub act: Act,
}

/// What a rank does.
pub(super) enum Act {
    Work(f64),
    /// Begins a collective of a group, which is known by its first member.
    Join {
        tag: u32,
        first: usize,
        members: usize,
        seconds: f64,
    },
    /// Begins to send messages, each to a rank, and expects so many.
    Send {
        tag: u32,
        messages: Vec<(usize, f64)>,
        expected: usize,
    },
    Wait(u32),
}

/// The script of each rank for one block.
pub(super) fn all(plan: &Plan, machine: &Machine, block: usize) -> Vec<Vec<Step>> {
    let shared = nodes(plan, &plan.blocks[block], machine, Whose::Largest);
    let of = |rank| Writer { plan, machine, block: &plan.blocks[block], shared: &shared, rank };
    (0..plan.mesh.ranks()).map(|rank| of(rank).script(block)).collect()
}

struct Writer<'a> {
    plan: &'a Plan,
    machine: &'a Machine,
    block: &'a Block,
    /// What nodes cost where that is the same for all.
    shared: &'a [NodeCost],
    rank: usize,
}

impl Writer<'_> {
    fn script(&self, block: usize) -> Vec<Step> {
        let (calls, sources) = lower_with_nodes(self.plan, self.rank);
        let at = self.plan.mesh.coordinates(self.rank);
        let mine = nodes(self.plan, self.block, self.machine, Whose::At(&at));
        let mut paid = 0;
        let list = calls.blocks[block].calls.iter().enumerate();
        list.map(|(k, call)| {
            let nodes = sources[block].get(k).cloned().unwrap_or(0..0);
            let due = super::due(&sources[block], k, &mut paid);
            let act = self.act(&calls, call, &nodes, &mine[due]);
            Step { nodes, act }
        })
        .collect()
    }

    fn act(&self, calls: &Calls, call: &Call, nodes: &Range<usize>, due: &[NodeCost]) -> Act {
        match call {
            Call::Kernel(_) | Call::Local { .. } | Call::Region { .. } => {
                Act::Work(due.iter().map(|node| node.seconds).sum())
            }
            Call::Copy { .. } => {
                let known: f64 = due.iter().map(|node| node.seconds).sum();
                Act::Work(if known > 0.0 { known } else { self.copy(calls, call, nodes) })
            }
            Call::Start { transfer, .. } => self.start(calls, transfer, nodes),
            Call::Wait { id } => Act::Wait(*id),
        }
    }

    /// Copies that nodes do not account for: to and from the state.
    /// What a transfer copies to the rank itself is part of the transfer.
    fn copy(&self, calls: &Calls, call: &Call, nodes: &Range<usize>) -> f64 {
        let Call::Copy { moves, .. } = call else { return 0.0 };
        if self.block.nodes[nodes.clone()].iter().any(|node| node.op.communicates()) {
            return 0.0;
        }
        let size = |packet: &crate::calls::Slab| bytes_of(calls, std::slice::from_ref(packet));
        let moved: f64 = moves.iter().map(|(from, to)| size(from) + size(to)).sum();
        self.machine.pass(moved)
    }

    fn start(&self, calls: &Calls, transfer: &Transfer, nodes: &Range<usize>) -> Act {
        let group = &calls.groups[transfer.group];
        let tag = transfer.tag;
        if transfer.kind == Kind::Exchange {
            let message = |p: &Packet| (group[p.peer], bytes_of(calls, &p.slabs));
            let messages = transfer.sends.iter().map(message).collect();
            return Act::Send { tag, messages, expected: transfer.recvs.len() };
        }
        let node = nodes.start;
        let seconds = match &self.block.nodes[node].op {
            // A pair of value and index from each rank.
            Op::Reduce(_) => {
                let axes: Vec<_> = (0..self.plan.mesh.axes.len()).collect();
                let link = self.machine.link(&self.plan.mesh, &axes);
                link.half_reduce(group.len(), 16.0 * group.len() as f64)
            }
            _ => self.shared[node].seconds,
        };
        Act::Join { tag, first: group[0], members: group.len(), seconds }
    }
}

/// The bytes of some boxes.
pub(super) fn bytes_of(calls: &Calls, slabs: &[crate::calls::Slab]) -> f64 {
    slabs.iter().map(|s| (s.len() * calls.buffers[s.buffer].dtype.size()) as f64).sum()
}
