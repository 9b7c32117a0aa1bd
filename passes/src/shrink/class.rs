//! What a small extent must have in common with the true one.

use super::extents::Symbol;
use super::link::Symbols;
use crate::ir::{Block, Plan, SplitHalo, Value};
use crate::mesh::{Axis, Mesh};
use crate::placement::Split;
use std::collections::{BTreeMap, BTreeSet};

/// Small halo widths, in the order of the true ones: wherever two widths fit into a third, the
/// small ones do.
pub(super) struct Halos {
    /// Each true width with the small one, ascending.
    widths: Vec<(usize, usize)>,
}

/// What lies between small halo widths.
#[derive(Clone, Copy)]
pub(super) struct Wider {
    /// From one width to the next, at least.
    pub step: usize,
    /// What the narrowest has more than one step.
    pub more: usize,
}

impl Halos {
    /// The widths of a plan.
    pub fn of(plan: &Plan, wider: Wider) -> Self {
        let mut all = BTreeSet::new();
        for leaf in &plan.leaves {
            let rule = &leaf.signature.rule;
            all.extend(rule.domain.iter().flatten().flat_map(|b| [b.halo.0, b.halo.1]));
        }
        let types = plan.blocks.iter().flat_map(|b| &b.types);
        let types = types.chain(plan.states.iter().map(|s| &s.ty));
        all.extend(types.flat_map(|t| &t.placement.ghosts).flat_map(|g| [g.0, g.1]));
        all.remove(&0);
        let mut widths: Vec<(usize, usize)> = Vec::new();
        for width in all {
            let next = widths.last().map_or(wider.more, |w| w.1) + wider.step;
            let fits = |(a, b): (&(usize, usize), &(usize, usize))| {
                if a.0 + b.0 <= width { a.1 + b.1 } else { 0 }
            };
            let sums = widths.iter().flat_map(|a| widths.iter().map(move |b| fits((a, b))));
            let small = sums.max().unwrap_or(0).max(next);
            widths.push((width, small));
        }
        Halos { widths }
    }

    /// The small width.
    pub fn small(&self, width: usize) -> usize {
        let at = self.widths.binary_search_by_key(&width, |w| w.0);
        at.map_or(0, |at| self.widths[at].1)
    }

    /// Small widths below and above.
    pub fn pair(&self, (lo, hi): (usize, usize)) -> (usize, usize) {
        (self.small(lo), self.small(hi))
    }
}

/// How a plan uses an extent.
#[derive(Clone, Default)]
struct Uses {
    /// The axes of each split, with the ghosts in either direction.
    splits: BTreeSet<(Vec<Axis>, Vec<usize>)>,
    /// Ghosts below and above that travel while an interior is computed, each with those that are
    /// left around what is computed.
    interiors: BTreeSet<[(usize, usize); 2]>,
    fourier: bool,
    spectral: bool,
}

/// The classes of all extents of a plan.
pub(super) struct Classes<'a> {
    uses: BTreeMap<Symbol, Uses>,
    large: &'a Mesh,
    small: &'a Mesh,
    halos: &'a Halos,
}

/// Collects how the placed plan uses each extent.
pub(super) fn classes<'a>(
    placed: &'a Plan,
    symbols: &Symbols,
    small: &'a Mesh,
    halos: &'a Halos,
) -> Classes<'a> {
    let mut classes = Classes { uses: BTreeMap::new(), large: &placed.mesh, small, halos };
    for (leaf, of) in placed.leaves.iter().zip(&symbols.leaves) {
        for (f, split) in leaf.tile.iter().enumerate() {
            classes.split(symbols, of.factors[f], split, (0, 0));
            let factor = &leaf.signature.rule.factors[f];
            if leaf.signature.laws.fourier && factor.whole {
                let root = symbols.extents.root(of.factors[f]);
                classes.uses.entry(root).or_default().fourier = true;
            }
            if leaf.signature.laws.half_spectrum && factor.whole {
                let root = symbols.extents.root(of.factors[f]);
                classes.uses.entry(root).or_default().spectral = true;
            }
        }
    }
    let blocks = placed.blocks.iter().zip(&symbols.plans[1].values);
    let values = blocks.flat_map(|(b, dims)| b.types.iter().zip(dims));
    let states = placed.states.iter().zip(&symbols.states[1]).map(|(s, dims)| (&s.ty, dims));
    for (ty, dims) in values.chain(states) {
        let p = &ty.placement;
        for ((&dim, split), &ghosts) in dims.iter().zip(&p.splits).zip(&p.ghosts) {
            classes.split(symbols, dim, split, ghosts);
        }
    }
    for (block, dims) in placed.blocks.iter().zip(&symbols.plans[1].values) {
        block.splits.iter().for_each(|split| classes.interiors(symbols, block, *split, dims));
    }
    classes
}

