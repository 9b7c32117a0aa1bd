//! Where an operator takes real vectors only, and where it gives complex ones.
//!
//! This decides at construction whether an imaginary part would be lost without being asked for.
//! Blocks that share a domain with one that takes complex vectors take the real part, as in
//! PyLops; everywhere else that is an error.

use super::op::{Kind, Op, Stacked};
use super::parts::Parts;
use adjoin_passes::Dtype;
use adjoin_passes::ir::Elementwise;
use adjoin_passes::signature::{Signature, Typing};

/// What becomes of imaginary parts, forward and adjoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub forward: Side,
    pub adjoint: Side,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// For each part that it takes, whether an imaginary part would be lost.
    pub real_only: Vec<bool>,
    /// For each part that it gives, whether that is complex even for real vectors.
    pub complex: Vec<bool>,
    /// Whether complex vectors give complex ones.
    pub keeps: bool,
}

type Choose = fn(&Op) -> &Side;

const FORWARD: Choose = |op| &op.0.fields.forward;
const ADJOINT: Choose = |op| &op.0.fields.adjoint;

impl Fields {
    /// The fields of a node with these sides, whose operands are sound.
    pub fn of(kind: &Kind, domain: &Parts, range: &Parts) -> Self {
        let (n, m) = (domain.len(), range.len());
        let both = |side: &dyn Fn(Choose, usize, usize) -> Side| Fields {
            forward: side(FORWARD, n, m),
            adjoint: side(ADJOINT, m, n),
        };
        match kind {
            Kind::Leaf(operator, _) => Fields::leaf(operator.signature()),
            Kind::Element(map) => both(&|_, _, _| Side::element(*map, n)),
            Kind::Adjoint(a) | Kind::Transpose(a) => {
                Fields { forward: ADJOINT(a).clone(), adjoint: FORWARD(a).clone() }
            }
            Kind::Named(_, a)
            | Kind::Pinned(_, a)
            | Kind::Conj(a)
            | Kind::Neg(a)
            | Kind::Power(a, 1)
            | Kind::Rows(_, a) => a.0.fields.clone(),
            Kind::Flat(a) => both(&|of, n, m| of(a).aligned(n, m)),
            Kind::Scale(c, a) | Kind::Divide(a, c) => {
                both(&|of, _, _| of(a).scaled(c.is_complex()))
            }
            Kind::Sum(terms) => both(&|of, n, m| {
                let sides = terms.iter().map(|(_, a)| of(a).aligned(n, m));
                Side::fold(sides, or, or)
            }),
            Kind::Product(ops) => Fields {
                forward: Side::chain(ops.iter().rev().map(FORWARD), n, m),
                adjoint: Side::chain(ops.iter().map(ADJOINT), m, n),
            },
            Kind::Kronecker(a, b) => Fields {
                forward: Side::chain([b, a].into_iter().map(FORWARD), n, m),
                adjoint: Side::chain([a, b].into_iter().map(ADJOINT), m, n),
            },
            Kind::Power(_, 0) => both(&|_, _, _| Side::element(Elementwise::Identity, n)),
            Kind::Power(a, _) => both(&|of, n, m| Side::chain([of(a), of(a)].into_iter(), n, m)),
            Kind::Stack(how, blocks) => {
                let ops: Vec<&Op> = blocks.iter().map(|b| &b.op).collect();
                Fields::stack(*how, &ops, n, m)
            }
            Kind::Deep => Fields::default(),
        }
    }

    fn leaf(signature: &Signature) -> Self {
        let (takes, gives) = signature.types(Dtype::F32);
        let (n, m) = (signature.domain.len(), signature.range.len());
        Fields {
            forward: Side {
                real_only: vec![signature.typing == Typing::RealToComplex; n],
                complex: vec![gives.is_complex(); m],
                keeps: signature.typing != Typing::ComplexToReal,
            },
            adjoint: Side {
                real_only: vec![signature.typing == Typing::ComplexToReal; m],
                complex: vec![takes.is_complex(); n],
                keeps: signature.typing != Typing::RealToComplex,
            },
        }
    }

