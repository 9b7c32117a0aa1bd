//! What a leaf may split: for each mesh axis one of its factors, a batch dim, or nothing.

use super::{Search, Sides, Variable, applied};
use crate::ir::{LeafId, Op, Plan};
use crate::placement::{Cut, Placement, Split, Type};
use crate::route::reshaped;
use crate::signature::{Binding, Signature, Spread};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How an axis is used by a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Factor(usize),
    /// A factor, at cuts that a reshape of one of its parts makes; an index into all such cuts.
    Cut(usize, usize),
    /// A trailing dim beyond those of the signature.
    Batch(usize),
}

impl Use {
    pub(super) fn factor(self) -> Option<usize> {
        match self {
            Use::Factor(f) | Use::Cut(f, _) => Some(f),
            Use::Batch(_) => None,
        }
    }
}

/// One choice for a leaf: what each axis splits.
pub(super) type Tile = Vec<Option<Use>>;

/// A shape, one of its dims, and where that can be cut.
pub(super) type DimCut = (Vec<usize>, usize, Arc<Cut>);

/// What becomes of balanced splits at the reshapes of a plan.
pub(super) fn reshaped_cuts(plan: &Plan) -> Vec<DimCut> {
    let mut out: Vec<DimCut> = Vec::new();
    for block in &plan.blocks {
        for node in block.nodes.iter().filter(|n| n.op == Op::Reshape) {
            let (a, b) = (&block.ty(node.args[0]).dims, &block.ty(node.results[0]).dims);
            for (from, to) in [(a, b), (b, a)] {
                let found = (0..from.len()).filter_map(|d| {
                    let mut p = Placement::replicated(from.len());
                    p.splits[d] = Split::over(&[0]);
                    let splits = reshaped(from, to, &p)?.splits.into_iter().enumerate();
                    let (at, cut) = splits.into_iter().find_map(|(e, s)| Some((e, s.cut?)))?;
                    Some((to.clone(), at, cut))
                });
                for cut in found.collect::<Vec<_>>() {
                    if !out.contains(&cut) {
                        out.push(cut);
                    }
                }
            }
        }
    }
    out
}

