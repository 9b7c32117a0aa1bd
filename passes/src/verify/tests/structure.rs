//! Rules of the stages ground, structure and form.

use super::{Draft, dense, one, signature};
use crate::dtype::Dtype;
use crate::ir::{Coefficient, Op, SlotId, Target, Term, TermId, Value};
use crate::signature::{Binding, Factor, Spread};

#[test]
fn mesh_axes() {
    let mut d = Draft::new("p=2");
    d.plan.mesh.axes.push(("p".into(), 3));
    d.breaks("mesh-axes");
    d.plan.mesh.axes[1] = ("q".into(), 0);
    d.breaks("mesh-axes");
}

#[test]
fn ids_in_range() {
    let ids: [fn(&mut Draft); 6] = [
        |d| d.plan.blocks[0].nodes[1].op = Op::Get(0),
        |d| d.plan.blocks[0].nodes[1].op = Op::AllReduce(vec![4]),
        |d| d.plan.blocks[0].nodes[1].args[0] = Value(9),
        |d| d.plan.blocks[0].types[0].placement.pending = vec![7],
        |d| {
            let slots = vec![(SlotId(0), false)];
            d.plan.terms.push(Term::Scale(Coefficient { negative: false, slots }, TermId(0)));
        },
        |d| d.plan.blocks[0].give(Target::State(0), Value(0)),
    ];
    for harm in ids {
        let mut d = Draft::new("p=2");
        let x = d.input("f64[4]");
        d.op(Op::Neg, &[x], "f64[4]");
        d.passes();
        harm(&mut d);
        d.breaks("ids-in-range");
    }
}

#[test]
fn dims_match() {
    let mut d = Draft::new("p=2");
    d.input("f64[4]");
    d.block().types[0].placement.ghosts.clear();
    d.breaks("dims-match");
}

#[test]
fn defined_once() {
    let mut d = Draft::new("");
    let x = d.input("f64[4]");
    d.op(Op::Neg, &[x], "f64[4]");
    d.block().nodes[1].results = vec![x];
    d.breaks("defined-once");
}

#[test]
fn defined_before_use() {
    let mut d = Draft::new("");
    let x = d.input("f64[4]");
    d.op(Op::Neg, &[x], "f64[4]");
    d.block().nodes.swap(0, 1);
    d.breaks("defined-before-use");
}

#[test]
fn arity() {
    one("arity", "", Op::Sub, "f64[4]", "f64[4]");
    let mut d = Draft::new("p=2");
    let x = d.zero("f64[4] +p");
    d.many(Op::AllReduce(vec![0]), &[x], &["f64[4]", "f64[4]"]);
    d.breaks("arity");
}

#[test]
fn axis_lists() {
    one("axis-lists", "r=2,c=2", Op::AllReduce(vec![1, 0]), "f64[4] +r +c", "f64[4]");
    one("axis-lists", "r=2,c=2", Op::AllReduce(vec![]), "f64[4]", "f64[4]");
}

#[test]
fn unique_names() {
    let mut d = Draft::new("");
    d.begin("");
    d.breaks("unique-names");
    d = Draft::new("");
    d.slot("tau", Dtype::F64);
    d.slot("tau", Dtype::F64);
    d.breaks("unique-names");
    d = Draft::new("");
    let x = d.input("f64[]");
    d.give(Target::Control("go".into()), x);
    d.give(Target::Control("go".into()), x);
    d.breaks("unique-names");
}

#[test]
fn terms_earlier() {
    let mut d = Draft::new("");
    d.plan.terms.push(Term::Adjoint(TermId(0)));
    d.breaks("terms-earlier");
    d.plan.terms[0] = Term::Sum(vec![]);
    d.breaks("terms-earlier");
}

#[test]
fn returns_once() {
    let mut d = Draft::new("");
    let state = d.state("x", "f64[4]");
    let x = d.op(Op::Get(state), &[], "f64[4]");
    d.give(Target::State(state), x);
    d.passes();
    d.give(Target::State(state), x);
    d.breaks("returns-once");
}

#[test]
fn repeats() {
    let mut d = Draft::new("");
    let state = d.state("x", "f64[]");
    d.begin("step");
    let x = d.op(Op::Get(state), &[], "f64[]");
    d.give(Target::State(state), x);
    d.block().every = Some(3);
    d.passes();
    d.block().every = Some(0);
    d.breaks("repeats");
    d.block().every = Some(3);
    d.give(Target::Control("k".into()), x);
    d.breaks("repeats");
    d.block().every = None;
    d.passes();
}

#[test]
fn buffers_cover() {
    let mut d = Draft::new("");
    d.input("f64[4]");
    d.block().buffers = Some(vec![0]);
    d.passes();
    d.block().buffers = Some(vec![]);
    d.breaks("buffers-cover");
}