    fn stack(how: Stacked, ops: &[&Op], n: usize, m: usize) -> Self {
        let shared_domain = |of: Choose, n| {
            let sides = ops.iter().map(|op| of(op).aligned(n, of(op).complex.len()));
            Side::fold(sides, and, concat)
        };
        let shared_range = |of: Choose, m| {
            let sides = ops.iter().map(|op| of(op).aligned(of(op).real_only.len(), m));
            Side::fold(sides, concat, or)
        };
        let own = |of: Choose| Side::fold(ops.iter().map(|op| of(op).clone()), concat, concat);
        match how {
            Stacked::Vertical => {
                Fields { forward: shared_domain(FORWARD, n), adjoint: shared_range(ADJOINT, n) }
            }
            Stacked::Horizontal => {
                Fields { forward: shared_range(FORWARD, m), adjoint: shared_domain(ADJOINT, m) }
            }
            Stacked::Diagonal => Fields { forward: own(FORWARD), adjoint: own(ADJOINT) },
        }
    }
}

impl Side {
    fn element(map: Elementwise, parts: usize) -> Self {
        let keeps = match map {
            Elementwise::Identity | Elementwise::Zero | Elementwise::Conj => true,
            Elementwise::Real => false,
        };
        Side { real_only: vec![false; parts], complex: vec![false; parts], keeps }
    }

    fn scaled(&self, complex: bool) -> Self {
        let complex = self.complex.iter().map(|c| *c || complex).collect();
        Side { complex, ..self.clone() }
    }

    /// The same for other numbers of parts.
    fn aligned(&self, takes: usize, gives: usize) -> Self {
        Side {
            real_only: align(&self.real_only, takes),
            complex: align(&self.complex, gives),
            keeps: self.keeps,
        }
    }

    fn fold(sides: impl Iterator<Item = Side>, takes: Merge, gives: Merge) -> Self {
        let merge = |a: Side, b: Side| Side {
            real_only: takes(a.real_only, b.real_only),
            complex: gives(a.complex, b.complex),
            keeps: a.keeps || b.keeps,
        };
        sides.reduce(merge).unwrap_or_default()
    }

    /// One after the other, the first applied first.
    fn chain<'a>(mut sides: impl Iterator<Item = &'a Side>, takes: usize, gives: usize) -> Self {
        let Some(first) = sides.next() else { return Side::default() };
        let all = sides.fold(first.clone(), |so_far, next| Side {
            real_only: if so_far.keeps && next.real_only.contains(&true) {
                vec![true; so_far.real_only.len()]
            } else {
                so_far.real_only
            },
            complex: {
                let passed = next.keeps && so_far.complex.contains(&true);
                next.complex.iter().map(|c| *c || passed).collect()
            },
            keeps: so_far.keeps && next.keeps,
        });
        all.aligned(takes, gives)
    }
}

/// Whether parts that may be complex meet parts that take real ones only.
pub(super) fn loses(complex: &[bool], real_only: &[bool]) -> bool {
    align(complex, real_only.len()).iter().zip(real_only).any(|(c, r)| *c && *r)
}

fn align(flags: &[bool], parts: usize) -> Vec<bool> {
    if flags.len() == parts { flags.to_vec() } else { vec![flags.contains(&true); parts] }
}

type Merge = fn(Vec<bool>, Vec<bool>) -> Vec<bool>;

fn or(a: Vec<bool>, b: Vec<bool>) -> Vec<bool> {
    a.into_iter().zip(b).map(|(a, b)| a || b).collect()
}

fn and(a: Vec<bool>, b: Vec<bool>) -> Vec<bool> {
    a.into_iter().zip(b).map(|(a, b)| a && b).collect()
}

fn concat(a: Vec<bool>, b: Vec<bool>) -> Vec<bool> {
    [a, b].concat()
}
