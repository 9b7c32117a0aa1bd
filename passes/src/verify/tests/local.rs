//! Rules about placements where nothing is communicated.

use super::{Draft, one, several};
use crate::ir::{Map, Op, Reduction, Target};
use crate::signature::Spread;

#[test]
fn spaces() {
    several("spaces", "", Op::Add, &["f64[4]", "f64[4] @dev"], "f64[4]");
    one("spaces", "", Op::Neg, "f64[4]", "f64[4] @dev");
    one("", "", Op::Neg, "f64[4] @dev", "f64[4] @dev");
}

#[test]
fn returns() {
    for (ty, rule) in [("f64[4]", "return-types"), ("f64[4/p] @dev", "return-types")] {
        let mut d = Draft::new("p=2");
        let state = d.state("x", "f64[4/p]");
        let x = d.zero(ty);
        d.give(Target::State(state), x);
        d.breaks(rule);
    }
    let mut d = Draft::new("p=2");
    let x = d.zero("f64[4/p]");
    d.state("y", "f64[4]");
    d.give(Target::State(0), x);
    d.breaks("return-types");
}

#[test]
fn controls() {
    for (ty, fits) in [("f64[]", true), ("f64[] +p", false), ("f64[2]", true), ("f64[2/p]", false)]
    {
        let mut d = Draft::new("p=2");
        let x = d.zero(ty);
        d.give(Target::Control("go".into()), x);
        if fits { d.passes() } else { d.breaks("controls") }
    }
}

#[test]
fn outputs() {
    for (ty, fits) in [("f64[4/p]", true), ("f64[4] +p", false), ("f64[4/p~+1:1]", false)] {
        let mut d = Draft::new("p=2");
        let x = d.zero(ty);
        d.give(Target::Output, x);
        if fits { d.passes() } else { d.breaks("outputs") }
    }
}

#[test]
fn elementwise_place() {
    let rule = "elementwise-place";
    several("elementwise-place", "p=2", Op::Add, &["f64[4/p]", "f64[4]"], "f64[4]");
    several(rule, "p=2", Op::Add, &["f64[4] +p", "f64[4]"], "f64[4] +p");
    several(rule, "p=2", Op::Sub, &["f64[4/p]", "f64[4/p]"], "f64[4]");
    one(rule, "p=2", Op::Neg, "f64[4] +p", "f64[4]");
    one(rule, "p=2", Op::Conj, "c64[4/p~+1:1]", "c64[4/p~+1:1]");
    one("", "p=2", Op::Cast, "c64[4] +p", "f64[4] +p");
    several("", "p=2", Op::Add, &["f64[4/p~+1:1]", "f64[4/p~+1:1]"], "f64[4/p~+1:1]");
}

#[test]
fn cuts_are_compared_by_what_they_are() {
    let mut d = Draft::new("p=2");
    d.cut("q", 4, None, Spread::Uniform(2));
    d.cut("s", 4, None, Spread::Uniform(2));
    let x = d.zero("f64[8/p@q]");
    d.op(Op::Neg, &[x], "f64[8/p@s]");
    d.passes();
    d.op(Op::Neg, &[x], "f64[8/p]");
    d.breaks("elementwise-place");
    let mut d = Draft::new("p=2");
    d.cut("balanced", 8, None, Spread::One);
    let x = d.zero("f64[8/p@balanced]");
    d.op(Op::Neg, &[x], "f64[8/p]");
    d.passes();
}

#[test]
fn scale_place() {
    let rule = "scale-place";
    several("scale-place", "p=2", Op::Scale, &["f64[] +p", "f64[4]"], "f64[4]");
    several(rule, "p=2", Op::Scale, &["f64[4]", "f64[3, 4/p]"], "f64[3, 4/p]");
    several(rule, "p=2", Op::Axpy, &["f64[]", "f64[4/p]", "f64[4]"], "f64[4/p]");
    several(rule, "p=2", Op::Scale, &["f64[]", "f64[4] +p"], "f64[4]");
    several("", "p=2", Op::Scale, &["f64[4/p]", "f64[3, 4/p]"], "f64[3, 4/p]");
    several("", "p=2", Op::Axpy, &["f64[]", "f64[4] +p", "f64[4] +p"], "f64[4] +p");
}

#[test]
fn map_place() {
    let rule = "map-place";
    several("map-place", "p=2", Op::Map(Map::Mul), &["f64[4] +p", "f64[4] +p"], "f64[4] +p");
    several(rule, "p=2", Op::Map(Map::Mul), &["f64[4/p]", "f64[4]"], "f64[4/p]");
    several(rule, "p=2", Op::Map(Map::Soft), &["f64[4/p]", "f64[] +p"], "f64[4/p]");
    one(rule, "p=2", Op::Map(Map::Sqrt), "f64[4/p~1:1]", "f64[4/p~1:1]");
    one(rule, "p=2", Op::Map(Map::Sqrt), "f64[4/p]", "f64[4]");
    several("", "p=2", Op::Map(Map::Soft), &["f64[4/p]", "f64[]"], "f64[4/p]");
}

