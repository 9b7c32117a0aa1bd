//! Starts communications early and needs them late, so that work runs beside them.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[100000, 16/p]
//! let B = (i) <- (j)              : f64[100000, 16]
//! %0 = input x                    : f64[16/p]
//! %1 = input y                    : f64[16]
//! %2 = apply B %1                 : f64[100000]
//! %3 = apply A %0                 : f64[100000] +p
//! %4 = all_reduce p %3            : f64[100000]
//! %5 = neg %4                     : f64[100000]
//! %6 = add %5 %2                  : f64[100000]
//! return %6
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[100000, 16/p]
//! let B = (i) <- (j)              : f64[100000, 16]
//! %0 = input x                    : f64[16/p]
//! %1 = input y                    : f64[16]
//! %2 = apply A %0                 : f64[100000] +p
//! %3 = all_reduce p %2            : f64[100000]
//! %4 = apply B %1                 : f64[100000]
//! %5 = neg %3                     : f64[100000]
//! %6 = add %5 %4                  : f64[100000]
//! return %6
//! comm 1 call, 800000 B per rank
//! ```
//! A communication starts at its place and is waited for before its first use (`flight.rs`), so
//! that the order of the nodes is all that there is to decide.
//! Nodes and regions are listed one after the other: what may run without waiting before what may
//! not, communications before work, and what more communication follows from before the rest.
//! The list replaces the order that was there if it takes clearly less time on the machine, which
//! has to say how much of a communication passes beside work; the plans above are for one where
//! all of it does.
//! Numerics class: E.

use crate::cost::{Whose, nodes};
use crate::error::PlanError;
use crate::flight::{hidden, whole};
use crate::ir::{Block, Op, Plan, Region};
use crate::machine::Machine;
use crate::pipeline::{Context, Numerics, Pass};
use std::ops::Range;

/// The share of a block's time from which on another order pays: less is within what the model of
/// a machine does not know.
const LEAST: f64 = 0.05;

/// How often a list is made of the one before.
const ROUNDS: usize = 8;

/// The pass.
pub struct StartEarly;

impl Pass for StartEarly {
    fn name(&self) -> &'static str {
        "start-early"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for block in &mut out.blocks {
            for _ in 0..ROUNDS {
                let Some(better) = better(plan, block, &cx.machine) else { break };
                *block = better;
            }
        }
        Ok(out)
    }
}

/// The block in another order that takes clearly less time; none if there is none.
fn better(plan: &Plan, block: &Block, machine: &Machine) -> Option<Block> {
    if machine.overlap <= 0.0 || !block.nodes.iter().any(|node| node.op.communicates()) {
        return None;
    }
    let seconds = |block: &Block| -> Vec<f64> {
        nodes(plan, block, machine, Whose::Largest).iter().map(|node| node.seconds).collect()
    };
    let total = |block: &Block, seconds: &[f64]| {
        seconds.iter().sum::<f64>() - hidden(plan, block, machine, |n| seconds[n])
    };
    let known = seconds(block);
    let listed = listed(block, &known);
    let (before, after) = (total(block, &known), total(&listed, &seconds(&listed)));
    (after < before * (1.0 - LEAST)).then_some(listed)
}

/// What runs as one: a node, or a region.
struct Unit {
    nodes: Range<usize>,
    seconds: f64,
    wire: bool,
    /// The units that it needs.
    needs: Vec<usize>,
    /// Seconds of communication that follow from it one after the other.
    tail: f64,
}

/// The block with its units in the order of the list.
fn listed(block: &Block, seconds: &[f64]) -> Block {
    let units = units(block, seconds);
    let mut out =
        Block { nodes: Vec::new(), regions: Vec::new(), splits: Vec::new(), ..block.clone() };
    for unit in list(block, &units) {
        let nodes = units[unit].nodes.clone();
        let first = out.nodes.len() as u32;
        out.nodes.extend_from_slice(&block.nodes[nodes.clone()]);
        let own = block.regions.iter().find(|r| r.nodes() == nodes);
        out.regions.extend(own.map(|r| Region { first, last: first + r.last - r.first, ..*r }));
    }
    out
}

fn units(block: &Block, seconds: &[f64]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut of = vec![0; block.nodes.len()];
    let defined = block.definitions();
    let mut n = 0;
    while n < block.nodes.len() {
        let nodes = whole(block, n);
        of[nodes.clone()].fill(units.len());
        let args = block.nodes[nodes.clone()].iter().flat_map(|node| &node.args);
        let makers = args.map(|v| of[defined[v.index()]]);
        let mut needs: Vec<_> = makers.filter(|&unit| unit != units.len()).collect();
        needs.sort_unstable();
        needs.dedup();
        let wire = block.nodes[n].op.communicates();
        let seconds = seconds[nodes.clone()].iter().sum();
        n = nodes.end;
        units.push(Unit { nodes, seconds, wire, needs, tail: 0.0 });
    }
    for u in (0..units.len()).rev() {
        let tail = units[u].tail + if units[u].wire { units[u].seconds } else { 0.0 };
        for need in units[u].needs.clone() {
            units[need].tail = units[need].tail.max(tail);
        }
    }
    units
}

