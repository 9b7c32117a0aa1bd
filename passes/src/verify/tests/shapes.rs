//! Rules about shapes and element types.

use super::{Draft, dense, one, several};
use crate::dtype::Dtype;
use crate::ir::{Applied, Map, Op, Projection, Reduction, Term};
use crate::signature::Typing;

#[test]
fn slot_types() {
    let mut d = Draft::new("");
    d.slot("tau", Dtype::F64);
    d.passes();
    d.plan.slots[0].dtype = Dtype::C128;
    d.breaks("slot-types");
    d = Draft::new("");
    d.slot("tau", Dtype::F32);
    d.breaks("slot-types");
}

#[test]
fn get_types() {
    let mut d = Draft::new("p=2");
    let state = d.state("x", "f64[4/p]");
    d.op(Op::Get(state), &[], "f64[4]");
    d.breaks("get-types");
}

#[test]
fn elementwise_types() {
    several("elementwise-types", "", Op::Add, &["f64[4]", "f32[4]"], "f64[4]");
    several("elementwise-types", "", Op::Sub, &["f64[4]", "f64[3]"], "f64[4]");
    one("elementwise-types", "", Op::Neg, "f64[4]", "f64[2, 2]");
    one("elementwise-types", "", Op::Conj, "c64[4]", "f32[4]");
    one("", "", Op::Cast, "c64[4]", "f64[4]");
}

#[test]
fn projections_need_laws() {
    let mut spectrum = dense(4, 6);
    spectrum.typing = Typing::RealToComplex;
    (spectrum.laws.isometry, spectrum.laws.half_spectrum) = (true, true);
    spectrum.rule.factors.iter_mut().for_each(|f| f.whole = true);
    for (real, ty, fits) in [
        (&[0, 3][..], "c128[4]", true),
        (&[0, 3], "c64[4, 2]", true),
        (&[0], "c128[4]", false),
        (&[0, 3], "f64[4]", false),
        (&[0, 3], "c128[5]", false),
    ] {
        let mut d = Draft::new("");
        let leaf = d.leaf("F", spectrum.clone(), &["", ""]);
        let x = d.zero(ty);
        let onto = Projection { onto: vec![leaf], dim: 0, real: real.to_vec() };
        d.op(Op::Project(onto), &[x], ty);
        if fits { d.passes() } else { d.breaks("projection-leaves") }
    }
    let mut d = Draft::new("");
    let leaf = d.leaf("A", dense(4, 6), &["", ""]);
    let x = d.zero("c128[4]");
    d.op(Op::Project(Projection { onto: vec![leaf], dim: 0, real: vec![0] }), &[x], "c128[4]");
    d.breaks("projection-leaves");
}

#[test]
fn scale_types() {
    several("scale-types", "", Op::Scale, &["f32[]", "f32[4]"], "f32[4]");
    several("scale-types", "", Op::Scale, &["f64[3]", "f64[4]"], "f64[4]");
    several("scale-types", "", Op::Scale, &["c128[]", "f32[4]"], "f32[4]");
    several("scale-types", "", Op::Axpy, &["c128[]", "f32[4]", "f32[4]"], "c64[4]");
    several("", "", Op::Scale, &["c128[]", "f32[4]"], "c64[4]");
    several("", "", Op::Axpy, &["f64[3]", "c64[4, 3]", "c64[4, 3]"], "c64[4, 3]");
}

#[test]
fn apply_types() {
    for (from, to, fits) in [
        ("f64[3]", "f64[4]", true),
        ("c128[3, 7]", "c128[4, 7]", true),
        ("f64[3, 7]", "f64[4]", false),
        ("f64[3]", "f64[4, 7]", false),
        ("f32[3]", "f64[4]", false),
        ("f64[3]", "c128[4]", false),
        ("f64[4]", "f64[4]", false),
    ] {
        let mut d = Draft::new("");
        let a = d.leaf("A", dense(4, 3), &["", ""]);
        let x = d.zero(from);
        d.apply(a, &[x], to);
        if fits { d.passes() } else { d.breaks("apply-types") }
    }
}

#[test]
fn types_of_the_adjoint_are_those_of_the_signature() {
    let mut signature = dense(4, 3);
    signature.typing = Typing::RealToComplex;
    let mut d = Draft::new("");
    let f = d.leaf("F", signature, &["", ""]);
    let x = d.zero("f64[3]");
    let y = d.apply(f, &[x], "c128[4]");
    d.adjoint(f, &[y], "f64[3]");
    d.passes();
    d.adjoint(f, &[y], "c128[3]");
    d.breaks("apply-types");
}

#[test]
fn term_types() {
    let mut d = Draft::new("");
    let a = d.leaf("A", dense(4, 3), &["", ""]);
    let a = d.plan.term(Term::Leaf(a));
    let stack = d.plan.term(Term::VStack(vec![a, a]));
    let x = d.zero("f32[3]");
    d.many(Op::Apply(Applied::Term(stack)), &[x], &["f64[4]", "f64[4]"]);
    d.passes();
    let mut wrong = Draft::new("");
    wrong.plan = d.plan.clone();
    wrong.op(Op::Apply(Applied::Term(stack)), &[x], "f64[8]");
    wrong.breaks("term-types");
    wrong.plan = d.plan.clone();
    wrong.op(Op::Apply(Applied::Term(a)), &[x], "f32[4]");
    wrong.breaks("term-types");
}

