//! Whose share of the work is counted: that of the rank with most of it, or of one rank.

use super::{Work, leaf_of};
use crate::ir::{LeafId, Plan};
use crate::mesh::Mesh;
use crate::placement::{Split, Type};
use crate::signature::{Factor, Signature};
use std::collections::BTreeMap;

/// The ranks whose share is counted.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Of each node the rank that has most of it.
    Largest,
    /// The rank at these coordinates.
    At(&'a [usize]),
}

impl Whose<'_> {
    /// The elements of a dim that are owned.
    pub fn extent(self, n: usize, split: &Split, mesh: &Mesh) -> usize {
        match self {
            Whose::Largest => split.largest_block(n, mesh),
            Whose::At(at) => split.interval(n, mesh, at).len(),
        }
    }

    /// The elements of a value that are held, ghost cells included.
    pub fn len(self, ty: &Type, mesh: &Mesh) -> f64 {
        (0..ty.dims.len()).map(|d| self.held(ty, d, mesh) as f64).product()
    }

    /// The elements of a dim that are held.
    fn held(self, ty: &Type, d: usize, mesh: &Mesh) -> usize {
        let (n, split, (lo, hi)) = (ty.dims[d], &ty.placement.splits[d], ty.placement.ghosts[d]);
        match (self, self.extent(n, split, mesh)) {
            (_, 0) => 0,
            (Whose::Largest, own) => (own + lo + hi).min(n),
            (Whose::At(at), _) => {
                let own = split.interval(n, mesh, at);
                (own.end + hi).min(n) - own.start.saturating_sub(lo)
            }
        }
    }

    /// How much more is made of a value than is owned: ghosts that are not to be sent anywhere.
    fn redundancy(self, ty: &Type, mesh: &Mesh) -> f64 {
        let owned = ty.placed(ty.placement.without_ghosts());
        match self.len(&owned, mesh) {
            own if own > 0.0 && !ty.placement.dual => self.len(ty, mesh) / own,
            _ => 1.0,
        }
    }

    /// How many tiles of a leaf are held, one that is owned counting as one.
    pub fn tiles(self, plan: &Plan, leaf: LeafId) -> f64 {
        let mut known: BTreeMap<Vec<(usize, usize)>, f64> = BTreeMap::new();
        for block in &plan.blocks {
            for node in block.nodes.iter().filter(|n| leaf_of(n).is_some_and(|of| of.0 == leaf)) {
                let adjoint = leaf_of(node).is_some_and(|of| of.1);
                let range = if adjoint { &node.args } else { &node.results };
                let range: Vec<_> = range.iter().map(|&v| block.ty(v)).collect();
                let size =
                    range.iter().map(|ty| self.redundancy(ty, &plan.mesh)).fold(1.0, f64::max);
                known.insert(plan[leaf].extension(&range), size);
            }
        }
        known.values().sum::<f64>().max(1.0)
    }

    /// The bytes of a value that are held.
    pub fn bytes(self, ty: &Type, mesh: &Mesh) -> f64 {
        self.len(ty, mesh) * ty.dtype.size() as f64
    }

    /// The fraction of an operator that is worked on.
    pub fn share(self, signature: &Signature, tile: &[Split], mesh: &Mesh) -> f64 {
        let factors = signature.rule.factors.iter().zip(tile);
        factors.map(|(factor, split)| self.piece(factor, split, mesh)).product()
    }

    /// The fraction of a factor that is worked on.
    fn piece(self, factor: &Factor, split: &Split, mesh: &Mesh) -> f64 {
        if split.axes.is_empty() {
            return 1.0;
        }
        let Some(weights) = &factor.weights else {
            return self.extent(factor.size, split, mesh) as f64 / factor.size.max(1) as f64;
        };
        let total: u64 = weights.iter().sum();
        let fraction = |of: u64| of as f64 / total.max(1) as f64;
        match self {
            Whose::Largest => {
                let even = 1.0 / mesh.sizes(&split.axes) as f64;
                even.max(fraction(weights.iter().copied().max().unwrap_or(0)))
            }
            Whose::At(at) => fraction(weights[split.interval(factor.size, mesh, at)].iter().sum()),
        }
    }

    /// The trailing elements of an operand that come on top of those of the leaf's own parts.
    pub fn batch(self, signature: &Signature, adjoint: bool, arg: &Type, mesh: &Mesh) -> f64 {
        let own = if adjoint { signature.range[0].len() } else { signature.domain[0].len() };
        let dims = arg.dims.iter().zip(&arg.placement.splits).skip(own);
        dims.map(|(&n, split)| self.extent(n, split, mesh) as f64).product()
    }

    /// What applying a leaf takes, of which each factor is split so.
    pub fn applied(
        self,
        signature: &Signature,
        tile: &[Split],
        mesh: &Mesh,
        batch: f64,
        (args, results): (&[Type], &[Type]),
    ) -> Work {
        let cost = signature.cost_or_estimate();
        let more = results.iter().map(|ty| self.redundancy(ty, mesh)).fold(1.0, f64::max);
        let share = self.share(signature, tile, mesh) * more;
        Work {
            flops: cost.flops * share * batch,
            reads: cost.reads * share,
            moved: args.iter().chain(results).map(|ty| self.bytes(ty, mesh)).sum(),
            manner: signature.manner(batch),
        }
    }
}
