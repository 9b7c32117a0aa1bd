//! Drops what cancels.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : c128[2, 3]
//! let F = (i!) <- (j!) isometry : c128[5, 3]
//! term t0 = F.H
//! term t1 = identity [2]
//! term t2 = t1 @ A @ t0 @ F
//! %0 = input x : c128[3]
//! %1 = apply t2 %0 : c128[2]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : c128[2, 3]
//! let F = (i!) <- (j!) isometry   : c128[5, 3]
//! term t0 = A
//! %0 = input x                    : c128[3]
//! %1 = apply t0 %0                : c128[2]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! `A @ 1` and `1 @ A` are A, `F.H @ F` is 1 for an isometry and `F @ F.H` for a co-isometry,
//! `conj @ conj` is 1; an isometry of real vectors leaves the real part.
//! Nested sums and products are flattened, regroupings that follow each other merge.
//! Numerics class: F, as an isometry is one only up to rounding.

use crate::error::PlanError;
use crate::ir::{Elementwise, LeafId, Plan, Term, TermId};
use crate::pipeline::{Context, Numerics, Pass};
use crate::push_adjoints::terms_rewritten;
use crate::signature::Typing;
use crate::terms;

/// The pass.
pub struct CancelIdentities;

impl Pass for CancelIdentities {
    fn name(&self) -> &'static str {
        "cancel-identities"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(terms_rewritten(plan, cancel))
    }
}

fn cancel(from: &Plan, to: &mut Plan, term: TermId) -> TermId {
    let each = |to: &mut Plan, ts: &[TermId]| -> Vec<TermId> {
        ts.iter().map(|&t| cancel(from, to, t)).collect()
    };
    let term = match &from[term] {
        Term::Leaf(leaf) if from[*leaf].signature.laws.identity => {
            Term::Element(Elementwise::Identity, from[*leaf].signature.domain.clone())
        }
        Term::Leaf(leaf) => Term::Leaf(*leaf),
        Term::Adjoint(t) => match cancel(from, to, *t) {
            t if matches!(to[t], Term::Element(Elementwise::Identity, _)) => return t,
            t => Term::Adjoint(t),
        },
        Term::Transpose(t) => Term::Transpose(cancel(from, to, *t)),
        Term::Conj(t) => Term::Conj(cancel(from, to, *t)),
        Term::Scale(c, t) => match cancel(from, to, *t) {
            t if c.is_one() => return t,
            t => Term::Scale(c.clone(), t),
        },
        Term::Sum(ts) => {
            let ts = each(to, ts);
            let ts = flat(to, ts, |t| if let Term::Sum(ts) = t { Some(ts) } else { None });
            let zero = |t: &TermId| matches!(to[*t], Term::Element(Elementwise::Zero, _));
            let kept: Vec<_> = ts.iter().copied().filter(|t| !zero(t)).collect();
            match kept.as_slice() {
                [] => return ts[0],
                [one] => return *one,
                _ => Term::Sum(kept),
            }
        }
        Term::Product(ts) => {
            let ends = (terms::domain(from, ts[ts.len() - 1]), terms::range(from, ts[0]));
            let ts = each(to, ts);
            let ts = flat(to, ts, |t| if let Term::Product(ts) = t { Some(ts) } else { None });
            return product(to, ts, ends);
        }
        Term::VStack(ts) => Term::VStack(each(to, ts)),
        Term::HStack(ts) => Term::HStack(each(to, ts)),
        Term::BlockDiag(ts) => Term::BlockDiag(each(to, ts)),
        Term::Element(map, shapes) => Term::Element(*map, shapes.clone()),
        Term::Regroup(a, b) if a == b => Term::Element(Elementwise::Identity, a.clone()),
        Term::Regroup(a, b) => Term::Regroup(a.clone(), b.clone()),
        Term::Lift(t, extra) => match cancel(from, to, *t) {
            t if matches!(to[t], Term::Element(Elementwise::Identity, _)) => {
                let lift = |s: &Vec<usize>| [s.as_slice(), extra].concat();
                let shapes = terms::domain(to, t).iter().map(lift).collect();
                Term::Element(Elementwise::Identity, shapes)
            }
            t => Term::Lift(t, extra.clone()),
        },
        Term::Kronecker(ts) => Term::Kronecker(ts.map(|t| cancel(from, to, t))),
    };
    to.term(term)
}

fn flat(to: &Plan, ts: Vec<TermId>, inner: impl Fn(&Term) -> Option<&Vec<TermId>>) -> Vec<TermId> {
    ts.into_iter().flat_map(|t| inner(&to[t]).cloned().unwrap_or_else(|| vec![t])).collect()
}

/// Multiplies factors one after the other, each cancelling with the one before if it can.
fn product(to: &mut Plan, ts: Vec<TermId>, ends: (terms::Shapes, terms::Shapes)) -> TermId {
    let mut kept: Vec<TermId> = Vec::new();
    for t in ts {
        let mut next = Some(t);
        while let (Some(t), Some(&last)) = (next, kept.last()) {
            match meet(to, last, t) {
                Meeting::Keep => break,
                Meeting::One(both) => {
                    kept.pop();
                    next = both;
                }
            }
        }
        kept.extend(next.filter(|&t| !matches!(to[t], Term::Element(Elementwise::Identity, _))));
    }
    match kept.as_slice() {
        [] => to.term(Term::Element(Elementwise::Identity, ends.0)),
        [one] => *one,
        _ => to.term(Term::Product(kept)),
    }
}

enum Meeting {
    /// Nothing cancels.
    Keep,
    /// Both become this, or nothing at all.
    One(Option<TermId>),
}