/// The units one after the other, on a clock for work and one for communication.
fn list(block: &Block, units: &[Unit]) -> Vec<usize> {
    let mut order = Vec::with_capacity(units.len());
    let mut arrived: Vec<Option<f64>> = vec![None; units.len()];
    let (mut clock, mut wire) = (0.0_f64, 0.0_f64);
    while order.len() < units.len() {
        let ready = |u: usize| -> Option<f64> {
            units[u]
                .needs
                .iter()
                .try_fold(0.0, |latest: f64, &need| Some(latest.max(arrived[need]?)))
        };
        let open = (0..units.len()).filter(|&u| arrived[u].is_none());
        let key = |u: usize, at: f64| {
            let unit = &units[u];
            let late = (at - clock).max(0.0);
            (late, !is_given(block, unit), !unit.wire, -unit.tail)
        };
        let open = open.filter_map(|u| Some((key(u, ready(u)?), u)));
        let first = open.min_by(|(a, i), (b, j)| {
            let rest = || (a.1, a.2).cmp(&(b.1, b.2)).then(a.3.total_cmp(&b.3)).then(i.cmp(j));
            a.0.total_cmp(&b.0).then_with(rest)
        });
        let Some(((late, ..), u)) = first else { break };
        clock += late;
        if units[u].wire {
            wire = wire.max(clock) + units[u].seconds;
            arrived[u] = Some(wire);
        } else {
            clock += units[u].seconds;
            // Whoever comes later finds it there.
            arrived[u] = Some(0.0);
        }
        order.push(u);
    }
    order
}

/// Whether a unit is there before anything runs.
fn is_given(block: &Block, unit: &Unit) -> bool {
    let op = &block.nodes[unit.nodes.start].op;
    matches!(op, Op::Input(_) | Op::Get(_) | Op::Slot(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after_beside, nodes, read, unchanged};
    use crate::pipeline::tidy;
    use insta::assert_snapshot;

    #[test]
    fn a_sum_is_on_beside_the_next_product() {
        let made = after_beside(
            &StartEarly,
            "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[100000, 16/p]
            let B = (i) <- (j) : f64[100000, 16/p]
            %0 = input x : f64[16/p]
            %1 = apply A %0 : f64[100000] +p
            %2 = apply B %0 : f64[100000] +p
            %3 = all_reduce p %1 : f64[100000]
            %4 = all_reduce p %2 : f64[100000]
            %5 = sub %3 %4 : f64[100000]
            return %5",
        );
        assert_snapshot!(nodes(&made), @"
        %0 = input x                    : f64[16/p]
        %1 = apply A %0                 : f64[100000] +p
        %2 = all_reduce p %1            : f64[100000]
        %3 = apply B %0                 : f64[100000] +p
        %4 = all_reduce p %3            : f64[100000]
        %5 = sub %2 %4                  : f64[100000]
        ");
    }

    #[test]
    fn a_region_moves_as_a_whole() {
        let made = after_beside(
            &StartEarly,
            "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[100000, 16/p]
            %0 = input x : f64[16/p]
            %1 = input y : f64[1000000/p]
            region
            %2 = neg %1 : f64[1000000/p]
            %3 = dot %2 %2 : f64[] +p
            end
            %4 = apply A %0 : f64[100000] +p
            %5 = all_reduce p %4 : f64[100000]
            %6 = all_reduce p %3 : f64[]
            return %2 %5 %6",
        );
        assert_snapshot!(nodes(&made), @"
        %0 = input x                    : f64[16/p]
        %1 = input y                    : f64[1000000/p]
        %2 = apply A %0                 : f64[100000] +p
        %3 = all_reduce p %2            : f64[100000]
        %4 = neg %1                     : f64[1000000/p]
        %5 = dot %4 %4                  : f64[] +p
        %6 = all_reduce p %5            : f64[]
        ");
        assert_eq!(made.blocks[0].regions[0].nodes(), 4..6);
    }

    #[test]
    fn where_communication_needs_attention_nothing_moves() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[100000, 16/p]
            %0 = input x : f64[16/p]
            %1 = apply A %0 : f64[100000] +p
            %2 = apply A %0 : f64[100000] +p
            %3 = all_reduce p %1 : f64[100000]
            %4 = all_reduce p %2 : f64[100000]
            return %3 %4";
        assert!(unchanged(&StartEarly, plan));
        assert_ne!(after_beside(&StartEarly, plan), tidy(&read(plan)));
    }

    #[test]
    fn what_gains_little_keeps_its_order() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[8, 8/p]
            let B = (i) <- (j) : f64[100000, 16]
            %0 = input x : f64[8/p]
            %1 = input y : f64[16]
            %2 = apply B %1 : f64[100000]
            %3 = apply A %0 : f64[8] +p
            %4 = all_reduce p %3 : f64[8]
            return %2 %4";
        assert_eq!(after_beside(&StartEarly, plan), tidy(&read(plan)));
    }

    #[test]
    fn what_cannot_be_hidden_keeps_its_order() {
        let plan = "mesh p=2 (2 ranks)
            let A = (i) <- (j) : f64[100000, 16/p]
            %0 = input x : f64[16/p]
            %1 = neg %0 : f64[16/p]
            %2 = apply A %1 : f64[100000] +p
            %3 = all_reduce p %2 : f64[100000]
            %4 = neg %3 : f64[100000]
            return %4";
        assert_eq!(after_beside(&StartEarly, plan), tidy(&read(plan)));
    }
}
