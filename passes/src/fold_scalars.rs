//! Gathers scalars: one coefficient for each product.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[2, 3]
//! let B = (i) <- (j) : f64[3, 4]
//! slot a : f64
//! slot b : f64
//! term t0 = scale a B
//! term t1 = A @ t0
//! term t2 = scale -b t1
//! %0 = input x : f64[4]
//! %1 = apply t2 %0 : f64[2]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[2, 3]
//! let B = (i) <- (j)              : f64[3, 4]
//! slot a                          : f64
//! slot b                          : f64
//! term t0 = A @ B
//! term t1 = scale -a b t0
//! %0 = input x                    : f64[4]
//! %1 = apply t1 %0                : f64[2]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! A complex scalar passes only complex-linear operators; a real one passes all.
//! Numerics class: F, as one rounding moves.

use crate::error::PlanError;
use crate::ir::{Coefficient, Plan, Term, TermId};
use crate::pipeline::{Context, Numerics, Pass};
use crate::push_adjoints::terms_rewritten;
use crate::terms;

/// The pass.
pub struct FoldScalars;

impl Pass for FoldScalars {
    fn name(&self) -> &'static str {
        "fold-scalars"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(terms_rewritten(plan, |from, to, t| {
            let (c, t) = fold(from, to, t);
            scale(to, c, t)
        }))
    }
}

fn scale(to: &mut Plan, c: Coefficient, t: TermId) -> TermId {
    if c.is_one() { t } else { to.term(Term::Scale(c, t)) }
}

/// The term as a coefficient and what is left.
fn fold(from: &Plan, to: &mut Plan, term: TermId) -> (Coefficient, TermId) {
    let each = |to: &mut Plan, ts: &[TermId]| -> Vec<TermId> {
        let mut one = |&t: &TermId| {
            let (c, t) = fold(from, to, t);
            scale(to, c, t)
        };
        ts.iter().map(&mut one).collect()
    };
    let one = |to: &mut Plan, t: TermId| {
        let (c, t) = fold(from, to, t);
        scale(to, c, t)
    };
    let plain = match &from[term] {
        Term::Scale(c, t) => {
            let (inner, t) = fold(from, to, *t);
            return (c.times(&inner), t);
        }
        Term::Product(ts) => return product(from, to, ts),
        Term::Leaf(leaf) => Term::Leaf(*leaf),
        Term::Adjoint(t) => Term::Adjoint(one(to, *t)),
        Term::Transpose(t) => Term::Transpose(one(to, *t)),
        Term::Conj(t) => Term::Conj(one(to, *t)),
        Term::Sum(ts) => Term::Sum(each(to, ts)),
        Term::VStack(ts) => Term::VStack(each(to, ts)),
        Term::HStack(ts) => Term::HStack(each(to, ts)),
        Term::BlockDiag(ts) => Term::BlockDiag(each(to, ts)),
        Term::Element(map, shapes) => Term::Element(*map, shapes.clone()),
        Term::Regroup(a, b) => Term::Regroup(a.clone(), b.clone()),
        Term::Lift(t, extra) => {
            let (c, t) = fold(from, to, *t);
            return (c, to.term(Term::Lift(t, extra.clone())));
        }
        Term::Kronecker([a, b]) => {
            let ((outer, a), (inner, b)) = (fold(from, to, *a), fold(from, to, *b));
            if terms::is_complex_linear(to, a) || !terms::is_complex(to, &inner) {
                return (outer.times(&inner), to.term(Term::Kronecker([a, b])));
            }
            let b = scale(to, inner, b);
            return (outer, to.term(Term::Kronecker([a, b])));
        }
    };
    (Coefficient::default(), to.term(plain))
}

/// Takes the scalars of factors out to the left as far as linearity allows.
fn product(from: &Plan, to: &mut Plan, ts: &[TermId]) -> (Coefficient, TermId) {
    let mut outer = Coefficient::default();
    let mut factors = Vec::new();
    let mut linear = true;
    for &t in ts {
        let (c, t) = fold(from, to, t);
        if linear || !terms::is_complex(to, &c) {
            outer = outer.times(&c);
            factors.push(t);
        } else {
            factors.push(scale(to, c, t));
        }
        linear = linear && terms::is_complex_linear(to, t);
    }
    (outer, to.term(Term::Product(factors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, terms as shown, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn signs_multiply() {
        let plan = after(
            &FoldScalars,
            "mesh 1 rank
            let A = (i) <- (j) : f64[3, 3]
            slot a : f64
            term t0 = scale - A
            term t1 = scale -a A
            term t2 = t0 @ t1 @ t0
            %0 = input x : f64[3]
            %1 = apply t2 %0 : f64[3]
            return %1",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = A @ A @ A
        term t1 = scale -a t0
        %1 = apply t1 %0                : f64[3]
        ");
    }

    #[test]
    fn a_real_scalar_passes_a_real_linear_operator() {
        let plan = after(
            &FoldScalars,
            "mesh 1 rank
            let N = (i) <- (j) real : c128[2, 3]
            let A = (i) <- (j) : c128[3, 3]
            slot a : f64
            term t0 = scale a A
            term t1 = N @ t0
            %0 = input x : c128[3]
            %1 = apply t1 %0 : c128[2]
            return %1",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = N @ A
        term t1 = scale a t0
        %1 = apply t1 %0                : c128[2]
        ");
    }

    #[test]
    fn a_complex_scalar_does_not() {
        let plan = "mesh 1 rank
            let N = (i) <- (j) real : c128[2, 3]
            let A = (i) <- (j) : c128[3, 3]
            slot a : c128
            term t0 = scale a A
            term t1 = N @ t0
            %0 = input x : c128[3]
            %1 = apply t1 %0 : c128[2]
            return %1";
        assert!(unchanged(&FoldScalars, plan));
    }

    #[test]
    fn scalars_of_blocks_stay_with_their_blocks() {
        let plan = "mesh 1 rank
            let A = (i) <- (j) : f64[2, 3]
            slot a : f64
            term t0 = scale a A
            term t1 = vstack A t0
            %0 = input x : f64[3]
            %1, %2 = apply t1 %0 : f64[2], f64[2]
            return %1 %2";
        assert!(unchanged(&FoldScalars, plan));
    }
}