#[test]
fn signatures() {
    let mut d = Draft::new("");
    let mut wrong = dense(4, 3);
    wrong.range[0][0] = 5;
    d.leaf("A", wrong, &["", ""]);
    d.breaks("signatures");
    let mut d = Draft::new("");
    let mut wrong = dense(4, 3);
    wrong.rule.range[0][0].factor = 2;
    d.leaf("A", wrong, &["", ""]);
    d.breaks("signatures");
    let mut d = Draft::new("");
    let mut wrong = dense(4, 3);
    wrong.rule.range[0][0].spread = Spread::Table(vec![].into());
    d.leaf("A", wrong, &["", ""]);
    d.breaks("signatures");
}

#[test]
fn axes_once() {
    one("axes-once", "p=2", Op::Neg, "f64[4/p, 4/p]", "f64[4/p, 4/p]");
    one("axes-once", "p=2", Op::Neg, "f64[4/p] +p", "f64[4/p] +p");
    one("", "p=2 q=2", Op::Neg, "f64[4/p] +q", "f64[4/p] +q");
}

#[test]
fn pending_ascending() {
    one("pending-ascending", "r=2,c=2", Op::Neg, "f64[4] +c +r", "f64[4] +c +r");
}

#[test]
fn ghosts_need_splits() {
    one("ghosts-need-splits", "p=2", Op::Neg, "f64[4~1:1]", "f64[4~1:1]");
}

#[test]
fn dual_needs_ghosts() {
    one("dual-needs-ghosts", "p=2", Op::Neg, "f64[4/p~+0:0]", "f64[4/p~+0:0]");
}

#[test]
fn cuts_fit() {
    for (size, weights, spread, axes) in [
        (4, None, Spread::Uniform(3), "/p@q"),
        (4, Some(vec![1, 2]), Spread::Uniform(2), "/p@q"),
        (2, None, Spread::from_counts([3, 5, 0]), "/p@q"),
        (8, None, Spread::One, "/@q"),
    ] {
        let mut d = Draft::new("p=2");
        d.cut("q", size, weights, spread);
        d.zero(&format!("f64[8{axes}]"));
        d.breaks("cuts-fit");
    }
}

#[test]
fn cut_names() {
    let mut d = Draft::new("p=2");
    d.cut("q", 4, None, Spread::Uniform(2));
    d.zero("f64[8/p@q]");
    d.cuts.clear();
    d.cut("q", 2, None, Spread::Uniform(4));
    d.zero("f64[8/p@q]");
    d.breaks("cut-names");
}

#[test]
fn tiles() {
    for tile in [&["/r", "/r"][..], &["/r"]] {
        let mut d = Draft::new("r=2,c=2");
        d.leaf("A", dense(4, 4), tile);
        d.breaks("tiles");
    }
    let whole =
        || signature(vec![Factor::whole("k", 4)], vec![Binding::plain(0)], vec![Binding::plain(0)]);
    let mut d = Draft::new("r=2,c=2");
    d.leaf("F", whole(), &["/r"]);
    d.breaks("tiles");
    let mut d = Draft::new("r=2,c=2");
    let mut weighted = dense(2, 2);
    weighted.rule.factors[0].weights = Some(std::sync::Arc::new(vec![1, 2].into()));
    d.leaf("A", weighted, &["/r", ""]);
    d.breaks("tiles");
}

#[test]
fn term_shapes() {
    let mut d = Draft::new("");
    let (a, b) = (d.leaf("A", dense(4, 3), &["", ""]), d.leaf("B", dense(4, 2), &["", ""]));
    let (a, b) = (d.plan.term(Term::Leaf(a)), d.plan.term(Term::Leaf(b)));
    let h = d.plan.term(Term::Adjoint(b));
    d.plan.terms.push(Term::HStack(vec![a, b]));
    d.plan.terms.push(Term::Product(vec![h, a]));
    let stack = d.plan.term(Term::VStack(vec![a, a]));
    d.plan.terms.push(Term::Kronecker([h, a]));
    d.passes();
    for wrong in [
        Term::VStack(vec![a, b]),
        Term::Product(vec![a, b]),
        Term::Sum(vec![a, b]),
        Term::HStack(vec![a, h]),
        Term::Regroup(vec![vec![3, 2]], vec![vec![3], vec![2]]),
        Term::Kronecker([h, stack]),
    ] {
        let last = d.plan.terms.len() - 1;
        d.plan.terms[last] = wrong;
        d.breaks("term-shapes");
    }
}

#[test]
fn inputs() {
    let mut d = Draft::new("p=2");
    d.input("f64[4] +p");
    d.breaks("inputs");
    d = Draft::new("p=2");
    d.op(Op::Input("x".into()), &[], "f64[4]");
    d.begin("step");
    d.op(Op::Input("x".into()), &[], "f64[4/p]");
    d.breaks("inputs");
}
