//! How long values are needed, and until when they may be overwritten.

use crate::flight::waits;
use crate::ir::{Applied, Block, Op, Over, Region, SplitHalo};

/// The last node of values that leave a block.
const END: usize = usize::MAX;

/// The lives of a block's values.
pub(super) struct Lives {
    /// The node that defines each value.
    pub defined: Vec<usize>,
    /// The last node before whose end a value's buffer is not free.
    pub last: Vec<usize>,
    /// The last node that may write where the value stands; none if that must not happen.
    pub over: Vec<Option<usize>>,
    /// Each communication, and the node before which it is waited for.
    pub flights: Vec<(usize, usize)>,
}

impl Lives {
    pub fn of(block: &Block) -> Lives {
        let flights = flights(block);
        let (last, over) = (held_until(block, &flights), overwritten_by(block, &flights));
        Lives { defined: block.definitions(), last, over, flights }
    }
}

fn last_uses(block: &Block) -> Vec<usize> {
    let mut last = block.definitions();
    for (n, node) in block.nodes.iter().enumerate() {
        node.args.iter().for_each(|a| last[a.index()] = n);
    }
    block.returns.iter().for_each(|r| last[r.value.index()] = END);
    last
}

/// The last uses: those in a region or beside a halo at its end, and what leaves when it has left.
fn held_until(block: &Block, flights: &[(usize, usize)]) -> Vec<usize> {
    let mut last = last_uses(block);
    for &(n, until) in flights {
        for v in &block.nodes[n].args {
            last[v.index()] = last[v.index()].max(until - 1);
        }
    }
    let regions = block.regions.iter().map(Region::nodes);
    for nodes in regions.chain(block.splits.iter().map(SplitHalo::nodes)) {
        last.iter_mut().filter(|n| nodes.contains(*n)).for_each(|n| *n = nodes.end - 1);
    }
    last
}

/// Each communication, and the node before which it is waited for, wherever values will lie.
fn flights(block: &Block) -> Vec<(usize, usize)> {
    let waits = waits(&Block { buffers: None, ..block.clone() });
    waits.into_iter().enumerate().filter_map(|(n, until)| Some((n, until?))).collect()
}

/// The last uses, but for values of which a region needs more than the rows of a panel, for those
/// that rims read later, and for those that leave meanwhile.
fn overwritten_by(block: &Block, flights: &[(usize, usize)]) -> Vec<Option<usize>> {
    let mut over: Vec<_> = last_uses(block).into_iter().map(Some).collect();
    for &(n, until) in flights {
        for v in &block.nodes[n].args {
            let over = &mut over[v.index()];
            *over = over.filter(|last| !(n + 1..until).contains(last));
        }
    }
    for node in block.splits.iter().flat_map(|s| &block.nodes[s.nodes()]) {
        node.args.iter().for_each(|a| over[a.index()] = None);
    }
    let panels = block.regions.iter().filter(|r| r.over != Over::Elements);
    for node in panels.flat_map(|r| &block.nodes[r.nodes()]) {
        if matches!(node.op, Op::Apply(Applied::Leaf(_)) | Op::Dot { .. }) {
            node.args.iter().for_each(|a| over[a.index()] = None);
        }
    }
    over
}
