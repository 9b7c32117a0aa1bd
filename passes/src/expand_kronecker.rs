//! Applies Kronecker products in the order of less work, products of them as products of operands.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[5, 4]
//! let B = (i) <- (j) : f64[9, 3]
//! term t0 = A.H
//! term t1 = B.H
//! term t2 = kronecker t0 t1
//! term t3 = kronecker A B
//! term t4 = t2 @ t3
//! %0 = input x : f64[4, 3]
//! %1 = apply t4 %0 : f64[4, 3]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[5, 4]
//! let B = (i) <- (j)              : f64[9, 3]
//! let Transpose = (j, i) <- (i, j) isometry co_isometry permutation "Transpose"
//!   : f32[3, 4]
//! term t0 = A.H
//! term t1 = t0 @ A
//! term t2 = lift t1 [3]
//! term t3 = Transpose.H
//! term t4 = B.H
//! term t5 = t4 @ B
//! term t6 = lift t5 [4]
//! term t7 = t2 @ t3 @ t6 @ Transpose
//! %0 = input x                    : f64[4, 3]
//! %1 = apply t7 %0                : f64[4, 3]
//! return %1
//! comm 0 calls, 0 B per rank
//! ```
//! An operator is lifted to more dims behind its own, so `A ⊗ B = (A ⊗ 1) Tᴴ (B ⊗ 1) T`, where `T`
//! is a transposition, which the pass adds to the plan: it moves the dims of `B` to the front.
//! Where complex numbers pass, `(A ⊗ 1)` and `(1 ⊗ B)` commute, which is all that this needs:
//! - the one goes first that leaves less work to the other,
//!   `|dom A| B + |rng B| A` operations against `|dom B| A + |rng A| B`;
//! - `(A ⊗ B)(C ⊗ D)` is `AC ⊗ BD` where that is less work than one after the other, so that
//!   `K.H K` is `AᴴA ⊗ BᴴB`, of which each may be applied in one pass.
//!
//! The source has the product as it was written, so the certificate proves all of this.
//! Numerics class: F.

use crate::dtype::Dtype;
use crate::error::PlanError;
use crate::ir::{Leaf, LeafId, Plan, Term, TermId};
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::Split;
use crate::push_adjoints::terms_rewritten;
use crate::signature::Signature;
use crate::terms;

/// The pass.
pub struct ExpandKronecker;

impl Pass for ExpandKronecker {
    fn name(&self) -> &'static str {
        "expand-kronecker"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        if !plan.terms.iter().any(|term| matches!(term, Term::Kronecker(_))) {
            return Ok(plan.clone());
        }
        Ok(terms_rewritten(plan, |from, to, term| {
            let term = copied(from, to, term);
            expanded(to, term)
        }))
    }
}

fn copied(from: &Plan, to: &mut Plan, term: TermId) -> TermId {
    let mut made = from[term].clone();
    made.operands_mut().iter_mut().for_each(|t| *t = copied(from, to, *t));
    to.term(made)
}

fn expanded(plan: &mut Plan, term: TermId) -> TermId {
    let mut made = match plan[term].clone() {
        Term::Kronecker([a, b]) => return in_order(plan, a, b),
        Term::Product(ts) => {
            let factors = ts.iter().flat_map(|&t| factors(plan, t)).collect();
            match met(plan, factors).as_slice() {
                [one] => return expanded(plan, *one),
                all => Term::Product(all.to_vec()),
            }
        }
        other => other,
    };
    made.operands_mut().iter_mut().for_each(|t| *t = expanded(plan, *t));
    plan.term(made)
}

/// The factors of nested products.
fn factors(plan: &Plan, term: TermId) -> Vec<TermId> {
    match &plan[term] {
        Term::Product(ts) => ts.iter().flat_map(|&t| factors(plan, t)).collect(),
        _ => vec![term],
    }
}