#[test]
fn dot_types() {
    let dot = |columns, real| Op::Dot { columns, real };
    several("dot-types", "", dot(0, true), &["c64[4]", "c64[4]"], "c128[]");
    several("dot-types", "", dot(0, false), &["c64[4]", "c64[4]"], "c64[]");
    several("dot-types", "", dot(0, false), &["c64[4]", "f32[4]"], "c128[]");
    several("dot-types", "", dot(1, false), &["f32[4, 2]", "f32[4, 2]"], "f64[]");
    several("dot-types", "", dot(3, false), &["f32[4, 2]", "f32[4, 2]"], "f64[]");
    several("", "", dot(1, true), &["c64[4, 2]", "c64[4, 2]"], "f64[2]");
}

#[test]
fn map_types() {
    let rule = "map-types";
    several(rule, "", Op::Map(Map::Mul), &["f64[4]", "f64[2]"], "f64[4]");
    several("map-types", "", Op::Map(Map::Mul), &["f64[]", "f64[]"], "f64[4]");
    several(rule, "", Op::Map(Map::Mul), &["f64[4]", "f32[4]"], "f64[4]");
    several(rule, "", Op::Map(Map::Max), &["c64[4]", "c64[4]"], "c64[4]");
    several(rule, "", Op::Map(Map::Soft), &["c64[4]", "c128[]"], "c64[4]");
    one(rule, "", Op::Map(Map::Abs), "c64[4]", "c64[4]");
    several("", "", Op::Map(Map::Soft), &["c64[4]", "f64[]"], "c64[4]");
    several("", "", Op::Map(Map::Div), &["f32[4]", "c128[]"], "c64[4]");
    several("", "", Op::Map(Map::Select), &["f64[]", "f32[4]", "f32[4]"], "f32[4]");
    several("", "", Op::Map(Map::Div), &["f64[]", "f64[]"], "f64[]");
    one("", "", Op::Map(Map::Named("sign".into())), "c64[4]", "f64[4]");
}

#[test]
fn reduce_types() {
    one("reduce-types", "", Op::Reduce(Reduction::Max), "f32[4]", "f32[]");
    one("", "", Op::Reduce(Reduction::ArgMax), "c64[4]", "f64[]");
}

#[test]
fn index_types() {
    let rule = "index-types";
    one("index-types", "", Op::OneHot, "c128[]", "f64[4]");
    several(rule, "", Op::Take, &["f64[3, 4]", "f64[]"], "f64[3]");
    several(rule, "", Op::Take, &["f64[]", "f64[]"], "f64[]");
    several(rule, "", Op::Put, &["f64[3, 4]", "f64[]", "f64[3]"], "f64[3, 4]");
    several(rule, "", Op::Combine, &["f64[4]", "f64[3, 4]"], "f64[4]");
    several(rule, "", Op::Dots, &["f64[3, 4]", "f64[4]"], "f64[4]");
    one("", "", Op::OneHot, "f64[]", "f64[4]");
    several("", "", Op::Take, &["f64[3, 4]", "f64[]"], "f64[4]");
    several("", "", Op::Put, &["f64[3, 4]", "f64[]", "f64[4]"], "f64[3, 4]");
    several("", "", Op::Combine, &["c128[3]", "f32[3, 4]"], "c64[4]");
    several("", "", Op::Dots, &["c64[3, 4]", "c64[4]"], "c128[3]");
}

#[test]
fn regroup_types() {
    let rule = "regroup-types";
    one("regroup-types", "", Op::Reshape, "f64[4]", "f64[2, 3]");
    one(rule, "", Op::Reshape, "f64[4]", "f32[2, 2]");
    several(rule, "", Op::Concat, &["f64[4]", "f64[2, 2]"], "f64[2, 4]");
    one(rule, "", Op::Part(3), "f64[4]", "f64[2]");
    one(rule, "", Op::Part(usize::MAX), "f64[4]", "f64[2]");
    one(rule, "", Op::Part(0), "f64[2, 2]", "f64[2]");
    several("", "", Op::Concat, &["f64[4]", "f64[2, 2]"], "f64[8]");
    one("", "", Op::Part(2), "f64[8]", "f64[2, 3]");
}

#[test]
fn communication_types() {
    one("communication-types", "p=2", Op::AllReduce(vec![0]), "f64[4] +p", "f64[3]");
    let mut d = Draft::new("p=2");
    let (x, y) = (d.zero("f64[4/p~+1:1]"), d.zero("f32[4/p~+1:1]"));
    d.many(Op::HaloSum, &[x, y], &["f64[4/p]", "f32[4/p]"]);
    d.breaks("communication-types");
    let mut d = Draft::new("p=2");
    let (x, y) = (d.zero("f64[4] +p"), d.zero("c64[2] +p"));
    d.many(Op::AllReduce(vec![0]), &[x, y], &["f64[4]", "c64[2]"]);
    d.passes();
}
