//! How long communications are in flight: from their node to the first that cannot do without.
//!
//! A communication starts at its place among the nodes, and is waited for before the first node
//! that uses what arrives, or that would write what still leaves or touch what still arrives.
//! Only the order of the nodes and their buffers decide, which all ranks share: so all ranks start
//! and wait in one order.
//! What only numbers could hide is waited for at once.

use crate::interior::{Division, division};
use crate::ir::{Block, Node, Op, Plan, Region, SplitHalo, Value};
use crate::machine::Machine;
use std::ops::Range;

/// For each node that communicates, the node before which it is waited for: a number above its
/// own, that of a region's first node if the region is what cannot wait, or the number of nodes.
pub fn waits(block: &Block) -> Vec<Option<usize>> {
    (0..block.nodes.len())
        .map(|n| block.nodes[n].op.communicates().then(|| wait(block, n)))
        .collect()
}

/// The node before which a communication is waited for.
fn wait(block: &Block, start: usize) -> usize {
    if let Some(split) = block.splits.iter().find(|s| s.first as usize == start) {
        return split.nodes().end;
    }
    let later = start + 1..block.nodes.len();
    let node = &block.nodes[start];
    let end = later.clone().find(|&m| needs(block, node, &block.nodes[m]));
    let end = end.map_or(block.nodes.len(), |m| whole(block, m).start);
    let hides = block.nodes[start + 1..end].iter().any(|m| is_work(block, m));
    if hides { end } else { start + 1 }
}

/// The nodes that run together with a node: those of its split halo or its region, or itself alone.
pub(crate) fn whole(block: &Block, n: usize) -> Range<usize> {
    let splits = block.splits.iter().map(SplitHalo::nodes);
    let mut all = splits.chain(block.regions.iter().map(Region::nodes));
    all.find(|nodes| nodes.contains(&n)).unwrap_or(n..n + 1)
}

/// Whether a node cannot run while a communication is on.
fn needs(block: &Block, flying: &Node, node: &Node) -> bool {
    if node.args.iter().any(|v| flying.results.contains(v)) {
        return true;
    }
    let Some(buffers) = &block.buffers else { return false };
    // Inputs are loaded before the block begins, and a state is where it is.
    if matches!(node.op, Op::Input(_)) {
        return false;
    }
    let of = |values: &[Value]| values.iter().map(|v| buffers[v.index()]).collect::<Vec<_>>();
    let (leaves, arrives) = (of(&flying.args), of(&flying.results));
    let (reads, writes) = (of(&node.args), of(&node.results));
    reads.iter().chain(&writes).any(|b| arrives.contains(b))
        || writes.iter().any(|b| leaves.contains(b))
}

/// Whether a node does something with vectors on its rank.
fn is_work(block: &Block, node: &Node) -> bool {
    let vector = |v: &Value| !block.ty(*v).dims.is_empty();
    let moves = !matches!(node.op, Op::Input(_) | Op::Get(_) | Op::Slot(_));
    moves && !node.op.communicates() && node.args.iter().chain(&node.results).any(vector)
}

/// How much of a block's communication its work hides: what all nodes take one after the other,
/// less what they take if communications are on one after the other beside the work, as far as the
/// machine lets them.
pub fn hidden(
    plan: &Plan,
    block: &Block,
    machine: &Machine,
    seconds: impl Fn(usize) -> f64,
) -> f64 {
    let mut clocks = Clocks::default();
    let mut alone = 0.0;
    let splits: Vec<_> = block.splits.iter().map(SplitHalo::nodes).collect();
    for (n, until) in waits(block).into_iter().enumerate() {
        let took = seconds(n);
        alone += took;
        if splits.iter().any(|nodes| nodes.contains(&n) && nodes.start != n) {
            continue;
        }
        clocks.land(machine, n);
        match until {
            Some(until) => clocks.start(until, took),
            None => clocks.work += took,
        }
        if let Some(split) = block.splits.iter().find(|s| s.first as usize == n) {
            clocks.beside(plan, block, machine, *split, &seconds);
        }
    }
    clocks.land(machine, block.nodes.len());
    // Sums in another order differ in their last digits.
    Some(alone - clocks.work).filter(|hidden| *hidden > 1e-12 * alone).unwrap_or(0.0)
}

/// The clocks of a rank's work and of its connection.
#[derive(Default)]
struct Clocks {
    work: f64,
    wire: f64,
    /// When the last that was waited for was over.
    over: f64,
    /// What is on: the node before which it is waited for, its beginning and its end.
    flying: Vec<(usize, f64, f64)>,
}

