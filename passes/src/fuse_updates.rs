//! Gathers updates of vectors that are held alike into regions: one loop over memory for each.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let D = (i) <- (i) diagonal : f64[8/p]
//! slot a : f64
//! state x : f64[8/p]
//! state c : f64[8/p]
//! %0 = get x : f64[8/p]
//! %1 = get c : f64[8/p]
//! %2 = slot a : f64[]
//! %3 = axpy %2 %1 %0 : f64[8/p]
//! %4 = apply D %1 : f64[8/p]
//! %5 = dot %4 %4 : f64[] +p
//! %6 = all_reduce p %5 : f64[]
//! %7 = dot %3 %3 : f64[] +p
//! %8 = all_reduce p %7 : f64[]
//! set x %3
//! set c %4
//! return %6 %8
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let D = (i) <- (i) diagonal     : f64[8/p]
//! slot a                          : f64
//! state x                         : f64[8/p]
//! state c                         : f64[8/p]
//! %0 = get x                      : f64[8/p]
//! %1 = get c                      : f64[8/p]
//! %2 = slot a                     : f64[]
//! region
//! %3 = apply D %1                 : f64[8/p]
//! %4 = dot %3 %3                  : f64[] +p
//! end
//! %5 = all_reduce p %4            : f64[]
//! region
//! %6 = axpy %2 %1 %0              : f64[8/p]
//! %7 = dot %6 %6                  : f64[] +p
//! end
//! %8 = all_reduce p %7            : f64[]
//! set x %6
//! set c %3
//! return %5 %8
//! comm 2 calls, 16 B per rank
//! ```
//! Nodes that are neither updates nor arithmetic of numbers keep their order, and each is preceded
//! by what it needs of those.
//! An update that nothing needs yet waits for company: it joins the region of what needs it, or
//! comes along with a region whose elements it uses.
//! Numerics class: E, as sums over elements are made block by block in either case.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Over, Plan, Region};
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::Elements;
use std::collections::BTreeSet;

/// The pass.
pub struct FuseUpdates;

impl Pass for FuseUpdates {
    fn name(&self) -> &'static str {
        "fuse-updates"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for (block, made) in plan.blocks.iter().zip(&mut out.blocks) {
            if block.regions.iter().all(|region| region.over != Over::Elements)
                && let Some(fused) = fused(plan, block)
            {
                *made = fused;
            }
        }
        Ok(out)
    }
}

/// The block with its updates in regions; none if none of them has company.
fn fused(plan: &Plan, block: &Block) -> Option<Block> {
    let mut order = Order::new(plan, block);
    let mut n = 0;
    while n < block.nodes.len() {
        let whole = block.regions.iter().find(|r| r.nodes().contains(&n));
        let nodes = whole.map_or(n..n + 1, Region::nodes);
        if whole.is_some() || order.waits[n] == Waits::Not {
            order.demand(nodes.clone());
            let first = order.nodes.len() as u32;
            nodes.clone().for_each(|n| order.place(n));
            let moved = |r: &Region| Region { first, last: first + r.last - r.first, ..*r };
            order.regions.extend(whole.map(moved));
        }
        n = nodes.end;
    }
    order.demand(0..block.nodes.len());
    let Order { nodes, regions, .. } = order;
    let gathered = regions.iter().any(|region| region.over == Over::Elements);
    gathered.then(|| Block { nodes, regions, ..block.clone() })
}

/// The new order while it is made.
struct Order<'a> {
    plan: &'a Plan,
    block: &'a Block,
    /// The node that defines each value.
    defined: Vec<usize>,
    waits: Vec<Waits>,
    placed: Vec<bool>,
    nodes: Vec<Node>,
    regions: Vec<Region>,
}

/// Whether a node stays where it is among its kind, or waits until something needs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Not,
    /// It may be in a region.
    Elements,
    /// It makes numbers from numbers.
    Number,
}

impl<'a> Order<'a> {
    fn new(plan: &'a Plan, block: &'a Block) -> Self {
        let alone = |node: &Node| Elements::new(plan, block, node).join(node).is_ok();
        let mut waits: Vec<Waits> = block
            .nodes
            .iter()
            .map(|node| match node {
                node if alone(node) => Waits::Elements,
                node if is_number(block, node) => Waits::Number,
                _ => Waits::Not,
            })
            .collect();
        block.regions.iter().for_each(|region| waits[region.nodes()].fill(Waits::Not));
        Order {
            plan,
            block,
            defined: block.definitions(),
            waits,
            placed: vec![false; block.nodes.len()],
            nodes: Vec::with_capacity(block.nodes.len()),
            regions: Vec::new(),
        }
    }

    fn place(&mut self, n: usize) {
        self.placed[n] = true;
        self.nodes.push(self.block.nodes[n].clone());
    }

