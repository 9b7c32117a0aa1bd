//! What a placed plan costs on a machine: flops, memory traffic, messages and time of each node,
//! peak memory, and the lower bounds that no plan can beat.
//!
//! Local work is that of the rank that has most of it, or of one rank ([`Whose`]).
//! A value is read at the bandwidth of a working set that is all that was touched since its place
//! in memory was touched last, so that what follows its producer comes from a cache and what a
//! whole iteration lies between does not, unless all of the iteration fits there.
//! How fast that and the arithmetic go depends on the kind of work (`Signature::manner`), and on how
//! many ranks of a node work at once (`Machine::among`).
//! In a region operator data is read once from afar, and so is each place where vectors lie; what is
//! made there is written once, unless it is nowhere kept as a whole.

mod account;
mod bounds;
mod reuse;
mod whose;

pub(crate) use account::runs;
pub use account::{Account, BlockCost, NodeCost, ONCE, nodes};
pub use bounds::{Floor, floor};
pub use whose::Whose;

use crate::dtype::Dtype;
use crate::ir::{Applied, LeafId, Node, Op};
use crate::machine::{Machine, Manner};
use crate::mesh::Mesh;
use crate::placement::{Split, Type};
use crate::signature::Signature;

/// The local work of a node, without the operator data and vectors that it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Floating point operations.
    pub flops: f64,
    /// Bytes of operator data read.
    pub reads: f64,
    /// Bytes of vectors read and written.
    pub moved: f64,
    /// What kind of work it is.
    pub manner: Manner,
}

/// What applying a leaf takes for the rank with most of it; see [`Whose::applied`].
pub fn applied(
    signature: &Signature,
    tile: &[Split],
    mesh: &Mesh,
    batch: f64,
    types: (&[Type], &[Type]),
) -> Work {
    Whose::Largest.applied(signature, tile, mesh, batch, types)
}

/// The fraction of an operator that the rank with most of it works on.
pub fn share(signature: &Signature, tile: &[Split], mesh: &Mesh) -> f64 {
    Whose::Largest.share(signature, tile, mesh)
}

/// The trailing elements of an operand that come on top of those of the leaf's own parts.
pub fn batch(signature: &Signature, adjoint: bool, arg: &Type, mesh: &Mesh) -> f64 {
    Whose::Largest.batch(signature, adjoint, arg, mesh)
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
fn elementwise(op: &Op, whose: Whose, mesh: &Mesh, args: &[Type], results: &[Type]) -> f64 {
    let len = |tys: &[Type]| tys.iter().map(|t| whose.len(t, mesh)).sum::<f64>();
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

/// The element type in which a node computes: that of its vectors, whatever its numbers are.
fn precision(args: &[Type], results: &[Type]) -> Dtype {
    let types = || args.iter().chain(results);
    let vectors = types().filter(|t| !t.dims.is_empty()).map(|t| t.dtype).max_by_key(|d| d.size());
    vectors.unwrap_or(if types().any(|t| t.dtype.is_complex()) { Dtype::C128 } else { Dtype::F64 })
}

impl Machine {
    /// Seconds of local work that reads everything from far away.
    pub fn seconds(&self, dtype: Dtype, work: Work) -> f64 {
        let bytes = work.reads + work.moved;
        let traffic = bytes / self.flow(work.manner, bytes);
        self.begin() + self.work(work.manner, dtype, work.flops, traffic)
    }
}
