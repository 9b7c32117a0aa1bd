//! Computes elements again in the regions that use them, where that is cheaper than to store them.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let D = (i) <- (i) diagonal : f64[1000000/p]
//! state s : f64[1000000/p]
//! state c : f64[1000000/p]
//! %0 = get s : f64[1000000/p]
//! %1 = get c : f64[1000000/p]
//! region
//! %2 = apply D %1 : f64[1000000/p]
//! %3 = dot %2 %2 : f64[] +p
//! end
//! %4 = all_reduce p %3 : f64[]
//! region
//! %5 = axpy %4 %2 %0 : f64[1000000/p]
//! %6 = apply D.H %5 : f64[1000000/p]
//! %7 = axpy %4 %1 %6 : f64[1000000/p]
//! end
//! set s %5
//! set c %7
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let D = (i) <- (i) diagonal     : f64[1000000/p]
//! state s                         : f64[1000000/p]
//! state c                         : f64[1000000/p]
//! %0 = get s                      : f64[1000000/p]
//! %1 = get c                      : f64[1000000/p]
//! region
//! %2 = apply D %1                 : f64[1000000/p]
//! %3 = dot %2 %2                  : f64[] +p
//! end
//! %4 = all_reduce p %3            : f64[]
//! region
//! %5 = apply D %1                 : f64[1000000/p]
//! %6 = axpy %4 %5 %0              : f64[1000000/p]
//! %7 = apply D.H %6               : f64[1000000/p]
//! %8 = axpy %4 %1 %7              : f64[1000000/p]
//! end
//! set s %6
//! set c %8
//! comm 1 call, 8 B per rank
//! ```
//! A value that regions over elements alone make and use passes through each of them
//! ([`crate::region::passing`]): where the machine's memory is slower than its arithmetic, it is
//! quicker to follow again from vectors that the region reads anyway.
//! What it follows from lives as long as before; what the machine model finds cheaper is taken, of
//! vectors that do not stay in a core's caches.
//! Numerics class: E, as the same operations are done again.

use crate::cost::{Whose, nodes};
use crate::error::PlanError;
use crate::ir::{Block, Map, Node, Op, Over, Plan, Region, Value};
use crate::machine::bytes;
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::kept;
use std::collections::BTreeMap;

/// The pass.
pub struct Rematerialise;

impl Pass for Rematerialise {
    fn name(&self) -> &'static str {
        "rematerialise"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for block in &mut out.blocks {
            let cost = |block: &Block| {
                let costs = nodes(plan, block, &cx.machine, Whose::Largest);
                costs.iter().map(|cost| cost.seconds).sum::<f64>()
            };
            let kept = kept(&cx.machine);
            let large = |value: Value, block: &Block| bytes(block.ty(value), &plan.mesh) > kept;
            while let Some(better) = better(block, &large, &cost) {
                *block = better;
            }
        }
        Ok(out)
    }
}

/// The block with one value less to be stored, if there is one that is cheaper so.
fn better(
    block: &Block,
    large: &dyn Fn(Value, &Block) -> bool,
    cost: &dyn Fn(&Block) -> f64,
) -> Option<Block> {
    let regions = block.regions.iter().filter(|r| r.over == Over::Elements).count();
    if regions < 2 {
        return None;
    }
    let known = Uses::of(block);
    let mut now = None;
    block.nodes.iter().enumerate().find_map(|(n, node)| {
        let [value] = node.results[..] else { return None };
        if !large(value, block) {
            return None;
        }
        let places = known.elsewhere(n, value)?;
        let made = remade(&known, value, &places)?;
        let now = *now.get_or_insert_with(|| cost(block));
        (cost(&made) < now).then_some(made)
    })
}

/// Who makes and uses the values of a block.
struct Uses<'a> {
    block: &'a Block,
    defined: Vec<usize>,
    /// The last node that uses each value.
    last: Vec<usize>,
    /// The region over elements of each node.
    home: Vec<Option<Region>>,
}

impl<'a> Uses<'a> {
    fn of(block: &'a Block) -> Self {
        let over = |n: usize| {
            let mut regions = block.regions.iter().filter(|r| r.over == Over::Elements);
            regions.find(|r| r.nodes().contains(&n)).copied()
        };
        let mut last = block.definitions();
        for (n, node) in block.nodes.iter().enumerate() {
            node.args.iter().for_each(|v| last[v.index()] = n);
        }
        block.returns.iter().for_each(|r| last[r.value.index()] = usize::MAX);
        let home = (0..block.nodes.len()).map(over).collect();
        Uses { block, defined: block.definitions(), last, home }
    }

    /// The first use in each other region of a value that regions alone make and use; none if it is
    /// used in no other, or has to be stored for somebody.
    fn elsewhere(&self, n: usize, value: Value) -> Option<Vec<usize>> {
        let home = self.home[n].filter(|_| is_cheap(&self.block.nodes[n]))?;
        if self.last[value.index()] == usize::MAX {
            return None;
        }
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for (m, node) in self.block.nodes.iter().enumerate() {
            if node.args.contains(&value) {
                places.entry(self.home[m]?.first).or_insert(m);
            }
        }
        places.remove(&home.first);
        (!places.is_empty()).then(|| places.into_values().collect())
    }

    /// The nodes that make a value before a node of another region, in their order, from what is
    /// there: none if that is not all there any more.
    fn recipe(&self, value: Value, at: usize, out: &mut Vec<usize>) -> Option<()> {
        let n = self.defined[value.index()];
        let node = &self.block.nodes[n];
        self.home[n].filter(|_| is_cheap(node))?;
        for &arg in &node.args {
            let ty = self.block.ty(arg);
            let number = ty.dims.len() < self.block.ty(value).dims.len();
            if !number && !self.is_there(arg, at) {
                self.recipe(arg, at, out)?;
            }
        }
        if !out.contains(&n) {
            out.push(n);
        }
        Some(())
    }