    /// Places all that waits and that these nodes need, themselves included.
    fn demand(&mut self, nodes: std::ops::Range<usize>) {
        let mut needed = BTreeSet::new();
        let mut open: Vec<usize> = nodes.collect();
        while let Some(n) = open.pop() {
            if !self.placed[n] && needed.insert(n) {
                open.extend(self.block.nodes[n].args.iter().map(|v| self.defined[v.index()]));
            }
        }
        needed.retain(|&n| self.waits[n] != Waits::Not);
        // Numbers come first: they may be what keeps updates apart.
        let number = |order: &Self, n: usize| order.waits[n] == Waits::Number && order.is_ready(n);
        while let Some(&first) = needed
            .iter()
            .find(|&&n| number(self, n))
            .or_else(|| needed.iter().find(|&&n| self.is_ready(n)))
        {
            match self.waits[first] {
                Waits::Elements => self.region(first, &needed),
                Waits::Number | Waits::Not => self.place(first),
            }
            needed.retain(|&n| !self.placed[n]);
        }
    }

    fn is_ready(&self, n: usize) -> bool {
        self.block.nodes[n].args.iter().all(|v| self.placed[self.defined[v.index()]])
    }

    /// Places a node with all that can share its loop: what is needed now, and what uses elements
    /// that the loop makes.
    fn region(&mut self, first: usize, needed: &BTreeSet<usize>) {
        let mut elements = Elements::new(self.plan, self.block, &self.block.nodes[first]);
        let mut members = Vec::new();
        for n in (first..self.block.nodes.len())
            .filter(|&n| self.waits[n] == Waits::Elements && !self.placed[n])
        {
            let node = &self.block.nodes[n];
            let wanted = needed.contains(&n) || node.args.iter().any(|&v| elements.makes(v));
            let there = |v| elements.makes(v) || self.placed[self.defined[v.index()]];
            if wanted && node.args.iter().all(|&v| there(v)) && elements.join(node).is_ok() {
                members.push(n);
            }
        }
        let begin = self.nodes.len() as u32;
        for &n in &members {
            self.place(n);
        }
        if members.len() > 1 {
            let last = begin + members.len() as u32 - 1;
            self.regions.push(Region { over: Over::Elements, first: begin, last });
        }
    }
}

/// Whether a node computes numbers from numbers on the rank itself.
fn is_number(block: &Block, node: &Node) -> bool {
    let number = |v: &crate::ir::Value| block.ty(*v).dims.is_empty();
    let local = matches!(
        node.op,
        Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Conj | Op::Cast | Op::Map(_)
    );
    local && node.args.iter().chain(&node.results).all(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    /// The nodes after the pass, and the first and last of each region.
    fn fused(source: &str) -> (String, Vec<(u32, u32)>) {
        let plan = after(&FuseUpdates, source);
        let regions = plan.blocks[0].regions.iter().map(|r| (r.first, r.last)).collect();
        (nodes(&plan), regions)
    }

    #[test]
    fn an_update_waits_for_company() {
        let (nodes, regions) = fused(
            "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
%0 = input a : f64[]
%1 = input x : f64[4]
%2 = input s : f64[6]
%3 = axpy %0 %1 %1 : f64[4]
%4 = neg %2 : f64[6]
%5 = apply A.H %4 : f64[4]
%6 = dot %4 %4 : f64[]
%7 = sub %5 %3 : f64[4]
%8 = sqrt %6 : f64[]
return %7 %8
",
        );
        assert_snapshot!(nodes, @"
        %0 = input a                    : f64[]
        %1 = input x                    : f64[4]
        %2 = input s                    : f64[6]
        %3 = neg %2                     : f64[6]
        %4 = dot %3 %3                  : f64[]
        %5 = apply A.H %3               : f64[4]
        %6 = sqrt %4                    : f64[]
        %7 = axpy %0 %1 %1              : f64[4]
        %8 = sub %5 %7                  : f64[4]
        ");
        assert_eq!(regions, [(3, 4), (7, 8)]);
    }

    #[test]
    fn what_uses_a_sum_comes_after_its_region() {
        let (nodes, regions) = fused(
            "
mesh 1 rank
%0 = input x : f64[4]
%1 = neg %0 : f64[4]
%2 = dot %1 %1 : f64[]
%3 = scale %2 %1 : f64[4]
%4 = add %3 %1 : f64[4]
return %4
",
        );
        assert_snapshot!(nodes, @"
        %0 = input x                    : f64[4]
        %1 = neg %0                     : f64[4]
        %2 = dot %1 %1                  : f64[]
        %3 = scale %2 %1                : f64[4]
        %4 = add %3 %1                  : f64[4]
        ");
        assert_eq!(regions, [(1, 2), (3, 4)]);
    }

    #[test]
    fn not_for_numbers_or_for_one_update() {
        let numbers = "
mesh 1 rank
%0 = input x : f64[]
%1 = neg %0 : f64[]
%2 = sqrt %1 : f64[]
return %2
";
        let one = "
mesh 1 rank
let A = (i) <- (j) : f64[4, 4]
%0 = input x : f64[4]
%1 = neg %0 : f64[4]
%2 = apply A %1 : f64[4]
return %2
";
        for source in [numbers, one] {
            assert!(unchanged(&FuseUpdates, source), "{source}");
        }
    }
}
