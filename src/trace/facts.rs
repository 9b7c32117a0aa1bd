//! The kinds of spans of a program: what its calls are called, and what they should take.

use super::recorder::{Entry, Kind};
use adjoin_passes::calls::{Call, Calls, Kernel, Kind as Way, Transfer};
use adjoin_passes::ir::{Over, Plan};
use adjoin_passes::simulate::Expected;
use adjoin_passes::text::operation;
use std::ops::Range;

/// The kinds of spans of a block: the block itself, its calls, and the numbers for the driver.
pub(crate) struct Facts {
    pub block: Entry,
    pub calls: Vec<Entry>,
    pub controls: Entry,
}

/// The facts of each block of one rank's calls; `nodes` are those that they came from.
pub(crate) fn facts(
    plan: &Plan,
    calls: &Calls,
    nodes: &[Vec<Range<usize>>],
    expected: Option<&[Vec<Expected>]>,
) -> Vec<Facts> {
    let of_block = |b: usize| {
        let block = &calls.blocks[b];
        let writer = Writer { plan, block: b, nodes: nodes.get(b).map_or(&[], Vec::as_slice) };
        let list = block.calls.iter().enumerate();
        let mut made: Vec<_> = list.map(|(k, call)| writer.entry(&block.calls, k, call)).collect();
        let foreseen = expected.and_then(|blocks| blocks.get(b));
        for (entry, call) in made.iter_mut().zip(foreseen.into_iter().flatten()) {
            entry.seconds = Some(call.seconds);
            (entry.bytes, entry.flops) = (call.bytes, call.flops);
        }
        let name = if block.name.is_empty() { "apply" } else { &block.name };
        let mut whole = entry(name.to_owned(), Kind::Block);
        whole.seconds = foreseen.map(|calls| calls.iter().map(|call| call.seconds).sum());
        let controls = entry("control numbers".into(), Kind::Local);
        join_waits(&block.calls, &mut made);
        Facts { block: whole, calls: made, controls }
    };
    (0..calls.blocks.len()).map(of_block).collect()
}

/// A communication that is waited for at once is one span; else its bytes belong to the wait.
fn join_waits(calls: &[Call], entries: &mut [Entry]) {
    for start in 0..calls.len() {
        let Call::Start { id, .. } = &calls[start] else { continue };
        let wait = (start..calls.len()).find(|&k| calls[k] == Call::Wait { id: *id });
        let Some(wait) = wait else { continue };
        let name = entries[start].name.clone();
        let bytes = std::mem::take(&mut entries[start].bytes);
        if wait == start + 1 {
            let seconds = entries[wait].seconds;
            entries[start].seconds = entries[start].seconds.zip(seconds).map(|(a, b)| a + b);
            entries[start].bytes = bytes;
        } else {
            entries[start].name = format!("start {name}");
            let makes = entries[start].makes.clone();
            (entries[wait].name, entries[wait].makes) = (format!("wait {name}"), makes);
            entries[wait].bytes = bytes;
        }
    }
}

fn entry(name: String, kind: Kind) -> Entry {
    Entry { name, kind, makes: String::new(), seconds: None, bytes: 0.0, flops: 0.0 }
}

/// Names the calls of one block.
struct Writer<'a> {
    plan: &'a Plan,
    block: usize,
    nodes: &'a [Range<usize>],
}

impl Writer<'_> {
    fn entry(&self, calls: &[Call], k: usize, call: &Call) -> Entry {
        let nodes = self.nodes.get(k).cloned().unwrap_or(0..0);
        let name = match call {
            Call::Start { transfer, .. } => self.transfer(&nodes, transfer),
            Call::Wait { .. } => String::new(),
            Call::Kernel { .. } | Call::Local { .. } | Call::Region { .. } | Call::Copy { .. } => {
                self.local(&nodes, call)
            }
        };
        debug_assert_eq!(calls.get(k), Some(call));
        let wire = matches!(call, Call::Start { .. } | Call::Wait { .. });
        let mut entry = entry(name, if wire { Kind::Wire } else { Kind::Local });
        entry.makes = self.values(nodes);
        entry
    }

    fn values(&self, nodes: Range<usize>) -> String {
        let nodes = self.plan.blocks[self.block].nodes.get(nodes).unwrap_or_default();
        let values = nodes.iter().flat_map(|node| &node.results);
        values.map(|value| format!("%{}", value.0)).collect::<Vec<_>>().join(" ")
    }

    fn first(&self, nodes: &Range<usize>) -> Option<String> {
        let node = self.plan.blocks[self.block].nodes.get(nodes.start)?;
        (!nodes.is_empty()).then(|| operation(self.plan, &node.op))
    }

    fn transfer(&self, nodes: &Range<usize>, transfer: &Transfer) -> String {
        let way = match transfer.kind {
            Way::AllReduce => "all_reduce",
            Way::ReduceScatter => "reduce_scatter",
            Way::AllGather => "all_gather",
            Way::AllToAll => "all_to_all",
            Way::Exchange => "exchange",
        };
        self.first(nodes).unwrap_or_else(|| way.to_owned())
    }

    fn local(&self, nodes: &Range<usize>, call: &Call) -> String {
        match call {
            Call::Kernel(Kernel { leaf, adjoint, .. }) => {
                format!("apply {}{}", self.plan[*leaf].name, if *adjoint { ".H" } else { "" })
            }
            Call::Local { op, .. } => operation(self.plan, op),
            Call::Region { over: Over::Panels(leaf), .. } => {
                format!("panels of {}", self.plan[*leaf].name)
            }
            Call::Region { over: Over::Normal(leaf), .. } => {
                format!("apply {0}.H {0}", self.plan[*leaf].name)
            }
            Call::Region { over: Over::Elements, calls } => {
                let names: Vec<_> = calls.iter().map(|inner| self.local(&(0..0), inner)).collect();
                names.join(", ")
            }
            Call::Copy { .. } => {
                let of = self.first(nodes).map(|name| format!("copy for {name}"));
                of.unwrap_or_else(|| "copy to the state".into())
            }
            Call::Start { .. } | Call::Wait { .. } => String::new(),
        }
    }
}
