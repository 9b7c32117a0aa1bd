//! The depths among which nodes choose: none, and those that some user of their results wants.

use super::super::{Search, Sides, applied};
use super::{Depths, MOST, deeper};
use crate::ir::{Block, LeafId, Node, Op, Value};
use crate::placement::{Placement, Split, Type};
use crate::signature::{Binding, Spread};
use std::collections::{BTreeMap, BTreeSet};

/// For each node the sides among which it chooses; the demands of users go from the end to the
/// beginning of the block.
pub(super) fn options(
    search: &Search<'_>,
    block: &Block,
    tiles: &[Vec<Split>],
    base: &[Sides],
) -> Vec<Vec<Sides>> {
    let mut demands: BTreeMap<Value, BTreeSet<Depths>> = BTreeMap::new();
    let mut out: Vec<Vec<Sides>> = Vec::new();
    for (n, node) in block.nodes.iter().enumerate().rev() {
        let of = |v: &Value| demands.get(v).into_iter().flatten().take(MOST).cloned().collect();
        let mine: Vec<Vec<Depths>> = node.results.iter().map(of).collect();
        let mut options: Vec<Sides> = Vec::new();
        for sides in choices(search, node, tiles, &base[n], &mine) {
            let limited =
                sides.args.iter().zip(&node.args).all(|(p, &v)| fits(search, block.ty(v), p));
            if (limited || sides == base[n]) && !options.contains(&sides) {
                options.push(sides);
            }
        }
        for sides in &options {
            for (&v, p) in node.args.iter().zip(&sides.args) {
                if p.has_ghosts() {
                    demands.entry(v).or_default().insert(p.ghosts.clone());
                }
            }
        }
        out.push(options);
    }
    out.reverse();
    out
}

/// Whether ghosts are no deeper than the largest block.
fn fits(search: &Search<'_>, ty: &Type, p: &Placement) -> bool {
    let mut dims = ty.dims.iter().zip(&p.splits).zip(&p.ghosts);
    dims.all(|((&n, split), &(lo, hi))| lo.max(hi) <= split.largest_block(n, &search.cx.mesh))
}

/// The sides of a node whose result has no ghosts or those that somebody wants.
fn choices(
    search: &Search<'_>,
    node: &Node,
    tiles: &[Vec<Split>],
    base: &Sides,
    wanted: &[Vec<Depths>],
) -> Vec<Sides> {
    match &node.op {
        Op::Apply(_) => {
            let Some((leaf, adjoint)) = applied(node) else { return Vec::new() };
            let application = Application { search, leaf, tile: &tiles[leaf.0 as usize], base };
            let sides = |ghosts: Vec<Depths>| {
                if adjoint { application.gathering(&ghosts) } else { application.forward(&ghosts) }
            };
            combined(base, wanted).into_iter().filter_map(sides).chain([base.clone()]).collect()
        }
        Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Conj | Op::Cast => {
            let dims = base.results[0].splits.len();
            let alike = |p: &Placement| p.splits.is_empty() || p.splits.len() == dims;
            let sides = |ghosts: &Depths| {
                let with = |p: &Placement| match p.splits.len() {
                    0 => p.clone(),
                    _ => Placement { ghosts: ghosts.clone(), ..p.clone() },
                };
                let args = base.args.iter().map(with).collect();
                Sides { args, results: base.results.iter().map(with).collect() }
            };
            let applies = dims > 0 && base.args.iter().all(alike);
            let deeper = wanted[0].iter().filter(|_| applies).map(sides);
            std::iter::once(base.clone()).chain(deeper).collect()
        }
        _ => vec![base.clone()],
    }
}

