//! The costs of choices, as small tables whose sum is minimised.

use super::fan::Fan;
use super::tiles::Tile;
use super::{Choice, Search, Sides, Variable, applied};
use crate::cost::{self, ONCE, Whose, Work, runs};
use crate::dtype::Dtype;
use crate::eliminate::Table;
use crate::ir::{Block, LeafId, Op, Value};
use crate::pipeline::Numerics;
use crate::placement::{Placement, Split, Type};
use std::collections::BTreeMap;

/// A cost that depends on choices.
type CostOf<'a> = dyn Fn(&Choice<'_>) -> f64 + 'a;

/// Seconds that decide between equals and nothing else.
const NEGLIGIBLE: f64 = 1e-13;

impl Search<'_> {
    /// The costs of single nodes and moves, and what of them is shared.
    pub(super) fn tables(&self) -> (Vec<Table>, [Vec<Table>; 2]) {
        let mut tables: Vec<_> = (0..self.plan.leaves.len()).map(|l| self.held(l)).collect();
        let mut shared = [Vec::new(), Vec::new()];
        for (b, block) in self.plan.blocks.iter().enumerate() {
            let weight = runs(block).unwrap_or(ONCE);
            for n in 0..block.nodes.len() {
                let cost = |choice: &Choice<'_>| self.work(b, n, choice);
                tables.push(self.table(&[self.variable(b, n)], weight, &cost));
            }
            self.all_moves(b, weight, &mut tables, &mut shared[0]);
            shared[1].extend(self.shared_reductions(b, weight));
        }
        (tables, shared)
    }

    /// The costs of moving values from where they are made to where they are used.
    /// Who wants a value in the same placement as the user before pays nothing for it.
    fn all_moves(&self, b: usize, weight: f64, tables: &mut Vec<Table>, shared: &mut Vec<Table>) {
        let producer = self.plan.blocks[b].definitions();
        for (value, mut users) in self.users(b) {
            users.sort_by_key(|user| self.user_variable(b, *user));
            let fan = Fan::new(self, b, (producer[value.index()], value), &users);
            tables.extend((0..users.len()).map(|k| fan.edge(self, k, weight)));
            shared.extend((1..users.len()).map(|k| fan.shared(self, k, weight)));
        }
    }

    /// Dots of which none needs another's result will share a reduction if they are pending over
    /// the same axes: each gives back what the one before it on its level pays already, or the one
    /// before that if the former needs no reduction.
    pub(super) fn shared_reductions(&self, b: usize, weight: f64) -> Vec<Table> {
        let block = &self.plan.blocks[b];
        let mut levels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (n, level) in levels_of_dots(block) {
            levels.entry(level).or_default().push(n);
        }
        let mut tables = Vec::new();
        for (dots, k) in levels.values().flat_map(|dots| (1..dots.len()).map(move |k| (dots, k))) {
            let dots = &dots[k.saturating_sub(2)..=k];
            let saved = |choice: &Choice<'_>| {
                let mut places =
                    dots.iter().rev().map(|&n| self.sides(b, n, choice).results[0].clone());
                let mine = places.next().unwrap_or_default();
                let before = places.find(|p| !p.pending.is_empty());
                if before.is_none_or(|p| p.pending != mine.pending) {
                    return 0.0;
                }
                let ty = block.ty(block.nodes[dots[dots.len() - 1]].results[0]).placed(mine);
                -self.router.cost(&ty, &Placement::replicated(ty.dims.len()))
            };
            let on: Vec<_> = dots.iter().map(|&n| self.variable(b, n)).collect();
            tables.push(self.table(&on, weight, &saved));
        }
        tables
    }

    /// What it costs to hold a leaf; among equally cheap tiles the first one wins: rows over the
    /// first axis, then columns.
    pub(super) fn held(&self, leaf: usize) -> Table {
        let id = LeafId(leaf as u32);
        let signature = &self.plan[id].signature;
        let cost = signature.cost_or_estimate();
        let dear = cost.holds.max(cost.reads) * self.cx.memory_price;
        let Variable::Leaf(tiles) = &self.variables[leaf] else {
            unreachable!("leaves come first")
        };
        let price = |(k, tile): (usize, &Tile)| {
            let share = || cost::share(signature, &self.tile(id, tile), &self.cx.mesh);
            k as f64 * NEGLIGIBLE + if dear > 0.0 { dear * share() } else { 0.0 }
        };
        Table { variables: vec![leaf], costs: tiles.iter().enumerate().map(price).collect() }
    }

    /// The table of a cost over the choices of some variables.
    pub(super) fn table(&self, on: &[Option<usize>], weight: f64, cost: &CostOf<'_>) -> Table {
        let mut variables: Vec<_> = on.iter().flatten().copied().collect();
        variables.sort_unstable();
        variables.dedup();
        let sizes: Vec<_> = variables.iter().map(|&v| self.variables[v].len()).collect();
        let count: usize = sizes.iter().product();
        let mut at = vec![0; sizes.len()];
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            let choice = |v: usize| variables.iter().position(|&w| w == v).map_or(0, |k| at[k]);
            costs.push(weight * cost(&choice));
            for (digit, &size) in at.iter_mut().zip(&sizes).rev() {
                *digit = (*digit + 1) % size;
                if *digit > 0 {
                    break;
                }
            }
        }
        Table { variables, costs }
    }

    /// The local work of a node on the rank that has most of it, and the price of its results.
    fn work(&self, b: usize, n: usize, choice: &Choice<'_>) -> f64 {
        let tile = match applied(&self.plan.blocks[b].nodes[n]) {
            Some((leaf, _)) => self.chosen_tile(leaf, choice),
            None => Vec::new(),
        };
        self.work_on(b, n, &self.sides(b, n, choice), &tile)
    }

    /// The local work of a node with these sides, and of its leaf's tile.
    pub(super) fn work_on(&self, b: usize, n: usize, sides: &Sides, tile: &[Split]) -> f64 {
        let node = &self.plan.blocks[b].nodes[n];
        let (mesh, machine) = (&self.cx.mesh, &self.cx.machine);
        let [args, results] = self.placed(b, n, sides);
        let bytes = |ty: &Type| Whose::Largest.bytes(ty, mesh);
        let held: f64 = results.iter().map(bytes).sum::<f64>() * self.cx.memory_price;
        let Some((dtype, work)) = self.application(b, n, sides, tile) else {
            // The norm of a value reads it once.
            let first = |k: &usize| !node.args[..*k].contains(&node.args[*k]);
            let read = (0..args.len()).filter(first).map(|k| &args[k]);
            let free = matches!(node.op, Op::Input(_) | Op::Get(_) | Op::Slot(_));
            let moved = read.chain(&results).map(bytes).sum();
            return held + if free { 0.0 } else { machine.pass(moved) };
        };
        held + machine.seconds(dtype, work)
    }

    /// The types of a node's arguments and results with these sides.
    fn placed(&self, b: usize, n: usize, sides: &Sides) -> [Vec<Type>; 2] {
        let (block, node) = (&self.plan.blocks[b], &self.plan.blocks[b].nodes[n]);
        let placed = |vs: &[Value], ps: &[Placement]| {
            vs.iter().zip(ps).map(|(&v, p)| block.ty(v).placed(p.clone())).collect()
        };
        [placed(&node.args, &sides.args), placed(&node.results, &sides.results)]
    }

    /// The local work of a node that applies a leaf.
    fn application(
        &self,
        b: usize,
        n: usize,
        sides: &Sides,
        tile: &[Split],
    ) -> Option<(Dtype, Work)> {
        let (leaf, adjoint) = applied(&self.plan.blocks[b].nodes[n])?;
        let [args, results] = self.placed(b, n, sides);
        let (signature, mesh) = (&self.plan[leaf].signature, &self.cx.mesh);
        let columns = cost::batch(signature, adjoint, &args[0], mesh);
        let work = cost::applied(signature, tile, mesh, columns, (&args, &results));
        Some((signature.dtype, work))
    }

    /// The seconds that a stencil and its adjoint need less where what lies between them is not
    /// stored, nor computed for neighbours if both may be one stencil.
    pub(super) fn unstored(
        &self,
        b: usize,
        nodes: [usize; 2],
        sides: [&Sides; 2],
        tile: &[Split],
    ) -> f64 {
        let (mesh, machine) = (&self.cx.mesh, &self.cx.machine);
        let [_, between] = self.placed(b, nodes[0], sides[0]);
        let between: f64 = between.iter().map(|ty| Whose::Largest.bytes(ty, mesh)).sum();
        let mut own = sides.map(Sides::clone);
        if self.cx.numerics > Numerics::Exact {
            own[0].results.iter_mut().for_each(|p| *p = p.without_ghosts());
        }
        let saved = |k: usize| {
            let work = |sides: &Sides| self.application(b, nodes[k], sides, tile);
            let (Some((dtype, whole)), Some((_, own))) = (work(sides[k]), work(&own[k])) else {
                return 0.0;
            };
            let less = Work { flops: own.flops, moved: whole.moved - between, ..whole };
            machine.seconds(dtype, whole) - machine.seconds(dtype, less)
        };
        saved(0) + saved(1)
    }

    fn chosen_tile(&self, leaf: LeafId, choice: &Choice<'_>) -> Vec<Split> {
        match &self.variables[leaf.0 as usize] {
            Variable::Leaf(tiles) => self.tile(leaf, &tiles[choice(leaf.0 as usize)]),
            Variable::Class(_) | Variable::Pair(_) => unreachable!("leaves come first"),
        }
    }
}

/// The scalar dots of a block, each with how many reductions stand before it.
fn levels_of_dots(block: &Block) -> Vec<(usize, usize)> {
    let mut known = vec![0; block.types.len()];
    let mut out = Vec::new();
    for (n, node) in block.nodes.iter().enumerate() {
        let before = node.args.iter().map(|a| known[a.index()]).max().unwrap_or(0);
        let dot = matches!(node.op, Op::Dot { columns: 0, .. });
        let reduces = dot || matches!(node.op, Op::Dot { .. } | Op::Dots | Op::Reduce(_));
        node.results.iter().for_each(|r| known[r.index()] = before + usize::from(reduces));
        if dot {
            out.push((n, before));
        }
    }
    out
}