impl Clocks {
    fn start(&mut self, until: usize, seconds: f64) {
        let begin = self.wire.max(self.work);
        self.wire = begin + seconds;
        self.flying.push((until, begin, self.wire));
    }

    /// The nodes of a split halo that has started: interiors, the wait, and rims.
    fn beside(
        &mut self,
        plan: &Plan,
        block: &Block,
        machine: &Machine,
        split: SplitHalo,
        seconds: &impl Fn(usize) -> f64,
    ) {
        let nodes = split.nodes();
        let Division { inside, copied, calls } = division(plan, block, split);
        let parts = || (nodes.start + 1..).zip(&inside).map(|(n, share)| (seconds(n), share));
        self.work += parts().map(|(took, share)| took * share).sum::<f64>();
        self.work += machine.pass(copied) + machine.begin() * calls as f64;
        self.land(machine, nodes.end);
        self.work += parts().map(|(took, share)| took * (1.0 - share)).sum::<f64>();
    }

    /// Waits for what a node needs, and so for all before it: one goes after the other.
    fn land(&mut self, machine: &Machine, node: usize) {
        let due = self.flying.iter().rposition(|(until, ..)| *until == node);
        for (_, begin, end) in self.flying.drain(..due.map_or(0, |last| last + 1)) {
            let late = (self.over - begin).max(0.0);
            let landed = machine.landing((begin + late, end + late), self.work);
            self.over = if landed > self.work { landed } else { end + late };
            self.work = landed;
            self.wire = self.wire.max(self.over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;

    const PLAN: &str = "mesh p=2 (2 ranks)
        let A = (i) <- (j) : f64[8, 8/p]
        let B = (i) <- (j) : f64[8, 8]
        slot a : f64
        %0 = input x : f64[8/p]
        %1 = input y : f64[8]
        %2 = apply A %0 : f64[8] +p
        %3 = all_reduce p %2 : f64[8]
        %4 = slot a : f64[]
        %5 = apply B %1 : f64[8]
        %6 = dot %0 %0 : f64[] +p
        %7 = all_reduce p %6 : f64[]
        %8 = mul %7 %4 : f64[]
        %9 = axpy %4 %5 %3 : f64[8]
        return %9 %8";

    #[test]
    fn the_first_use_ends_a_flight() {
        let block = &read(PLAN).blocks[0];
        let flights: Vec<_> = waits(block).into_iter().enumerate().collect();
        let flights = flights.iter().filter_map(|(n, until)| Some((*n, (*until)?)));
        assert_eq!(flights.collect::<Vec<_>>(), [(3, 9), (7, 8)]);
    }

    #[test]
    fn numbers_hide_nothing() {
        let plan = PLAN.replace("%5 = apply B %1 : f64[8]", "%5 = add %3 %1 : f64[8]");
        let block = &read(&plan).blocks[0];
        assert_eq!((waits(block)[3], waits(block)[7]), (Some(4), Some(8)));
    }

    #[test]
    fn a_buffer_that_is_needed_ends_a_flight() {
        let mut plan = read(PLAN);
        let block = &mut plan.blocks[0];
        block.buffers = Some((0..10).collect());
        assert_eq!(waits(block)[3], Some(9));
        // The vector is made where the sum still leaves from.
        block.buffers = Some(vec![0, 1, 2, 3, 4, 5, 2, 7, 8, 9]);
        assert_eq!(waits(block)[3], Some(6));
        block.buffers = Some(vec![0, 1, 2, 3, 4, 5, 3, 7, 8, 9]);
        assert_eq!(waits(block)[3], Some(6));
        // Reading what leaves does no harm, and writing what is read elsewhere does not either.
        block.buffers = Some(vec![0, 2, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(waits(block)[3], Some(9));
    }

    #[test]
    fn work_hides_what_it_is_beside() {
        let plan = read(PLAN);
        let block = &plan.blocks[0];
        let seconds = |wire: f64| {
            move |n: usize| match n {
                3 => wire,
                5 => 3.0,
                6 => 1.0,
                7 => 0.5,
                _ => 0.0,
            }
        };
        let machine = Machine::default().with_overlap(1.0);
        assert_eq!(hidden(&plan, block, &machine, seconds(2.0)), 2.0);
        // The second reduction comes after the first, and is waited for before it.
        assert_eq!(hidden(&plan, block, &machine, seconds(10.0)), 4.0);
        // Half of what is beside work counts, or nothing.
        assert_eq!(hidden(&plan, block, &machine.clone().with_overlap(0.5), seconds(10.0)), 2.0);
        assert_eq!(hidden(&plan, block, &machine.with_overlap(0.0), seconds(10.0)), 0.0);
    }
}
