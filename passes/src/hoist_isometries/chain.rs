//! The product of operators with which all that takes a vector begins.

use crate::dtype::Dtype;
use crate::ir::{Applied, LeafId, Plan, Projection};
use crate::placement::Type;
use crate::signature::{Linearity, Typing};
use crate::spectrum::{HalfSpectrum, projection};

/// An operator W with `W W.H = Π`, as leaves in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// Leaves and adjoints.
    pub steps: Vec<Applied>,
    /// The types before each and after the last.
    pub types: Vec<Type>,
    /// Π, where it is not 1.
    pub projection: Option<Projection>,
    /// Whether `W.H W = 1`, so that there is no rest.
    pub complete: bool,
}

impl Chain {
    /// The empty product on vectors of this type.
    pub fn new(ty: &Type) -> Self {
        Chain { types: vec![ty.clone()], complete: true, ..Chain::default() }
    }

    /// The type of coordinates.
    pub fn coordinates(&self) -> &Type {
        &self.types[self.types.len() - 1]
    }

    /// The chain with another operator at its end, if the lemmas cover it.
    pub fn then(&self, plan: &Plan, step: Applied) -> Option<Self> {
        let (leaf, adjoint) = match step {
            Applied::Leaf(leaf) => (leaf, false),
            Applied::Adjoint(leaf) => (leaf, true),
            Applied::Term(_) => return None,
        };
        let signature = &plan[leaf].signature;
        let (from, to) = if adjoint {
            (&signature.range, &signature.domain)
        } else {
            (&signature.domain, &signature.range)
        };
        let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return None };
        let before = self.coordinates();
        let extra = before.dims.strip_prefix(from.as_slice())?;
        let laws = signature.laws;
        let (one, other) = if adjoint {
            (laws.isometry, laws.co_isometry)
        } else {
            (laws.co_isometry, laws.isometry)
        };
        let plain =
            one && signature.typing == Typing::Same && signature.linearity == Linearity::Complex;
        let (projection, dtype) = match &self.projection {
            None if plain => (None, before.dtype),
            None if !adjoint && HalfSpectrum::of(signature).is_some() => {
                (Some(projection(plan, &[leaf])?), before.dtype.complex())
            }
            Some(known) if plain && !adjoint => {
                let onto: Vec<LeafId> = [&[leaf], known.onto.as_slice()].concat();
                (Some(projection(plan, &onto)?), before.dtype)
            }
            None | Some(_) => return None,
        };
        if !keeps(signature.dtype, before.dtype) {
            return None;
        }
        let after = Type::new(&[to.as_slice(), extra].concat(), dtype);
        let mut out = self.clone();
        out.steps.push(step);
        out.types.push(after);
        out.projection = projection;
        out.complete &= other;
        Some(out)
    }
}

/// Whether an operator of this type leaves that of a vector.
fn keeps(operator: Dtype, vector: Dtype) -> bool {
    operator.promote(vector) == vector || operator.real().promote(vector) == vector
}

/// The adjoint of a leaf or of an adjoint.
pub(super) fn adjoint(step: Applied) -> Applied {
    match step {
        Applied::Leaf(leaf) => Applied::Adjoint(leaf),
        Applied::Adjoint(leaf) => Applied::Leaf(leaf),
        Applied::Term(term) => Applied::Term(term),
    }
}