#[test]
fn whole_place() {
    one("whole-place", "p=2", Op::Call("qr".into()), "f64[4/p]", "f64[4]");
    one("whole-place", "p=2", Op::Call("qr".into()), "f64[4]", "f64[4] +p");
    one("", "p=2", Op::Call("qr".into()), "f64[4]", "f64[2]");
}

#[test]
fn one_hot_place() {
    one("one-hot-place", "p=2", Op::OneHot, "f64[] +p", "f64[4]");
    one("one-hot-place", "p=2", Op::OneHot, "f64[]", "f64[4] +p");
    one("one-hot-place", "p=2", Op::OneHot, "f64[]", "f64[4/p~1:1]");
    one("", "p=2", Op::OneHot, "f64[]", "f64[4/p]");
}

#[test]
fn reduce_place() {
    one("reduce-place", "p=2", Op::Reduce(Reduction::Max), "f64[4] +p", "f64[]");
    one("reduce-place", "p=2", Op::Reduce(Reduction::Max), "f64[4/p]", "f64[] +p");
    one("", "p=2", Op::Reduce(Reduction::Max), "f64[4/p]", "f64[]");
}

#[test]
fn dot_place() {
    let rule = "dot-place";
    let dot = |columns| Op::Dot { columns, real: false };
    several("dot-place", "p=2", dot(0), &["f64[4/p]", "f64[4/p]"], "f64[]");
    several(rule, "p=2", dot(0), &["f64[4]", "f64[4]"], "f64[] +p");
    several(rule, "p=2", dot(0), &["f64[4/p]", "f64[4]"], "f64[] +p");
    several(rule, "p=2", dot(0), &["f64[4] +p", "f64[4] +p"], "f64[] +p");
    several(rule, "p=2", dot(0), &["f64[4/p~1:0]", "f64[4/p~1:0]"], "f64[] +p");
    several("", "r=2,c=2", dot(1), &["f64[4/r, 6/c]", "f64[4/r, 6/c]"], "f64[6/c] +r");
}

#[test]
fn index_place() {
    let rule = "index-place";
    several("index-place", "p=2", Op::Take, &["f64[3/p, 4]", "f64[]"], "f64[4]");
    several(rule, "p=2", Op::Take, &["f64[3, 4/p]", "f64[] +p"], "f64[4/p]");
    several(rule, "p=2", Op::Put, &["f64[3, 4/p]", "f64[]", "f64[4]"], "f64[3, 4/p]");
    several(rule, "p=2", Op::Combine, &["f64[3/p]", "f64[3, 4]"], "f64[4]");
    several(rule, "p=2", Op::Dots, &["f64[3, 4/p]", "f64[4/p]"], "f64[3]");
    several(rule, "p=2", Op::Dots, &["f64[3, 4] +p", "f64[4] +p"], "f64[3]");
    several("", "p=2", Op::Take, &["f64[3, 4] +p", "f64[]"], "f64[4] +p");
    several("", "p=2", Op::Put, &["f64[3, 4/p]", "f64[]", "f64[4/p]"], "f64[3, 4/p]");
    several("", "p=2", Op::Combine, &["f64[3]", "f64[3, 4/p]"], "f64[4/p]");
    several("", "p=2", Op::Dots, &["f64[3, 4/p]", "f64[4/p]"], "f64[3] +p");
}

#[test]
fn reshape_place() {
    let rule = "reshape-place";
    one("reshape-place", "p=2", Op::Reshape, "f64[4/p]", "f64[2, 2]");
    one(rule, "p=2", Op::Reshape, "f64[6/p]", "f64[3/p, 2]");
    one(rule, "p=2", Op::Reshape, "f64[3, 4/p]", "f64[4, 3/p]");
    one(rule, "p=2", Op::Reshape, "f64[4, 3/p]", "f64[6, 2]");
    one(rule, "p=2", Op::Reshape, "f64[4] +p", "f64[2, 2]");
    one(rule, "p=2", Op::Reshape, "f64[4/p~1:1]", "f64[2/p, 2]");
    one("", "p=2", Op::Reshape, "f64[4/p, 6]", "f64[4/p, 2, 3]");
    one("", "p=2", Op::Reshape, "f64[4/p, 6]", "f64[8/p, 3]");
    one("", "p=2", Op::Reshape, "f64[1, 4/p]", "f64[1, 1, 4/p, 1]");
    one(rule, "p=2", Op::Reshape, "f64[1/p, 4]", "f64[4/p]");
    one("", "p=2", Op::Reshape, "f64[4/p~1:1, 6] ", "f64[4/p~1:1, 3, 2]");
    let mut d = Draft::new("p=2");
    d.cut("q", 3, None, Spread::Uniform(2));
    let x = d.zero("f64[6/p@q]");
    d.op(Op::Reshape, &[x], "f64[3/p, 2]");
    d.passes();
}

#[test]
fn concat_place() {
    several("concat-place", "p=2", Op::Concat, &["f64[4/p]", "f64[4]"], "f64[8]");
    several("concat-place", "p=2", Op::Concat, &["f64[4] +p", "f64[4]"], "f64[8] +p");
    one("concat-place", "p=2", Op::Part(0), "f64[4]", "f64[2/p]");
    several("", "p=2", Op::Concat, &["f64[4] +p", "f64[4] +p"], "f64[8] +p");
}
