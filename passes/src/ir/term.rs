//! Composite operators, as plans have them before they are expanded.

use super::{LeafId, SlotId, TermId};
use serde::{Deserialize, Serialize};

/// A composite operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Term {
    /// A leaf.
    Leaf(LeafId),
    /// `Aᴴ`
    Adjoint(TermId),
    /// `Aᵀ`
    Transpose(TermId),
    /// `conj(A)`
    Conj(TermId),
    /// `cA`, the product of a sign and some slots
    Scale(Coefficient, TermId),
    /// `A + B + …`
    Sum(Vec<TermId>),
    /// `A B …`, the rightmost is applied first
    Product(Vec<TermId>),
    /// Blocks below each other: one domain, the parts of all ranges
    VStack(Vec<TermId>),
    /// Blocks beside each other: the parts of all domains, one range
    HStack(Vec<TermId>),
    /// Blocks on the diagonal
    BlockDiag(Vec<TermId>),
    /// A linear map of elements, on parts of these shapes.
    Element(Elementwise, Vec<Vec<usize>>),
    /// The same elements in row-major order as parts of other shapes.
    Regroup(Vec<Vec<usize>>, Vec<Vec<usize>>),
    /// `A` on each index of additional trailing dims.
    Lift(TermId, Vec<usize>),
    /// `A ⊗ B`, each with one part on either side: `B` on the trailing dims of each index of the
    /// leading ones, and then `A` on the leading dims.
    Kronecker([TermId; 2]),
}

/// Linear maps that act element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Elementwise {
    /// `x`
    Identity,
    /// `0 x`
    Zero,
    /// The real part, as a real array.
    Real,
    /// The complex conjugate.
    Conj,
}

/// A sign and a product of slots, some conjugated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coefficient {
    /// Whether the product is negated.
    pub negative: bool,
    /// The slots, ascending, with whether each is conjugated.
    pub slots: Vec<(SlotId, bool)>,
}

impl Term {
    /// The terms that it is made of, in the order in which they are written.
    pub fn operands(&self) -> &[TermId] {
        match self {
            Term::Leaf(_) | Term::Element(..) | Term::Regroup(..) => &[],
            Term::Adjoint(t)
            | Term::Transpose(t)
            | Term::Conj(t)
            | Term::Scale(_, t)
            | Term::Lift(t, _) => std::slice::from_ref(t),
            Term::Kronecker(ts) => ts,
            Term::Sum(ts)
            | Term::Product(ts)
            | Term::VStack(ts)
            | Term::HStack(ts)
            | Term::BlockDiag(ts) => ts,
        }
    }

    /// The same, to be replaced.
    pub fn operands_mut(&mut self) -> &mut [TermId] {
        match self {
            Term::Leaf(_) | Term::Element(..) | Term::Regroup(..) => &mut [],
            Term::Adjoint(t)
            | Term::Transpose(t)
            | Term::Conj(t)
            | Term::Scale(_, t)
            | Term::Lift(t, _) => std::slice::from_mut(t),
            Term::Kronecker(ts) => ts,
            Term::Sum(ts)
            | Term::Product(ts)
            | Term::VStack(ts)
            | Term::HStack(ts)
            | Term::BlockDiag(ts) => ts,
        }
    }
}

impl Coefficient {
    /// The product of two.
    pub fn times(&self, other: &Self) -> Self {
        let mut slots: Vec<_> = self.slots.iter().chain(&other.slots).copied().collect();
        slots.sort_unstable();
        Coefficient { negative: self.negative != other.negative, slots }
    }

    /// The complex conjugate; `real` tells which slots are real.
    pub fn conj(&self, real: impl Fn(SlotId) -> bool) -> Self {
        let slots = self.slots.iter().map(|&(s, c)| (s, !c && !real(s))).collect();
        Coefficient { negative: self.negative, slots }
    }

    /// Whether it is plainly 1.
    pub fn is_one(&self) -> bool {
        !self.negative && self.slots.is_empty()
    }
}
