//! Whose share of the work is counted: that of the rank with most of it, or of one rank.

use super::Work;
use crate::mesh::Mesh;
use crate::placement::{Split, Type};
use crate::signature::{Factor, Signature};

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

    /// The elements of a value that are owned.
    pub fn len(self, ty: &Type, mesh: &Mesh) -> f64 {
        let dims = ty.dims.iter().zip(&ty.placement.splits);
        dims.map(|(&n, split)| self.extent(n, split, mesh) as f64).product()
    }

    /// The bytes of a value that are owned.
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
        let share = self.share(signature, tile, mesh);
        Work {
            flops: cost.flops * share * batch,
            reads: cost.reads * share,
            moved: args.iter().chain(results).map(|ty| self.bytes(ty, mesh)).sum(),
        }
    }
}
