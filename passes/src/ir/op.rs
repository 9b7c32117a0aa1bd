//! What a node can do.

use super::{LeafId, SlotId, TermId};
use crate::mesh::Axis;
use serde::{Deserialize, Serialize};

/// What a node does. The result's type says the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Op {
    /// A part that the caller hands in.
    Input(String),
    /// The value of a slot.
    Slot(SlotId),
    /// The value of a state variable at the start of the block.
    Get(u32),
    /// Zeros.
    Zero,
    /// An operator on the parts of its domain.
    Apply(Applied),
    /// The sum of any number of values.
    Add,
    /// `x - y`
    Sub,
    /// `-x`
    Neg,
    /// `a x`; `a` may have the trailing dims of `x`.
    Scale,
    /// `a x + y`
    Axpy,
    /// The complex conjugate.
    Conj,
    /// The projection onto the range of a product of leaves.
    Project(Projection),
    /// Another element type; complex to real keeps the real part.
    Cast,
    /// The same elements in another shape.
    Reshape,
    /// Parts one after the other as one flat part.
    Concat,
    /// The elements of a flat part from this one on.
    Part(usize),
    /// `Σ conj(x) y` over all dims but the last `columns`.
    Dot {
        /// How many trailing dims keep an index of their own.
        columns: usize,
        /// Whether only the real part is wanted.
        real: bool,
    },
    /// A function of elements, not linear; scalars apply to every element.
    Map(Map),
    /// A function of whole replicated values, by name.
    Call(String),
    /// A reduction that is no sum; settled at once.
    Reduce(Reduction),
    /// Index `k` (second argument) of the leading dim.
    Take,
    /// The first argument with index `k` (second) of the leading dim replaced by the third.
    Put,
    /// `Σ_k h[k] V[k, ..]`
    Combine,
    /// `h[k] = Σ conj(V[k, ..]) x`
    Dots,
    /// One at the index that the argument names, zero elsewhere.
    OneHot,
    /// Settles pending sums.
    AllReduce(Vec<Axis>),
    /// Settles a pending sum and splits a dim over its axes; the operands after the first are
    /// settled for every rank with it.
    ReduceScatter(Vec<Axis>),
    /// Makes every rank along the axes hold all of a split dim; the operands after the first are
    /// pending sums, of which every rank gets the parts too and adds them in the order of ranks.
    AllGather(Vec<Axis>),
    /// Splits another dim over the axis.
    AllToAll(Axis),
    /// Other cut points, or another order of axes.
    Exchange,
    /// Fills ghost cells.
    Halo,
    /// Adds ghost contributions to their owners.
    HaloSum,
    /// Keeps what the result's placement says; no communication.
    Slice,
    /// A split value as a pending sum, zero where it was not held.
    Pad(Vec<Axis>),
    /// A replicated value as a pending sum: zero except on the first rank of each axis.
    Partial(Vec<Axis>),
    /// To another memory.
    Copy,
}

/// The projection onto the range of a product of leaves that drops imaginary parts and nothing else
/// (see [`crate::spectrum`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Projection {
    /// The leaves of the product, of which the last is applied first.
    pub onto: Vec<LeafId>,
    /// The dim along which elements differ.
    pub dim: usize,
    /// The indices of that dim where elements are real, ascending.
    pub real: Vec<usize>,
}

/// An operator at an `apply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Applied {
    /// A composite operator; only before expansion.
    Term(TermId),
    /// A leaf.
    Leaf(LeafId),
    /// The adjoint of a leaf.
    Adjoint(LeafId),
}

/// Functions of elements. All but the first two are opaque to the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Map {
    /// `x y`
    Mul,
    /// `x / y`, zero where `y` is
    Div,
    /// The square root.
    Sqrt,
    /// The absolute value.
    Abs,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// One where `x < y`, else zero.
    Less,
    /// `x` where the first argument is not zero, else `y`.
    Select,
    /// Soft threshold of `x` at `t`.
    Soft,
    /// Hard threshold of `x` at `t`.
    Hard,
    /// `x` between `lo` and `hi`.
    Clip,
    /// Anything else, by name.
    Named(String),
}

/// Reductions that are no sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reduction {
    /// The largest absolute value.
    Max,
    /// The flat index of the largest absolute value; the first of equals.
    ArgMax,
}

impl Op {
    /// Whether the node communicates.
    pub fn communicates(&self) -> bool {
        matches!(
            self,
            Op::AllReduce(_)
                | Op::ReduceScatter(_)
                | Op::AllGather(_)
                | Op::AllToAll(_)
                | Op::Exchange
                | Op::Halo
                | Op::HaloSum
                | Op::Reduce(_)
        )
    }
}
