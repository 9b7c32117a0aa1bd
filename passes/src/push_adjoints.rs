//! Moves adjoints, transposes and conjugates down to the leaves.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[2, 3]
//! let B = (i) <- (j) : f64[3, 4]
//! term t0 = A @ B
//! term t1 = t0.H
//! %0 = input y : f64[2]
//! %1 = apply t1 %0 : f64[4]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[2, 3]
//! let B = (i) <- (j)              : f64[3, 4]
//! term t0 = B.H
//! term t1 = A.H
//! term t2 = t0 @ t1
//! %0 = input y                    : f64[2]
//! %1 = apply t2 %0                : f64[4]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! (A B)ᴴ = Bᴴ Aᴴ, (A + B)ᴴ = Aᴴ + Bᴴ, (cA)ᴴ = Aᴴ c̄, `VStack`ᴴ = `HStack` of adjoints, Aᴴᴴ = A;
//! (A ⊗ B)ᴴ = Aᴴ ⊗ Bᴴ where they commute, Aᵀ = conj(Aᴴ), and conj(A) = conj ∘ A ∘ conj, which is A
//! itself for real operators.
//! Numerics class: E.

use crate::error::PlanError;
use crate::ir::{
    Applied, Block, Coefficient, Elementwise, LeafId, Node, Op, Plan, Term, TermId, Value,
};
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::Type;
use crate::signature::{Linearity, Typing};
use crate::terms;

/// The pass.
pub struct PushAdjoints;

impl Pass for PushAdjoints {
    fn name(&self) -> &'static str {
        "push-adjoints"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(terms_rewritten(plan, |from, to, t| push(from, to, t, false, false)))
    }
}

/// Rebuilds the terms of all `apply` nodes with a function from the old plan to the new one.
/// A rewritten term may give another element type, as where what promoted the vector cancels:
/// then a cast gives the old one.
pub(crate) fn terms_rewritten(
    plan: &Plan,
    mut rewrite: impl FnMut(&Plan, &mut Plan, TermId) -> TermId,
) -> Plan {
    let mut out = Plan { terms: Vec::new(), blocks: Vec::new(), ..plan.clone() };
    let mut blocks = plan.blocks.clone();
    for block in &mut blocks {
        for mut node in std::mem::take(&mut block.nodes) {
            let mut casts = Vec::new();
            if let Op::Apply(Applied::Term(t)) = &mut node.op {
                *t = rewrite(plan, &mut out, *t);
                casts = retyped(&out, block, *t, &mut node);
            }
            block.nodes.push(node);
            block.nodes.extend(casts);
        }
    }
    out.blocks = blocks;
    out
}

/// Gives an application results of the types that its term makes, and casts them to the old ones.
fn retyped(plan: &Plan, block: &mut Block, term: TermId, node: &mut Node) -> Vec<Node> {
    let args: Vec<_> = node.args.iter().map(|&v| block.ty(v).dtype).collect();
    let mut casts = Vec::new();
    for (result, dtype) in node.results.iter_mut().zip(terms::forward(plan, term, &args)) {
        let old = block.ty(*result).clone();
        if old.dtype != dtype {
            let made = Value(block.types.len() as u32);
            block.types.push(Type { dtype, ..old });
            casts.push(Node { op: Op::Cast, args: vec![made], results: vec![*result] });
            *result = made;
        }
    }
    casts
}

fn push(from: &Plan, to: &mut Plan, term: TermId, adjoint: bool, conj: bool) -> TermId {
    let each = |to: &mut Plan, ts: &[TermId]| -> Vec<TermId> {
        ts.iter().map(|&t| push(from, to, t, adjoint, conj)).collect()
    };
    let term = match &from[term] {
        Term::Adjoint(t) => return push(from, to, *t, !adjoint, conj),
        Term::Transpose(t) => return push(from, to, *t, !adjoint, !conj),
        Term::Conj(t) => return push(from, to, *t, adjoint, !conj),
        Term::Leaf(leaf) => return leaf_term(to, *leaf, adjoint, conj),
        Term::Scale(c, t) => {
            let inner = push(from, to, *t, adjoint, conj);
            let flipped = adjoint != conj;
            let c = if flipped { c.conj(|s| !from[s].dtype.is_complex()) } else { c.clone() };
            return scaled(to, c, inner, adjoint);
        }
        Term::Sum(ts) => Term::Sum(each(to, ts)),
        Term::Product(ts) => {
            let mut ts = each(to, ts);
            if adjoint {
                ts.reverse();
            }
            Term::Product(ts)
        }
        Term::VStack(ts) if adjoint => Term::HStack(each(to, ts)),
        Term::HStack(ts) if adjoint => Term::VStack(each(to, ts)),
        Term::VStack(ts) => Term::VStack(each(to, ts)),
        Term::HStack(ts) => Term::HStack(each(to, ts)),
        Term::BlockDiag(ts) => Term::BlockDiag(each(to, ts)),
        Term::Element(map, shapes) => Term::Element(*map, shapes.clone()),
        Term::Regroup(a, b) if adjoint => Term::Regroup(b.clone(), a.clone()),
        Term::Regroup(a, b) => Term::Regroup(a.clone(), b.clone()),
        Term::Lift(t, extra) => {
            let inner = push(from, to, *t, adjoint, conj);
            Term::Lift(inner, extra.clone())
        }
        Term::Kronecker([a, b]) if adjoint && !terms::commutes(from, *a, *b) => {
            // B goes first, so its adjoint goes last: (A ⊗ 1)(1 ⊗ B) turned around.
            let (outer, inner) = (terms::domain(from, *a), terms::range(from, *b));
            let [a, b] = [a, b].map(|&t| push(from, to, t, true, conj));
            let [outer, inner] =
                [outer, inner].map(|s| to.term(Term::Element(Elementwise::Identity, s)));
            let factors = [[outer, b], [a, inner]].map(|ts| to.term(Term::Kronecker(ts)));
            Term::Product(factors.to_vec())
        }
        Term::Kronecker(ts) => Term::Kronecker(ts.map(|t| push(from, to, t, adjoint, conj))),
    };
    to.term(term)
}