impl Search<'_> {
    pub(super) fn leaves(&mut self) {
        for (l, leaf) in self.plan.leaves.iter().enumerate() {
            let rule = &leaf.signature.rule;
            let nodes = self.plan.blocks.iter().flat_map(|b| &b.nodes).filter_map(applied);
            let directions: BTreeSet<bool> =
                nodes.filter(|(id, _)| id.0 as usize == l).map(|(_, adjoint)| adjoint).collect();
            let clear =
                |f: usize| directions.iter().all(|&adjoint| rule.sums_are_clear(f, adjoint));
            let factors = rule.factors.iter().enumerate();
            let free = factors
                .filter(|(i, f)| !f.whole && f.size > 1 && clear(*i))
                .map(|(i, _)| Use::Factor(i));
            let batch = (0..self.batches[l]).map(Use::Batch);
            let cut = self.cut_uses(&leaf.signature);
            let uses: Vec<_> = free.chain(cut).chain(batch).collect();
            let mut tiles: Vec<Tile> = vec![vec![None; self.cx.mesh.axes.len()]];
            for axis in self.axes() {
                tiles = tiles
                    .into_iter()
                    .flat_map(|t| {
                        let with = |u: Option<Use>| {
                            let mut t = t.clone();
                            t[axis] = u;
                            t
                        };
                        uses.iter().map(|&u| with(Some(u))).chain([with(None)]).collect::<Vec<_>>()
                    })
                    .collect();
            }
            tiles.retain(|tile| {
                let all = || tile.iter().flatten();
                all().all(|a| {
                    all().all(|b| a == b || a.factor().is_none_or(|f| b.factor() != Some(f)))
                })
            });
            self.variables.push(Variable::Leaf(tiles));
        }
    }

    /// A factor without cuts of its own can take those of a reshape before or behind the leaf, so
    /// that its part stays where it is.
    pub(super) fn cut_uses(&self, signature: &Signature) -> Vec<Use> {
        let rule = &signature.rule;
        let bare = |f: usize| {
            let factor = &rule.factors[f];
            let bindings = || rule.domain.iter().chain(&rule.range).flatten();
            let mut mine = bindings().filter(|b| b.factor == f);
            !factor.whole
                && factor.weights.is_none()
                && mine.all(|b| b.spread == Spread::One && b.halo == (0, 0))
        };
        let parts = || {
            signature.domain.iter().zip(&rule.domain).chain(signature.range.iter().zip(&rule.range))
        };
        let mut out = BTreeSet::new();
        for (k, (dims, d, _)) in self.cuts.iter().enumerate() {
            let bound = parts().filter(|(part, _)| dims.starts_with(part));
            let factors = bound.filter_map(|(_, bindings)| Some(bindings.get(*d)?.factor));
            out.extend(factors.filter(|&f| bare(f)).map(|f| Use::Cut(f, k)));
        }
        out.into_iter().collect()
    }

    /// The splits of a leaf's factors under one choice.
    pub(super) fn tile(&self, leaf: LeafId, tile: &Tile) -> Vec<Split> {
        let rule = &self.plan[leaf].signature.rule;
        let split = |f: usize| {
            let uses = |a: &usize| tile[*a].filter(|u| u.factor() == Some(f));
            let axes: Vec<_> = (0..tile.len()).filter(|a| uses(a).is_some()).collect();
            if let Some(Use::Cut(_, k)) = axes.first().and_then(uses) {
                return Split { axes, cut: Some(self.cuts[k].2.clone()) };
            }
            let cut = rule.factors[f].weights.clone().filter(|_| !axes.is_empty()).map(|weights| {
                let (size, weights) = (rule.factors[f].size, Some(weights));
                Arc::new(Cut { name: String::new(), size, weights, spread: Spread::One })
            });
            Split { axes, cut }
        };
        (0..rule.factors.len()).map(split).collect()
    }

    /// The placement of a part of a leaf: dims bound to factors, then batch dims.
    pub(super) fn part(
        &self,
        leaf: LeafId,
        tile: &Tile,
        bindings: &[Binding],
        rank: usize,
    ) -> Placement {
        let rule = &self.plan[leaf].signature.rule;
        let mut out = Placement::replicated(rank);
        let splits = self.tile(leaf, tile);
        for (d, binding) in bindings.iter().enumerate() {
            let split = &splits[binding.factor];
            let factor = &rule.factors[binding.factor];
            let plain = binding.spread == Spread::One && factor.weights.is_none();
            if plain {
                out.splits[d] = split.clone();
                continue;
            }
            let cut = (!split.axes.is_empty()).then(|| {
                let (size, weights, spread) =
                    (factor.size, factor.weights.clone(), binding.spread.clone());
                Arc::new(Cut { name: String::new(), size, weights, spread })
            });
            out.splits[d] = Split { axes: split.axes.clone(), cut };
        }
        for d in bindings.len()..rank {
            let mine = |a: &usize| tile[*a] == Some(Use::Batch(d - bindings.len()));
            out.splits[d] = Split { axes: (0..tile.len()).filter(mine).collect(), cut: None };
        }
        out
    }

    /// What an application takes and gives under one choice of its leaf.
    pub(super) fn apply_sides(
        &self,
        leaf: LeafId,
        adjoint: bool,
        tile: &Tile,
        types: (&[&Type], &[&Type]),
    ) -> Sides {
        let rule = &self.plan[leaf].signature.rule;
        let (from, to) =
            if adjoint { (&rule.range, &rule.domain) } else { (&rule.domain, &rule.range) };
        let ghosts = |p: &mut Placement, bindings: &[Binding]| {
            for (d, b) in bindings.iter().enumerate() {
                if !p.splits[d].axes.is_empty() {
                    p.ghosts[d] = b.halo;
                }
            }
        };
        let side = |bindings: &[Vec<Binding>], types: &[&Type]| -> Vec<Placement> {
            bindings
                .iter()
                .zip(types)
                .map(|(b, t)| self.part(leaf, tile, b, t.dims.len()))
                .collect()
        };
        let (mut args, mut results) = (side(from, types.0), side(to, types.1));
        let haloed = if adjoint { &mut results } else { &mut args };
        for (p, bindings) in haloed.iter_mut().zip(&rule.domain) {
            ghosts(p, bindings);
            p.dual = adjoint && p.has_ghosts();
        }
        let contracted = |f: usize| {
            if adjoint {
                rule.in_range(f) && !rule.in_domain(f)
            } else {
                rule.in_domain(f) && !rule.in_range(f)
            }
        };
        let pending: Vec<_> = (0..tile.len())
            .filter(|&a| tile[a].and_then(Use::factor).is_some_and(contracted))
            .collect();
        for p in &mut results {
            p.pending.clone_from(&pending);
        }
        Sides { args, results }
    }
}
