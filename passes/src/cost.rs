//! What a placed plan costs on a machine: flops, memory traffic, messages and time of each node,
//! peak memory, and the lower bounds that no plan can beat.
//!
//! Local work is that of the rank that has most of it.
//! A value is read at the bandwidth of what was touched since it was touched last, so that what
//! follows its producer comes from a cache and what a whole iteration lies between does not.
//! In a region operator data is read once, and values that nobody outside needs are neither
//! written nor read.

mod account;
mod bounds;

pub use account::{Account, BlockCost, NodeCost, ONCE};
pub use bounds::{Floor, floor};

use crate::dtype::Dtype;
use crate::ir::{Applied, LeafId, Node, Op};
use crate::machine::{Machine, bytes, largest};
use crate::mesh::Mesh;
use crate::placement::{Split, Type};
use crate::signature::{Factor, Signature};

/// The local work of a node, without the operator data and vectors that it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Floating point operations.
    pub flops: f64,
    /// Bytes of operator data read.
    pub reads: f64,
    /// Bytes of vectors read and written.
    pub moved: f64,
}

/// What applying a leaf takes, of which each factor is split so.
pub fn applied(
    signature: &Signature,
    tile: &[Split],
    mesh: &Mesh,
    batch: f64,
    (args, results): (&[Type], &[Type]),
) -> Work {
    let cost = signature.cost_or_estimate();
    let share = share(signature, tile, mesh);
    Work {
        flops: cost.flops * share * batch,
        reads: cost.reads * share,
        moved: args.iter().chain(results).map(|ty| bytes(ty, mesh)).sum(),
    }
}

/// The fraction of an operator that the rank with most of it works on.
pub fn share(signature: &Signature, tile: &[Split], mesh: &Mesh) -> f64 {
    let factors = signature.rule.factors.iter().zip(tile);
    factors.map(|(factor, split)| heaviest(factor, split, mesh)).product()
}

/// The share of the heaviest piece of a factor.
fn heaviest(factor: &Factor, split: &Split, mesh: &Mesh) -> f64 {
    if split.axes.is_empty() {
        return 1.0;
    }
    let Some(weights) = &factor.weights else {
        return largest(factor.size, split, mesh) as f64 / factor.size.max(1) as f64;
    };
    let total: u64 = weights.iter().sum();
    let p = mesh.sizes(&split.axes) as f64;
    let top = weights.iter().copied().max().unwrap_or(0) as f64;
    (1.0 / p).max(top / total.max(1) as f64)
}

/// The trailing elements of an operand that come on top of those of the leaf's own parts.
pub fn batch(signature: &Signature, adjoint: bool, arg: &Type, mesh: &Mesh) -> f64 {
    let own = if adjoint { signature.range[0].len() } else { signature.domain[0].len() };
    let dims = arg.dims.iter().zip(&arg.placement.splits).skip(own);
    dims.map(|(&n, split)| largest(n, split, mesh) as f64).product()
}

/// The leaf that a node applies, and whether its adjoint.
pub fn leaf_of(node: &Node) -> Option<(LeafId, bool)> {
    match node.op {
        Op::Apply(Applied::Leaf(leaf)) => Some((leaf, false)),
        Op::Apply(Applied::Adjoint(leaf)) => Some((leaf, true)),
        _ => None,
    }
}

/// The operations of a node that applies no operator.
fn elementwise(op: &Op, args: &[Type], results: &[Type], mesh: &Mesh) -> f64 {
    let len = |tys: &[Type]| tys.iter().map(|t| crate::machine::largest_len(t, mesh)).sum::<f64>();
    let complex = args.iter().any(|t| t.dtype.is_complex());
    let each = |real: f64| if complex { 4.0 * real } else { real };
    match op {
        Op::Add | Op::Sub => len(args) - len(results),
        Op::Neg | Op::Scale | Op::Map(_) => each(len(results)),
        Op::Axpy => each(2.0) * len(results),
        Op::Dot { .. } | Op::Dots | Op::Combine => each(2.0) * len(&args[..1]).max(len(&args[1..])),
        Op::Reduce(_) => each(len(args)),
        _ => 0.0,
    }
}

/// The element type in which a node computes.
fn precision(args: &[Type], results: &[Type]) -> Dtype {
    let types = args.iter().chain(results).map(|t| t.dtype);
    types.max_by_key(|d| d.size()).unwrap_or(Dtype::F64)
}

impl Machine {
    /// Seconds of local work that reads everything from far away.
    pub fn seconds(&self, dtype: Dtype, work: Work) -> f64 {
        self.launch + self.roofline(dtype, work.flops, work.reads + work.moved)
    }
}
