//! Shows normal operators of stacks as sums of those of their blocks.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[2, 3]
//! let B = (i) <- (j)              : f64[4, 3]
//! let W = (i) <- (i) diagonal     : f64[4]
//! term t0 = vstack A B
//! term t1 = identity [2]
//! term t2 = blockdiag t1 W
//! term t3 = A.H
//! term t4 = B.H
//! term t5 = hstack t3 t4
//! term t6 = t5 @ t2 @ t0
//! %0 = input x                    : f64[3]
//! %1 = apply t6 %0                : f64[3]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[2, 3]
//! let B = (i) <- (j)              : f64[4, 3]
//! let W = (i) <- (i) diagonal     : f64[4]
//! term t0 = A.H
//! term t1 = t0 @ A
//! term t2 = B.H
//! term t3 = t2 @ W @ B
//! term t4 = sum t1 t3
//! %0 = input x                    : f64[3]
//! %1 = apply t4 %0                : f64[3]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! `HStack(Aᵢ) VStack(Bᵢ)` is `Σ Aᵢ Bᵢ`, and a `BlockDiag` between or beside stacks multiplies
//! their blocks, where both are cut into the same parts.
//! So each block stands next to its own adjoint, and what its rows make can be forgotten before
//! the next block begins: `VStack(Aᵢ).H W VStack(Aᵢ)` is `Σ Aᵢ.H Wᵢ Aᵢ`, however it was written.
//! Numerics class: E, as the terms are added in the order of the blocks either way.

use crate::error::PlanError;
use crate::ir::{Elementwise, Plan, Term, TermId};
use crate::pipeline::{Context, Numerics, Pass};
use crate::push_adjoints::terms_rewritten;
use crate::terms;

/// The pass.
pub struct RecogniseNormal;

impl Pass for RecogniseNormal {
    fn name(&self) -> &'static str {
        "recognise-normal"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(terms_rewritten(plan, shown))
    }
}

fn shown(from: &Plan, to: &mut Plan, term: TermId) -> TermId {
    let mut each =
        |ts: &[TermId]| -> Vec<TermId> { ts.iter().map(|&t| shown(from, to, t)).collect() };
    let made = match &from[term] {
        Term::Product(ts) => {
            let ts = each(ts);
            let flat = ts.into_iter().flat_map(|t| factors(to, t)).collect();
            return product(to, flat);
        }
        Term::Sum(ts) => Term::Sum(each(ts)),
        Term::VStack(ts) => Term::VStack(each(ts)),
        Term::HStack(ts) => Term::HStack(each(ts)),
        Term::BlockDiag(ts) => Term::BlockDiag(each(ts)),
        Term::Adjoint(t) => Term::Adjoint(shown(from, to, *t)),
        Term::Transpose(t) => Term::Transpose(shown(from, to, *t)),
        Term::Conj(t) => Term::Conj(shown(from, to, *t)),
        Term::Scale(c, t) => Term::Scale(c.clone(), shown(from, to, *t)),
        Term::Lift(t, extra) => Term::Lift(shown(from, to, *t), extra.clone()),
        Term::Kronecker(ts) => Term::Kronecker(ts.map(|t| shown(from, to, t))),
        Term::Leaf(_) | Term::Element(..) | Term::Regroup(..) => from[term].clone(),
    };
    to.term(made)
}

/// The product of factors, each multiplied with the one before it if both are stacks.
fn product(to: &mut Plan, factors: Vec<TermId>) -> TermId {
    let mut kept: Vec<TermId> = Vec::new();
    for factor in factors {
        let mut next = factor;
        while let Some(both) = kept.last().and_then(|&last| meet(to, last, next)) {
            kept.pop();
            next = both;
        }
        kept.push(next);
    }
    match kept.as_slice() {
        [one] => *one,
        _ => to.term(Term::Product(kept)),
    }
}