    /// Whether a vector has been made before a node and is kept up to the node's region anyway.
    fn is_there(&self, value: Value, at: usize) -> bool {
        let first = self.home[at].map_or(at, |region| region.nodes().start);
        self.defined[value.index()] < at && self.last[value.index()] >= first
    }
}

/// Whether a node of a region over elements makes elements in about the time in which they are read
/// from a cache: all do but sums over them and functions of the user.
fn is_cheap(node: &Node) -> bool {
    !matches!(node.op, Op::Dot { .. } | Op::Map(Map::Named(_)))
}

/// The block with a value made again before each of these nodes, for them and those of their
/// regions that follow.
fn remade(known: &Uses<'_>, value: Value, places: &[usize]) -> Option<Block> {
    let block = known.block;
    let mut out = Block { nodes: Vec::new(), regions: Vec::new(), ..block.clone() };
    let mut begins = Vec::with_capacity(block.nodes.len() + 1);
    let mut copies: BTreeMap<Value, Value> = BTreeMap::new();
    for (n, node) in block.nodes.iter().enumerate() {
        if n > 0 && known.home[n] != known.home[n - 1] {
            copies.clear();
        }
        begins.push(out.nodes.len() as u32);
        if places.contains(&n) {
            let mut recipe = Vec::new();
            known.recipe(value, n, &mut recipe)?;
            for m in recipe {
                let Node { op, args, results } = &block.nodes[m];
                let args: Vec<_> = args.iter().map(|v| *copies.get(v).unwrap_or(v)).collect();
                let types = results.iter().map(|&r| block.ty(r).clone()).collect();
                let made = out.push_many(op.clone(), &args, types);
                copies.extend(results.iter().copied().zip(made));
            }
        }
        let mut node = node.clone();
        node.args.iter_mut().for_each(|v| *v = *copies.get(v).unwrap_or(v));
        out.nodes.push(node);
    }
    begins.push(out.nodes.len() as u32);
    let moved = |region: &Region| Region {
        first: begins[region.first as usize],
        last: begins[region.last as usize + 1] - 1,
        ..*region
    };
    out.regions = block.regions.iter().map(moved).collect();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged_unproven};
    use crate::machine::{Machine, Memory};
    use insta::assert_snapshot;

    /// A value between two regions; the second one as given.
    fn between(n: &str, second: &str) -> String {
        format!(
            "mesh p=2 (2 ranks)
            let D = (i) <- (i) diagonal : f64[{n}/p]
            let E = (i) <- (i) diagonal : f64[{n}/p]
            state s : f64[{n}/p]
            state c : f64[{n}/p]
            %0 = get s : f64[{n}/p]
            %1 = get c : f64[{n}/p]
            region
            %2 = apply E %1 : f64[{n}/p]
            %3 = apply D %2 : f64[{n}/p]
            %4 = dot %3 %3 : f64[] +p
            end
            %5 = all_reduce p %4 : f64[]
            {}",
            second.replace("{n}", n)
        )
    }

    const USED: &str = "region
        %6 = axpy %5 %3 %0 : f64[{n}/p]
        %7 = axpy %5 %1 %6 : f64[{n}/p]
        end
        set s %6
        set c %7";

    #[test]
    fn what_it_follows_from_is_made_again_too() {
        let plan = after(&Rematerialise, &between("1000000", USED));
        assert_eq!(plan.blocks[0].regions.len(), 2);
        assert_snapshot!(nodes(&plan), @"
        %0 = get s                      : f64[1000000/p]
        %1 = get c                      : f64[1000000/p]
        %2 = apply E %1                 : f64[1000000/p]
        %3 = apply D %2                 : f64[1000000/p]
        %4 = dot %3 %3                  : f64[] +p
        %5 = all_reduce p %4            : f64[]
        %6 = apply E %1                 : f64[1000000/p]
        %7 = apply D %6                 : f64[1000000/p]
        %8 = axpy %5 %7 %0              : f64[1000000/p]
        %9 = axpy %5 %1 %8              : f64[1000000/p]
        ");
    }

    #[test]
    fn not_from_what_is_gone() {
        let gone = "region
            %6 = axpy %5 %3 %0 : f64[{n}/p]
            %7 = neg %6 : f64[{n}/p]
            end
            set s %6
            set c %7";
        assert!(unchanged_unproven(&Rematerialise, &between("1000000", gone)));
    }

    #[test]
    fn not_what_somebody_else_needs() {
        let used = USED.replace("set c %7", "set c %3");
        assert!(unchanged_unproven(&Rematerialise, &between("1000000", &used)));
    }

    #[test]
    fn not_what_caches_keep() {
        let program = between("1000", USED).replace("apply E", "apply D");
        assert!(unchanged_unproven(&Rematerialise, &program));
        let level = |within, bandwidth| Memory { within, bandwidth, total: None };
        let memory = vec![level(Some(1e6), 1e12), level(None, 1e9)];
        let machine = Machine { memory, step: 1e-5, ..Machine::default() };
        let plan = crate::examples::read(&program);
        let cx = Context { machine: machine.clone(), ..Context::default() };
        assert_eq!(Rematerialise.run(&plan, &cx).unwrap(), plan);
        let machine = Machine { step: 0.0, ..machine };
        let cx = Context { machine, ..Context::default() };
        assert_ne!(Rematerialise.run(&plan, &cx).unwrap(), plan);
    }
}