/// Ghosts of all results: none, those that somebody wants of one of them, and the deepest of each.
fn combined(base: &Sides, wanted: &[Vec<Depths>]) -> Vec<Vec<Depths>> {
    let none: Vec<Depths> = base.results.iter().map(|p| vec![(0, 0); p.ghosts.len()]).collect();
    let mut out = vec![none.clone()];
    for (k, ghosts) in wanted.iter().enumerate().flat_map(|(k, w)| w.iter().map(move |g| (k, g))) {
        let mut one = none.clone();
        one[k].clone_from(ghosts);
        out.push(one);
    }
    let deepest = |(none, wanted): (&Depths, &Vec<Depths>)| {
        wanted.iter().fold(none.clone(), |all, ghosts| deeper(&all, ghosts))
    };
    out.push(none.iter().zip(wanted).map(deepest).collect());
    out
}

/// An application of a leaf and its sides without more ghosts than a halo.
struct Application<'a> {
    search: &'a Search<'a>,
    leaf: LeafId,
    tile: &'a [Split],
    base: &'a Sides,
}

impl Application<'_> {
    fn rule(&self) -> &crate::signature::Rule {
        &self.search.plan[self.leaf].signature.rule
    }

    /// For each factor the ghosts that dims of some parts have, widened; none if some dim cannot
    /// have them.
    fn extension(
        &self,
        parts: &[Vec<Binding>],
        ghosts: &[Depths],
        wider: impl Fn(&Binding, (usize, usize)) -> (usize, usize),
    ) -> Option<Depths> {
        let rule = self.rule();
        let mut out = vec![(0, 0); rule.factors.len()];
        for (bindings, ghosts) in parts.iter().zip(ghosts) {
            if ghosts.iter().skip(bindings.len()).any(|&g| g != (0, 0)) {
                return None;
            }
            for (b, &g) in bindings.iter().zip(ghosts) {
                if !self.tile[b.factor].axes.is_empty() {
                    let (lo, hi) = wider(b, g);
                    let known = &mut out[b.factor];
                    *known = (known.0.max(lo), known.1.max(hi));
                }
            }
        }
        let ragged = |b: &Binding| b.spread != Spread::One && out[b.factor] != (0, 0);
        let ragged = rule.domain.iter().chain(&rule.range).flatten().any(ragged);
        (!ragged).then_some(out)
    }

    fn with(
        &self,
        parts: &[Vec<Binding>],
        placements: &[Placement],
        ghosts: impl Fn(&Binding) -> (usize, usize),
    ) -> Vec<Placement> {
        let one = |(bindings, p): (&Vec<Binding>, &Placement)| {
            let mut out = p.without_ghosts();
            for (d, b) in bindings.iter().enumerate() {
                if !self.tile[b.factor].axes.is_empty() {
                    out.ghosts[d] = ghosts(b);
                }
            }
            out
        };
        parts.iter().zip(placements).map(one).collect()
    }

    /// The operator on as much as its results hold.
    fn forward(&self, results: &[Depths]) -> Option<Sides> {
        let rule = self.rule();
        let e = self.extension(&rule.range, results, |_, g| g)?;
        let args = self.with(&rule.domain, &self.base.args, |b| {
            (e[b.factor].0 + b.halo.0, e[b.factor].1 + b.halo.1)
        });
        Some(Sides { args, results: self.with(&rule.range, &self.base.results, |b| e[b.factor]) })
    }

    /// The adjoint from as much as its results are reached by.
    fn gathering(&self, results: &[Depths]) -> Option<Sides> {
        let rule = self.rule();
        let e = self.extension(&rule.domain, results, |b, g| (g.0 + b.halo.1, g.1 + b.halo.0))?;
        // A factor of the domain alone has no range on which to work further.
        if (0..e.len()).any(|f| e[f] != (0, 0) && !rule.in_range(f)) {
            return None;
        }
        let args = self.with(&rule.range, &self.base.args, |b| e[b.factor]);
        let made = self.base.results.iter().zip(results);
        let made = made.map(|(p, g)| Placement { ghosts: g.clone(), ..p.without_ghosts() });
        Some(Sides { args, results: made.collect() })
    }
}