/// What becomes of `left @ right`.
fn meet(to: &mut Plan, left: TermId, right: TermId) -> Meeting {
    let adjoint_of = |t: &Term| if let Term::Adjoint(l) = t { Some(*l) } else { None };
    let leaf = |to: &Plan, t: TermId| -> Option<LeafId> {
        if let Term::Leaf(l) = to[t] { Some(l) } else { None }
    };
    let (a, b) = (to[left].clone(), to[right].clone());
    if let (Some(l), Some(r)) = (adjoint_of(&a).and_then(|t| leaf(to, t)), leaf(to, right))
        && l == r
        && to[l].signature.laws.isometry
    {
        return unity(to, l, right);
    }
    if let (Some(l), Some(r)) = (leaf(to, left), adjoint_of(&b).and_then(|t| leaf(to, t)))
        && l == r
        && to[l].signature.laws.co_isometry
        && to[l].signature.typing == Typing::Same
    {
        return Meeting::One(None);
    }
    if let (Some(l), Some(r)) = (leaf(to, left), leaf(to, right))
        && l == r
        && to[l].signature.laws.self_adjoint
        && to[l].signature.laws.isometry
    {
        return Meeting::One(None);
    }
    match (a, b) {
        (Term::Element(Elementwise::Conj, _), Term::Element(Elementwise::Conj, _)) => {
            Meeting::One(None)
        }
        (Term::Element(Elementwise::Real, _), Term::Element(Elementwise::Real, _)) => {
            Meeting::One(Some(right))
        }
        (Term::Regroup(_, end), Term::Regroup(begin, _)) if begin == end => Meeting::One(None),
        (Term::Regroup(_, end), Term::Regroup(begin, _)) => {
            Meeting::One(Some(to.term(Term::Regroup(begin, end))))
        }
        _ => Meeting::Keep,
    }
}

/// `FᴴF` for an isometry F.
fn unity(to: &mut Plan, leaf: LeafId, right: TermId) -> Meeting {
    match to[leaf].signature.typing {
        Typing::Same => Meeting::One(None),
        Typing::RealToComplex => {
            let domain = terms::domain(to, right);
            Meeting::One(Some(to.term(Term::Element(Elementwise::Real, domain))))
        }
        Typing::ComplexToReal => Meeting::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, terms as shown, unchanged};
    use insta::assert_snapshot;

    /// A plan that applies `t1`, where `t0` is `F.H`.
    fn applied(leaf: &str, product: &str, from: &str, to: &str) -> String {
        format!(
            "mesh 1 rank
            let F = {leaf}
            term t0 = F.H
            term t1 = {product}
            %0 = input x : {from}
            %1 = apply t1 %0 : {to}
            return %1"
        )
    }

    #[test]
    fn an_isometry_cancels_from_the_left() {
        let tall = "(i!) <- (j!) isometry : c128[5, 3]";
        let plan = after(&CancelIdentities, &applied(tall, "t0 @ F", "c128[3]", "c128[3]"));
        assert_snapshot!(shown(&plan), @"
        term t0 = identity [3]
        %1 = apply t0 %0                : c128[3]
        ");
    }

    #[test]
    fn an_isometry_does_not_cancel_from_the_right() {
        let tall = "(i!) <- (j!) isometry : c128[5, 3]";
        assert!(unchanged(&CancelIdentities, &applied(tall, "F @ t0", "c128[5]", "c128[5]")));
    }

    #[test]
    fn an_isometry_of_real_vectors_leaves_the_real_part() {
        let real = "(i!) <- (j!) isometry real r2c : f64[5, 8]";
        let plan = after(&CancelIdentities, &applied(real, "t0 @ F", "c128[8]", "f64[8]"));
        assert_snapshot!(shown(&plan), @"
        term t0 = real [8]
        %1 = apply t0 %0                : f64[8]
        ");
    }

    #[test]
    fn what_promoted_and_cancels_leaves_a_cast() {
        let square = "(i!) <- (j!) isometry : c128[4, 4]";
        let plan = after(&CancelIdentities, &applied(square, "t0 @ F", "f32[4]", "c128[4]"));
        assert_snapshot!(shown(&plan), @"
        term t0 = identity [4]
        %1 = apply t0 %0                : f32[4]
        %2 = cast %1                    : c128[4]
        ");
    }

    #[test]
    fn regroupings_that_become_one_promote_what_changes_parts() {
        let plan = after(
            &CancelIdentities,
            "mesh 1 rank
            term t0 = regroup [2] [2] -> [4]
            term t1 = regroup [4] -> [1] [3]
            term t2 = t1 @ t0
            %0 = input x : c64[2]
            %1 = input y : f64[2]
            %2, %3 = apply t2 %0 %1 : c128[1], c128[3]
            return %2 %3",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = regroup [2] [2] -> [1] [3]
        %2, %3 = apply t0 %0 %1         : c128[1], c128[3]
        ");
    }

    #[test]
    fn factors_cancel_from_the_inside_out() {
        let plan = after(
            &CancelIdentities,
            "mesh 1 rank
            let F = (i!) <- (j!) isometry : c128[5, 3]
            let G = (i!) <- (j!) isometry : c128[7, 5]
            let Z = (i) <- (i) identity : f64[3]
            term t0 = F.H
            term t1 = G.H
            term t2 = t0 @ t1
            term t3 = G @ F
            term t4 = Z @ t2 @ t3
            term t5 = zero [3]
            term t6 = sum t4 t5 t4
            %0 = input x : c128[3]
            %1 = apply t6 %0 : c128[3]
            return %1",
        );
        assert_snapshot!(shown(&plan), @"
        term t0 = identity [3]
        term t1 = sum t0 t0
        %1 = apply t1 %0                : c128[3]
        ");
    }
}