/// Factors of which Kronecker products that follow each other are one where that is less work.
fn met(plan: &mut Plan, factors: Vec<TermId>) -> Vec<TermId> {
    let mut out: Vec<TermId> = Vec::new();
    for factor in factors {
        out.push(factor);
        while let Some((many, both)) = meeting(plan, &out) {
            out.truncate(out.len() - many);
            out.push(both);
        }
    }
    out
}

/// How many of the last factors are one Kronecker product, and which.
fn meeting(plan: &mut Plan, factors: &[TermId]) -> Option<(usize, TermId)> {
    let (&right, before) = factors.split_last()?;
    let (&left, further) = before.split_last()?;
    match (&plan[left], further.last()) {
        // What lies between goes between the operands.
        (Term::Regroup(..), Some(&left)) => Some((3, mixed(plan, left, right)?)),
        _ => Some((2, mixed(plan, left, right)?)),
    }
}

/// `AC ⊗ BD` for `(A ⊗ B)(C ⊗ D)`, if it is less work.
fn mixed(plan: &mut Plan, left: TermId, right: TermId) -> Option<TermId> {
    let (&Term::Kronecker([a, b]), &Term::Kronecker([c, d])) = (&plan[left], &plan[right]) else {
        return None;
    };
    let fits = |a, c| size(&terms::domain(plan, a)) == size(&terms::range(plan, c));
    if !fits(a, c) || !fits(b, d) || !terms::commutes(plan, c, b) {
        return None;
    }
    let before = work(plan, a, b) + work(plan, c, d);
    let (ac, bd) = (times(plan, a, c), times(plan, b, d));
    (work(plan, ac, bd) < before).then(|| plan.term(Term::Kronecker([ac, bd])))
}

/// The product of operators whose sizes fit.
fn times(plan: &mut Plan, left: TermId, right: TermId) -> TermId {
    let (from, to) = (terms::range(plan, right), terms::domain(plan, left));
    let mut ts = factors(plan, left);
    if from != to {
        ts.push(plan.term(Term::Regroup(from, to)));
    }
    ts.extend(factors(plan, right));
    plan.term(Term::Product(ts))
}

/// Operations and moved elements of `a ⊗ b`.
fn work(plan: &Plan, a: TermId, b: TermId) -> f64 {
    let [b_first, a_first] = orders(plan, a, b);
    if terms::commutes(plan, a, b) { b_first.min(a_first) } else { b_first }
}

/// The same with `b` first, and with `a` first.
fn orders(plan: &Plan, a: TermId, b: TermId) -> [f64; 2] {
    let sizes = |t| {
        let (domain, range) = terms::sides(plan, t);
        [size(&range), size(&domain)].map(|n| n as f64)
    };
    let ([am, an], [bm, bn]) = (sizes(a), sizes(b));
    let (a, b) = (flops(plan, a), flops(plan, b));
    [an * b + bm * a + an * (bn + bm), bn * a + am * b + am * (bn + bm)]
}

/// Operations of one application.
fn flops(plan: &Plan, term: TermId) -> f64 {
    let operands = || plan[term].operands().iter().map(|&t| flops(plan, t)).sum::<f64>();
    match &plan[term] {
        Term::Leaf(leaf) => plan[*leaf].signature.cost_or_estimate().flops,
        Term::Kronecker([a, b]) => work(plan, *a, *b),
        Term::Lift(_, extra) => operands() * extra.iter().product::<usize>() as f64,
        Term::Adjoint(_)
        | Term::Transpose(_)
        | Term::Conj(_)
        | Term::Scale(..)
        | Term::Sum(_)
        | Term::Product(_)
        | Term::VStack(_)
        | Term::HStack(_)
        | Term::BlockDiag(_)
        | Term::Element(..)
        | Term::Regroup(..) => operands(),
    }
}

fn size(shapes: &terms::Shapes) -> usize {
    shapes.iter().map(|dims| dims.iter().product::<usize>()).sum()
}

