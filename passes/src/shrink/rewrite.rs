//! A plan with small sizes: the same nodes and placements, other extents.

use super::class::Halos;
use super::extents::Symbol;
use super::link::{LeafSymbols, SpreadSymbols, Symbols};
use crate::ir::{Block, Leaf, Op, Plan, State, Term};
use crate::mesh::Mesh;
use crate::placement::{Cut, Placement, Split, Type};
use crate::signature::{Binding, Factor, Rule, Signature, Spread};
use crate::spectrum;
use crate::weights::Weights;
use std::sync::Arc;

/// Writes plans with the sizes that were found.
pub(super) struct Writer<'a> {
    pub symbols: &'a Symbols,
    pub sizes: &'a [usize],
    pub halos: &'a Halos,
}

impl Writer<'_> {
    /// The unplaced plan (0) or the placed one (1) on a small mesh.
    pub fn plan(&self, plan: &Plan, at: usize, mesh: Mesh) -> Plan {
        let leaves = plan.leaves.iter().zip(&self.symbols.leaves);
        let states = plan.states.iter().zip(&self.symbols.states[at]);
        let state = |(s, dims): (&State, &Vec<Symbol>)| State {
            name: s.name.clone(),
            ty: self.ty(&s.ty, dims),
        };
        let mut out = Plan {
            mesh,
            leaves: leaves.map(|(leaf, of)| self.leaf(leaf, of)).collect(),
            terms: self.symbols.plans[at].symbolic.terms.iter().map(|t| self.term(t)).collect(),
            slots: plan.slots.clone(),
            states: states.map(state).collect(),
            blocks: Vec::new(),
        };
        let blocks = plan.blocks.iter().enumerate();
        out.blocks = blocks.map(|(b, block)| self.block(&out, block, at, b)).collect();
        out
    }

    fn dims(&self, symbols: &[Symbol]) -> Vec<usize> {
        symbols.iter().map(|&s| self.sizes[s]).collect()
    }

    fn shapes(&self, shapes: &[Vec<Symbol>]) -> Vec<Vec<usize>> {
        shapes.iter().map(|s| self.dims(s)).collect()
    }

    fn block(&self, small: &Plan, block: &Block, at: usize, b: usize) -> Block {
        let of = &self.symbols.plans[at];
        let mut out = block.clone();
        for (ty, dims) in out.types.iter_mut().zip(&of.values[b]) {
            *ty = self.ty(ty, dims);
        }
        for (n, node) in out.nodes.iter_mut().enumerate() {
            if let (Op::Part(begin), Some(before)) = (&mut node.op, of.before.get(&(b, n))) {
                *begin = before.iter().map(|&s| self.sizes[s]).sum();
            }
            if let Op::Project(projection) = &mut node.op
                && let Some(small) = spectrum::projection(small, &projection.onto)
            {
                *projection = small;
            }
        }
        out
    }

    fn ty(&self, ty: &Type, dims: &[Symbol]) -> Type {
        let p = &ty.placement;
        let placement = Placement {
            splits: p.splits.iter().map(|s| self.split(s)).collect(),
            ghosts: p.ghosts.iter().map(|&g| self.halos.pair(g)).collect(),
            ..p.clone()
        };
        Type { dims: self.dims(dims), dtype: ty.dtype, placement }
    }

    fn split(&self, split: &Split) -> Split {
        let cut = split.cut.as_ref().map(|cut| {
            let key = Cut { name: String::new(), ..(**cut).clone() };
            let Some(of) = self.symbols.cuts.get(&key) else { return cut.clone() };
            let size = self.sizes[of.index];
            let weights = cut.weights.as_ref().map(|w| small_weights(w, size));
            let spread = self.spread(&cut.spread, of);
            Arc::new(Cut { name: cut.name.clone(), size, weights, spread })
        });
        Split { axes: split.axes.clone(), cut }
    }

    fn spread(&self, spread: &Spread, of: &SpreadSymbols) -> Spread {
        match spread {
            Spread::One => Spread::One,
            Spread::Uniform(k) => Spread::Uniform(of.each.map_or(*k, |s| self.sizes[s])),
            Spread::Table(table) => {
                Spread::Table(Arc::new(small_table(table, self.sizes[of.index])))
            }
        }
    }

    fn leaf(&self, leaf: &Leaf, of: &LeafSymbols) -> Leaf {
        let s = &leaf.signature;
        let factor = |(f, &symbol): (&Factor, &Symbol)| {
            let size = self.sizes[symbol];
            let weights = f.weights.as_ref().map(|w| small_weights(w, size));
            Factor { size, weights, ..f.clone() }
        };
        let factors = s.rule.factors.iter().zip(&of.factors).map(factor).collect();
        let bind = |(b, of): (&Binding, &SpreadSymbols)| Binding {
            factor: b.factor,
            halo: self.halos.pair(b.halo),
            spread: self.spread(&b.spread, of),
        };
        let side = |parts: &[Vec<Binding>], of: &[Vec<SpreadSymbols>]| -> Vec<Vec<Binding>> {
            parts.iter().zip(of).map(|(p, of)| p.iter().zip(of).map(bind).collect()).collect()
        };
        let dims = |of: &[Vec<SpreadSymbols>]| -> Vec<Vec<usize>> {
            of.iter().map(|p| p.iter().map(|s| self.sizes[s.dim]).collect()).collect()
        };
        let (domain, range) = (side(&s.rule.domain, &of.domain), side(&s.rule.range, &of.range));
        let signature = Signature {
            domain: dims(&of.domain),
            range: dims(&of.range),
            rule: Rule { factors, domain, range },
            ..(**s).clone()
        };
        let tile = leaf.tile.iter().map(|s| self.split(s)).collect();
        Leaf { name: leaf.name.clone(), signature: Arc::new(signature), tile }
    }

    /// A term whose sizes are symbols.
    fn term(&self, term: &Term) -> Term {
        match term {
            Term::Element(map, shapes) => Term::Element(*map, self.shapes(shapes)),
            Term::Regroup(from, to) => Term::Regroup(self.shapes(from), self.shapes(to)),
            Term::Lift(t, extra) => Term::Lift(*t, self.dims(extra)),
            Term::Leaf(_)
            | Term::Adjoint(_)
            | Term::Transpose(_)
            | Term::Conj(_)
            | Term::Scale(..)
            | Term::Sum(_)
            | Term::Product(_)
            | Term::VStack(_)
            | Term::HStack(_)
            | Term::BlockDiag(_)
            | Term::Kronecker(_) => term.clone(),
        }
    }
}

/// A running total of a few values: counts are sampled, cut at three, and some value keeps none
/// if one had none.
pub(super) fn small_table(table: &[usize], size: usize) -> Vec<usize> {
    let n = table.len().saturating_sub(1);
    let count = |i: usize| table[i + 1] - table[i];
    let mut counts: Vec<_> =
        (0..size).map(|i| if n == 0 { 0 } else { count(i * n / size).min(3) }).collect();
    let none = (0..n).any(|i| count(i) == 0);
    if none && size > 1 && counts.iter().all(|&c| c > 0) {
        counts[size / 2] = 0;
    }
    if size > 0 && (0..n).any(|i| count(i) > 0) && counts.iter().all(|&c| c == 0) {
        counts[0] = 2;
    }
    let mut out = vec![0];
    for c in counts {
        out.push(out[out.len() - 1] + c);
    }
    out
}

fn small_weights(weights: &[u64], size: usize) -> Arc<Weights> {
    let n = weights.len();
    Arc::new((0..size).map(|i| if n == 0 { 1 } else { weights[i * n / size] }).collect())
}