impl Classes<'_> {
    /// Of a split halo the depths from which on a block has an interior.
    fn interiors(
        &mut self,
        symbols: &Symbols,
        block: &Block,
        split: SplitHalo,
        dims: &[Vec<Symbol>],
    ) {
        let nodes = &block.nodes[split.nodes()];
        let ghosts = |v: Value| &block.ty(v).placement.ghosts;
        for &halo in &nodes[0].results {
            for made in nodes[1..].iter().flat_map(|node| &node.results) {
                let ends = ghosts(halo).iter().zip(ghosts(*made)).zip(&dims[halo.index()]);
                for ((deep, left), &dim) in ends.filter(|((deep, _), _)| **deep != (0, 0)) {
                    let uses = self.uses.entry(symbols.extents.root(dim)).or_default();
                    uses.interiors.insert([(deep.0, left.0), (deep.1, left.1)]);
                }
            }
        }
    }

    fn split(&mut self, symbols: &Symbols, dim: Symbol, split: &Split, ghosts: (usize, usize)) {
        if split.axes.is_empty() {
            return;
        }
        let index = split.cut.as_ref().and_then(|cut| {
            let key = crate::placement::Cut { name: String::new(), ..(**cut).clone() };
            symbols.cuts.get(&key).map(|of| of.index)
        });
        let root = symbols.extents.root(index.unwrap_or(dim));
        let widths = [ghosts.0, ghosts.1].into_iter().filter(|&w| w > 0).collect();
        self.uses.entry(root).or_default().splits.insert((split.axes.clone(), widths));
    }

    /// Whether a small size is of the same class as the true one.
    pub fn alike(&self, root: Symbol, large: usize, small: usize) -> bool {
        let Some(uses) = self.uses.get(&root) else { return large.min(2) == small.min(2) };
        let wide = |w: usize| w;
        let narrow = |w: usize| self.halos.small(w);
        class(uses, large, self.large, &wide) == class(uses, small, self.small, &narrow)
    }

    /// The smallest sizes that are of the class of the true one.
    pub fn candidates(&self, root: Symbol, large: usize, most: usize) -> Vec<usize> {
        let pieces = self.small.ranks();
        let widest = self.halos.widths.last().map_or(0, |w| w.1);
        let interiors = self.uses.get(&root).is_some_and(|uses| !uses.interiors.is_empty());
        let limit = pieces * (3 + if interiors { 2 * widest } else { widest }) + 8;
        (0..=limit.max(8)).filter(|&n| self.alike(root, large, n)).take(most).collect()
    }
}

/// The class of a size on a mesh.
fn class(uses: &Uses, n: usize, mesh: &Mesh, width: &dyn Fn(usize) -> usize) -> Vec<usize> {
    let mut out = vec![n.min(2)];
    if uses.fourier {
        out.extend([n.min(4), usize::from(n.is_power_of_two())]);
    }
    // So that not all frequencies are real.
    if uses.spectral {
        out.push(n.min(4));
    }
    for (axes, ghosts) in &uses.splits {
        let mut pieces = BTreeSet::from([n]);
        for &axis in axes {
            let p = mesh.size(axis);
            pieces = pieces.into_iter().flat_map(|n| [n / p, n.div_ceil(p)]).collect();
            let (least, most) = (*pieces.first().unwrap_or(&0), *pieces.last().unwrap_or(&0));
            out.extend([least.min(2), most.min(2), usize::from(least == most)]);
        }
        let (least, most) = (*pieces.first().unwrap_or(&0), *pieces.last().unwrap_or(&0));
        for w in ghosts.iter().map(|&w| width(w)) {
            out.extend([w <= least, w <= most, w < n].map(usize::from));
        }
        for ends in &uses.interiors {
            let [lo, hi] = ends.map(|(deep, left)| width(deep) - width(left).min(width(deep)));
            for depth in [lo, hi, lo + hi] {
                out.extend([depth < least, depth < most].map(usize::from));
            }
        }
    }
    out
}