/// `a ⊗ b` as two lifted operators.
fn in_order(plan: &mut Plan, a: TermId, b: TermId) -> TermId {
    let [b_first, a_first] = orders(plan, a, b);
    let a_first = terms::commutes(plan, a, b) && a_first < b_first;
    let dims = |plan: &Plan, t| {
        let (domain, range) = terms::sides(plan, t);
        (domain.concat(), range.concat())
    };
    let ((outer, made), (takes, gives)) = (dims(plan, a), dims(plan, b));
    let along = if a_first { &made } else { &outer };
    let (front, back) = (to_front(plan, along, &takes), to_front(plan, along, &gives));
    let back = plan.term(Term::Adjoint(back));
    let (a, b) = (expanded(plan, a), expanded(plan, b));
    let b = plan.term(Term::Lift(b, along.clone()));
    let a = plan.term(Term::Lift(a, if a_first { takes } else { gives }));
    let ts = if a_first { vec![back, b, front, a] } else { vec![a, back, b, front] };
    plan.term(Term::Product(ts))
}

/// Moves trailing dims before leading ones.
fn to_front(plan: &mut Plan, leading: &[usize], trailing: &[usize]) -> TermId {
    let axes: Vec<_> =
        (leading.len()..leading.len() + trailing.len()).chain(0..leading.len()).collect();
    let signature = Signature::transposition([leading, trailing].concat(), &axes, Dtype::F32);
    let known = plan.leaves.iter().position(|leaf| *leaf.signature == signature);
    let at = known.unwrap_or_else(|| {
        let name = unused(plan, &signature.kind);
        let tile = vec![Split::none(); axes.len()];
        plan.leaves.push(Leaf { name, signature: signature.into(), tile });
        plan.leaves.len() - 1
    });
    plan.term(Term::Leaf(LeafId(at as u32)))
}