fn leaf_term(to: &mut Plan, leaf: LeafId, adjoint: bool, conj: bool) -> TermId {
    let s = to[leaf].signature.clone();
    let mut term = to.term(Term::Leaf(leaf));
    if adjoint && !s.laws.self_adjoint {
        term = to.term(Term::Adjoint(term));
    }
    let real =
        !s.dtype.is_complex() && s.typing == Typing::Same && s.linearity == Linearity::Complex;
    if !conj || real {
        return term;
    }
    let (domain, range) = terms::sides(to, term);
    let before = to.term(Term::Element(Elementwise::Conj, domain));
    let after = to.term(Term::Element(Elementwise::Conj, range));
    to.term(Term::Product(vec![after, term, before]))
}

/// `c A`, or `A c` where that is not the same.
fn scaled(to: &mut Plan, c: Coefficient, inner: TermId, adjoint: bool) -> TermId {
    if !adjoint || !terms::is_complex(to, &c) || terms::is_complex_linear(to, inner) {
        return to.term(Term::Scale(c, inner));
    }
    let domain = terms::domain(to, inner);
    let identity = to.term(Term::Element(Elementwise::Identity, domain));
    let scale = to.term(Term::Scale(c, identity));
    to.term(Term::Product(vec![inner, scale]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, terms as shown, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn stacks_sums_and_scalars_turn_around() {
        let plan = after(
            &PushAdjoints,
            "mesh 1 rank
            let A = (i) <- (j) : c128[2, 3]
            let B = (i) <- (j) : c128[4, 3]
            slot a : c128
            term t0 = scale -a B
            term t1 = vstack A t0
            term t2 = t1.H
            %0 = input x : c128[2]
            %1 = input y : c128[4]
            %2 = apply t2 %0 %1 : c128[3]
            return %2",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = A.H
        term t1 = B.H
        term t2 = scale -conj(a) t1
        term t3 = hstack t0 t2
        %2 = apply t3 %0 %1             : c128[3]
        ");
    }

    #[test]
    fn a_complex_scalar_stays_inside_the_adjoint_of_a_real_linear_operator() {
        let plan = after(
            &PushAdjoints,
            "mesh 1 rank
            let N = (i) <- (j) real : c128[2, 3]
            slot a : c128
            term t0 = scale a N
            term t1 = t0.H
            %0 = input x : c128[2]
            %1 = apply t1 %0 : c128[3]
            return %1",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = N.H
        term t1 = identity [2]
        term t2 = scale conj(a) t1
        term t3 = t0 @ t2
        %1 = apply t3 %0                : c128[3]
        ");
    }

    #[test]
    fn only_complex_operators_need_conjugates() {
        let plan = after(
            &PushAdjoints,
            "mesh 1 rank
            let A = (i) <- (j) : c128[2, 3]
            let B = (i) <- (j) : f64[2, 3]
            term t0 = A.conj
            term t1 = B.T
            term t2 = t1 @ t0
            %0 = input x : c128[3]
            %1 = apply t2 %0 : c128[3]
            return %1",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = B.H
        term t1 = conj [2]
        term t2 = A
        term t3 = conj [3]
        term t4 = t1 @ A @ t3
        term t5 = t0 @ t4
        %1 = apply t5 %0                : c128[3]
        ");
    }

    #[test]
    fn leaves_and_their_adjoints_stay() {
        let plan = "mesh 1 rank
            let A = (i) <- (j) : f64[2, 3]
            term t0 = A.H
            term t1 = t0 @ A
            %0 = input x : f64[3]
            %1 = apply t1 %0 : f64[3]
            return %1";
        assert!(unchanged(&PushAdjoints, plan));
    }
}