/// `left @ right`, if blocks of both meet one to one.
fn meet(to: &mut Plan, left: TermId, right: TermId) -> Option<TermId> {
    type Stack = fn(Vec<TermId>) -> Term;
    let (a, b, stack): (_, _, Stack) = match (to[left].clone(), to[right].clone()) {
        (Term::HStack(a), Term::VStack(b)) => (a, b, Term::Sum),
        (Term::HStack(a), Term::BlockDiag(b)) => (a, b, Term::HStack),
        (Term::BlockDiag(a), Term::VStack(b)) => (a, b, Term::VStack),
        (Term::BlockDiag(a), Term::BlockDiag(b)) => (a, b, Term::BlockDiag),
        _ => return None,
    };
    let fits = |(&a, &b): (&TermId, &TermId)| terms::domain(to, a) == terms::range(to, b);
    if a.len() != b.len() || !a.iter().zip(&b).all(fits) {
        return None;
    }
    let blocks = a.into_iter().zip(b).map(|(a, b)| times(to, a, b)).collect();
    Some(to.term(stack(blocks)))
}

/// The product of two blocks, flat and without identities.
fn times(to: &mut Plan, left: TermId, right: TermId) -> TermId {
    let all = [factors(to, left), factors(to, right)].concat();
    let identity = |t: &TermId| matches!(to[*t], Term::Element(Elementwise::Identity, _));
    let kept: Vec<_> = all.into_iter().filter(|t| !identity(t)).collect();
    if kept.is_empty() { left } else { product(to, kept) }
}

fn factors(plan: &Plan, term: TermId) -> Vec<TermId> {
    if let Term::Product(ts) = &plan[term] { ts.clone() } else { vec![term] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, terms as text, unchanged};
    use insta::assert_snapshot;

    const HEAD: &str = "mesh 1 rank
            let A = (i) <- (j) : c128[2, 3]
            let B = (i) <- (j) : c128[4, 3]
            let C = (i) <- (j) : c128[6, 3]
            let D = (i) <- (j) : c128[6, 6]
            term t0 = vstack A B";

    #[test]
    fn nested_stacks_meet_from_the_inside_out() {
        let plan = after(
            &RecogniseNormal,
            &format!(
                "{HEAD}
                let S = (i) <- (j) : c128[2, 2]
                let T = (i) <- (j) : c128[4, 4]
                term t1 = blockdiag S T
                term t2 = S.H
                term t3 = T.H
                term t4 = blockdiag t2 t3
                term t5 = A.H
                term t6 = B.H
                term t7 = hstack t5 t6
                term t8 = t7 @ t4 @ t1 @ t0
                %0 = input x : c128[3]
                %1 = apply t8 %0 : c128[3]
                return %1"
            ),
        );
        assert_snapshot!(text(&plan), @"
        term t0 = A.H
        term t1 = S.H
        term t2 = t0 @ t1 @ S @ A
        term t3 = B.H
        term t4 = T.H
        term t5 = t3 @ t4 @ T @ B
        term t6 = sum t2 t5
        %1 = apply t6 %0                : c128[3]
        ");
    }

    #[test]
    fn blocks_that_are_cut_otherwise_stay() {
        let plan = format!(
            "{HEAD}
            term t1 = B.H
            term t2 = A.H
            term t3 = regroup [2] [4] -> [4] [2]
            term t4 = hstack t1 t2
            term t5 = t4 @ t3 @ t0
            %0 = input x : c128[3]
            %1 = apply t5 %0 : c128[3]
            return %1"
        );
        assert!(unchanged(&RecogniseNormal, &plan));
    }

    #[test]
    fn a_stack_that_no_other_meets_stays() {
        let plan = format!(
            "{HEAD}
            term t1 = regroup [2] [4] -> [6]
            term t2 = C.H
            term t3 = t2 @ D @ t1 @ t0
            %0 = input x : c128[3]
            %1 = apply t3 %0 : c128[3]
            return %1"
        );
        assert!(unchanged(&RecogniseNormal, &plan));
    }
}
