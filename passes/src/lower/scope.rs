//! One block while it is lowered: its calls, the nodes that they came from, and what is in flight.

use crate::calls::{Call, CallBlock};
use crate::ir::{Block, Over, Region};
use std::ops::Range;

/// One block while it is lowered: the buffer of each value.
pub(super) struct Scope<'a> {
    pub block: &'a Block,
    pub buffers: Vec<usize>,
    pub out: CallBlock,
    /// The node that each call came from, or the nodes of its region.
    pub nodes: Vec<Range<usize>>,
    flying: Vec<Flight>,
}

/// A communication that has started.
struct Flight {
    node: usize,
    /// The node before which it is waited for.
    until: usize,
    /// The wait, and what has to follow it.
    landing: Vec<Call>,
}

impl<'a> Scope<'a> {
    pub fn new(block: &'a Block, buffers: Vec<usize>, out: CallBlock) -> Self {
        Scope { block, buffers, out, nodes: Vec::new(), flying: Vec::new() }
    }

    /// The last calls came from these nodes.
    pub fn came_from(&mut self, nodes: Range<usize>) {
        self.nodes.resize(self.out.calls.len(), nodes);
    }

    /// Of a communication's calls, those from its wait on come later.
    pub fn fly(&mut self, begin: usize, node: usize, until: usize) {
        let wait = |call: &Call| matches!(call, Call::Wait { .. });
        let calls = &mut self.out.calls;
        if let Some(at) = calls[begin..].iter().position(wait) {
            let landing = calls.split_off(begin + at);
            self.flying.push(Flight { node, until, landing });
        }
    }

    /// Calls of a node in a region.
    pub fn join(&mut self, calls: Vec<Call>, region: &Region, node: usize) {
        if node == region.first as usize {
            self.out.calls.push(Call::Region { over: region.over, calls });
        } else if let Some(Call::Region { calls: known, .. }) = self.out.calls.last_mut() {
            known.extend(calls);
            self.nodes.iter_mut().last().into_iter().for_each(|made| made.end = node + 1);
        }
    }

    /// The calls from `begin` on run together, if they are over something.
    pub fn together(&mut self, begin: usize, over: Option<Over>) {
        if let Some(over) = over {
            let calls = self.out.calls.split_off(begin);
            self.out.calls.push(Call::Region { over, calls });
        }
    }

    /// Waits for all that a node cannot do without, in the order in which it has started.
    pub fn land(&mut self, node: usize) {
        let due: Vec<_> = self.flying.extract_if(.., |flight| flight.until <= node).collect();
        for Flight { node, landing, .. } in due {
            self.out.calls.extend(landing);
            self.came_from(node..node + 1);
        }
    }
}