/// The name itself, or with the first number that makes it new.
fn unused(plan: &Plan, name: &str) -> String {
    let numbered = (2..).map(|k| format!("{name}{k}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| plan.leaves.iter().all(|leaf| leaf.name != *name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::{Verdict, certify};
    use crate::examples::{after, read, terms as shown, unchanged};
    use crate::mesh::Mesh;
    use crate::pipeline::compile;
    use insta::assert_snapshot;

    /// What becomes of `t9`, which maps arrays of `from` to arrays of `to`.
    fn made(leaves: &str, terms: &str, from: &str, to: &str) -> String {
        shown(&after(&ExpandKronecker, &plan(leaves, terms, from, to)))
    }

    fn plan(leaves: &str, terms: &str, from: &str, to: &str) -> String {
        format!(
            "mesh 1 rank
            {leaves}
            {terms}
            %0 = input x : {from}
            %1 = apply t9 %0 : {to}
            return %1"
        )
    }

    const TWO: &str = "let W = (i) <- (j) : c128[2, 9]\nlet T = (i) <- (j) : c128[9, 2]";

    #[test]
    fn the_operator_that_leaves_less_work_goes_first() {
        let one = made(TWO, "term t9 = kronecker W T", "c128[9, 2]", "c128[2, 9]");
        assert_snapshot!(one, @r"
        term t0 = Transpose2.H
        term t1 = lift T [2]
        term t2 = Transpose
        term t3 = lift W [2]
        term t4 = t0 @ t1 @ Transpose @ t3
        %1 = apply t4 %0                : c128[2, 9]
        ");
        let other = made(TWO, "term t9 = kronecker T W", "c128[2, 9]", "c128[9, 2]");
        assert_snapshot!(other, @r"
        term t0 = lift T [2]
        term t1 = Transpose2.H
        term t2 = lift W [2]
        term t3 = t0 @ t1 @ t2 @ Transpose
        %1 = apply t3 %0                : c128[9, 2]
        ");
    }

    /// The real part of a product is another thing than the product of a real part.
    const REAL: &str = "let N = (i) <- (j) real : c128[2, 9]\nlet T = (i) <- (j) : c128[9, 2]";

    #[test]
    fn an_operator_that_is_not_complex_linear_keeps_its_place() {
        let one = made(REAL, "term t9 = kronecker N T", "c128[9, 2]", "c128[2, 9]");
        assert_snapshot!(one, @r"
        term t0 = lift N [9]
        term t1 = Transpose2.H
        term t2 = lift T [9]
        term t3 = t0 @ t1 @ t2 @ Transpose
        %1 = apply t3 %0                : c128[2, 9]
        ");
        let terms = "term t0 = N.H\nterm t1 = T.H\nterm t2 = kronecker N T
            term t3 = kronecker t0 t1\nterm t9 = t3 @ t2";
        let both = made(REAL, terms, "c128[9, 2]", "c128[9, 2]");
        assert_eq!(both.matches("lift").count(), 4, "{both}");
    }

    #[test]
    fn powers_are_powers_of_the_operands() {
        let leaves = "let A = (i) <- (j) : f64[4, 4]\nlet B = (i) <- (j) : f64[3, 3]";
        let terms = "term t0 = kronecker A B\nterm t1 = t0 @ t0\nterm t9 = t1 @ t0";
        let power = made(leaves, terms, "f64[4, 3]", "f64[4, 3]");
        assert_snapshot!(power, @r"
        term t0 = A @ A @ A
        term t1 = lift t0 [3]
        term t2 = Transpose.H
        term t3 = B @ B @ B
        term t4 = lift t3 [4]
        term t5 = t1 @ t2 @ t4 @ Transpose
        %1 = apply t5 %0                : f64[4, 3]
        ");
    }

    #[test]
    fn products_that_are_more_work_than_one_after_the_other_stay() {
        let leaves = "let A = (i) <- (j) : f64[5, 4]\nlet B = (i) <- (j) : f64[9, 3]";
        let terms = "term t0 = A.H\nterm t1 = B.H\nterm t2 = kronecker A B
            term t3 = kronecker t0 t1\nterm t9 = t2 @ t3";
        let both = made(leaves, terms, "f64[5, 9]", "f64[5, 9]");
        assert_eq!(both.matches("lift").count(), 4, "{both}");
    }

    #[test]
    fn other_shapes_between_two_products_go_between_their_operands() {
        let leaves = "let A = (i) <- (j, k) : f64[2, 3, 2]\nlet B = (i) <- (j) : f64[4, 4]
            let C = (i) <- (j) : f64[6, 2]";
        let terms = "term t0 = kronecker A B\nterm t1 = kronecker C B
            term t2 = regroup [6, 4] -> [3, 2, 4]\nterm t9 = t0 @ t2 @ t1";
        let both = made(leaves, terms, "f64[2, 4]", "f64[2, 4]");
        assert_snapshot!(both, @r"
        term t0 = A
        term t1 = regroup [6] -> [3, 2]
        term t2 = A @ t1 @ C
        term t3 = lift t2 [4]
        term t4 = Transpose.H
        term t5 = B @ B
        term t6 = lift t5 [2]
        term t7 = t3 @ t4 @ t6 @ Transpose
        %1 = apply t7 %0                : f64[2, 4]
        ");
    }

    #[test]
    fn what_is_no_kronecker_product_stays() {
        let terms = "term t0 = W @ T\nterm t1 = t0 @ t0\nterm t9 = lift t1 [3]";
        assert!(unchanged(&ExpandKronecker, &plan(TWO, terms, "c128[2, 3]", "c128[2, 3]")));
    }

    /// What the certificate says of a finished plan that was made of another expression.
    fn judged(written: &str, made_of: &str, mesh: &str) -> Verdict {
        let cx = Context { mesh: Mesh::parse(mesh).unwrap(), ..Context::default() };
        let finished = compile(&read(made_of), &cx).unwrap();
        certify(&read(written), &finished.plan)
    }

    /// Square operators, so that all that is wrong is what they compute.
    const SQUARE: &str = "let A = (i) <- (j) : c128[4, 4]\nlet B = (i) <- (j) : c128[4, 4]
        let N = (i) <- (j) real : c128[4, 4]";
    const TURN: &str = "let Z = (j, i) <- (i, j) permutation isometry co_isometry : c128[4, 4]";

    #[test]
    fn the_certificate_refutes_wrong_expansions() {
        let square = |leaves: &str, terms: &str| plan(leaves, terms, "c128[4, 4]", "c128[4, 4]");
        let more = format!("{SQUARE}\n{TURN}");
        let lifts = "term t0 = lift A [4]\nterm t1 = lift B [4]\nterm t2 = lift N [4]
            term t3 = Z.H";
        let one = "term t9 = kronecker A B";
        let product = "term t0 = A.H\nterm t1 = B.H\nterm t2 = kronecker t0 t1
            term t3 = kronecker A B\nterm t9 = t2 @ t3";
        let operands = "term t4 = A.H\nterm t5 = B.H\nterm t6 = t4 @ A\nterm t7 = t5 @ B
            term t8 = A @ t4";
        let cases = [
            (one, "term t9 = t0 @ t3 @ t1 @ Z", true),
            (one, "term t9 = t3 @ t1 @ Z @ t0", true),
            // The transposition is forgotten, on one side or on both, or belongs to the other.
            (one, "term t9 = t0 @ t1 @ Z", false),
            (one, "term t9 = t0 @ t1", false),
            (one, "term t9 = t3 @ t0 @ Z @ t1", false),
            // In this order only, as complex numbers do not pass N.
            ("term t9 = kronecker N B", "term t9 = t2 @ t3 @ t1 @ Z", true),
            ("term t9 = kronecker N B", "term t9 = t3 @ t1 @ Z @ t2", false),
            ("term t9 = kronecker B N", "term t9 = t3 @ t2 @ Z @ t1", false),
            // Operands of a product in the wrong order, or without an adjoint.
            (
                product,
                "term t10 = lift t6 [4]\nterm t11 = lift t7 [4]\nterm t9 = t10 @ t3 @ t11 @ Z",
                true,
            ),
            (
                product,
                "term t10 = lift t8 [4]\nterm t11 = lift t7 [4]\nterm t9 = t10 @ t3 @ t11 @ Z",
                false,
            ),
            (
                product,
                "term t10 = lift t6 [4]\nterm t11 = lift t5 [4]\nterm t9 = t10 @ t3 @ t11 @ Z",
                false,
            ),
        ];
        for (written, expanded, right) in cases {
            for mesh in ["p=1", "p=3", "r=2,c=2"] {
                let expanded = square(&more, &format!("{lifts}\n{operands}\n{expanded}"));
                let verdict = judged(&square(SQUARE, written), &expanded, mesh);
                let refuted = matches!(verdict, Verdict::Refuted(_));
                assert!(
                    if right { verdict == Verdict::Proven } else { refuted },
                    "{expanded}: {verdict:?}"
                );
            }
        }
    }

    #[test]
    fn products_of_large_operators_are_proven_on_small_copies() {
        let leaves = "let A = (i) <- (j) : f64[5000, 4000]\nlet B = (i) <- (j) : f64[900, 300]";
        let terms = "term t0 = kronecker A B\nterm t1 = t0.H\nterm t9 = t1 @ t0";
        let written = plan(leaves, terms, "f64[4000, 300]", "f64[4000, 300]");
        for mesh in ["p=4", "r=3,c=2"] {
            let cx = Context { mesh: Mesh::parse(mesh).unwrap(), ..Context::default() };
            let compiled = compile(&read(&written), &cx).unwrap();
            assert_eq!(compiled.certify(), Verdict::Proven, "{}", compiled.plan);
        }
    }
}
