//! Plans that break no rule, and whether any plan near them makes the verifier panic.

use super::{Draft, dense, signature, stencil};
use crate::dtype::Dtype;
use crate::ir::{Map, Op, Plan, Target};
use crate::signature::{Binding, Factor};
use crate::verify::verify_all;
use serde_json::Value as Json;

const GOOD: [fn() -> Draft; 4] = [
    two_blocks_on_a_grid,
    a_stencil_and_its_adjoint,
    fredholm_between_transforms,
    a_step_of_conjugate_gradients,
];

#[test]
fn good_plans_pass() {
    for draft in GOOD {
        draft().passes();
    }
}

#[test]
fn no_plan_nearby_makes_the_verifier_panic() {
    for draft in GOOD {
        let plan = serde_json::to_value(draft().plan).unwrap();
        let mut refused = 0;
        for place in 0..places(&plan) {
            for harm in [zero, more, far, shorter, longer] {
                let mut harmed = plan.clone();
                visit(&mut harmed, &mut { place }, harm);
                if let Ok(harmed) = serde_json::from_value::<Plan>(harmed) {
                    refused += usize::from(!verify_all(&harmed).is_empty());
                }
            }
        }
        assert!(refused > 100, "only {refused} harmed plans were refused");
    }
}

fn zero(json: &mut Json) {
    set(json, |_| 0);
}

fn more(json: &mut Json) {
    set(json, |n| n + 1);
}

fn far(json: &mut Json) {
    set(json, |_| 999);
}

fn set(json: &mut Json, to: impl Fn(u64) -> u64) {
    if let Some(n) = json.as_u64() {
        *json = to(n).into();
    }
}

fn shorter(json: &mut Json) {
    if let Json::Array(items) = json {
        items.pop();
    }
}

fn longer(json: &mut Json) {
    if let Json::Array(items) = json {
        items.extend(items.last().cloned());
    }
}

/// How many nodes the tree has.
fn places(json: &Json) -> usize {
    let mut left = usize::MAX;
    visit(&mut json.clone(), &mut left, |_| ());
    usize::MAX - left
}

/// Harms the node of this number, counted from the root.
fn visit(json: &mut Json, left: &mut usize, harm: fn(&mut Json)) {
    if *left == 0 {
        harm(json);
    }
    *left = left.wrapping_sub(1);
    match json {
        Json::Array(items) => items.iter_mut().for_each(|i| visit(i, left, harm)),
        Json::Object(fields) => fields.values_mut().for_each(|i| visit(i, left, harm)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn two_blocks_on_a_grid() -> Draft {
    let mut d = Draft::new("r=2,c=2");
    let a = d.leaf("A[0]", dense(1024, 4096), &["/r", "/c"]);
    let b = d.leaf("A[1]", dense(3072, 4096), &["/r", "/c"]);
    let x = d.input("f64[4096/c]");
    let y = d.apply(a, &[x], "f64[1024/r] +c");
    let z = d.apply(b, &[x], "f64[3072/r] +c");
    let s = d.many(Op::AllReduce(vec![1]), &[y, z], &["f64[1024/r]", "f64[3072/r]"]);
    let y = d.adjoint(a, &[s[0]], "f64[4096/c] +r");
    let z = d.adjoint(b, &[s[1]], "f64[4096/c] +r");
    let sum = d.op(Op::Add, &[y, z], "f64[4096/c] +r");
    let out = d.op(Op::AllReduce(vec![0]), &[sum], "f64[4096/c]");
    d.give(Target::Output, out);
    d
}

fn a_stencil_and_its_adjoint() -> Draft {
    let mut d = Draft::new("p=3");
    let s = d.leaf("S", stencil(10), &["/p"]);
    let x = d.input("f64[10/p]");
    let held = d.op(Op::Halo, &[x], "f64[10/p~1:2]");
    let y = d.apply(s, &[held], "f64[10/p]");
    let z = d.adjoint(s, &[y], "f64[10/p~+1:2]");
    let out = d.op(Op::HaloSum, &[z], "f64[10/p]");
    d.give(Target::Output, out);
    d
}

fn fredholm_between_transforms() -> Draft {
    let mut d = Draft::new("p=3");
    let passed = || vec![Binding::plain(0), Binding::plain(1), Binding::plain(2)];
    let axes = vec![Factor::whole("t", 8), Factor::free("x", 6), Factor::free("v", 5)];
    let f = d.leaf("F", signature(axes, passed(), passed()), &["", "/p", ""]);
    let factors = ["k", "x", "y", "v"].iter().zip([8, 4, 6, 5]);
    let fredholm = signature(
        factors.map(|(name, n)| Factor::free(*name, n)).collect(),
        vec![Binding::plain(0), Binding::plain(2), Binding::plain(3)],
        vec![Binding::plain(0), Binding::plain(1), Binding::plain(3)],
    );
    let g = d.leaf("G", fredholm, &["/p", "", "", ""]);
    let x = d.input("f64[8, 6/p, 5]");
    let x = d.apply(f, &[x], "f64[8, 6/p, 5]");
    let x = d.op(Op::AllToAll(0), &[x], "f64[8/p, 6, 5]");
    let y = d.apply(g, &[x], "f64[8/p, 4, 5]");
    let z = d.adjoint(g, &[y], "f64[8/p, 6, 5]");
    let z = d.op(Op::AllToAll(0), &[z], "f64[8, 6/p, 5]");
    let z = d.adjoint(f, &[z], "f64[8, 6/p, 5]");
    d.give(Target::Output, z);
    d
}

fn a_step_of_conjugate_gradients() -> Draft {
    let mut d = Draft::new("r=2,c=2");
    let a = d.leaf("A", dense(8, 6), &["/r", "/c"]);
    let vectors = ["x", "r", "p"].map(|name| d.state(name, "f64[6/c]"));
    let rho = d.state("rho", "f64[]");
    d.begin("step");
    let dot = |real| Op::Dot { columns: 0, real };
    let [x, r, p] = vectors.map(|s| d.op(Op::Get(s), &[], "f64[6/c]"));
    let old = d.op(Op::Get(rho), &[], "f64[]");
    let y = d.apply(a, &[p], "f64[8/r] +c");
    let y = d.op(Op::AllReduce(vec![1]), &[y], "f64[8/r]");
    let q = d.adjoint(a, &[y], "f64[6/c] +r");
    let q = d.op(Op::AllReduce(vec![0]), &[q], "f64[6/c]");
    let damp = d.slot("damp", Dtype::F64);
    let q = d.op(Op::Axpy, &[damp, p, q], "f64[6/c]");
    let pq = d.op(dot(true), &[p, q], "f64[] +c");
    let pq = d.op(Op::AllReduce(vec![1]), &[pq], "f64[]");
    let alpha = d.op(Op::Map(Map::Div), &[old, pq], "f64[]");
    let x = d.op(Op::Axpy, &[alpha, p, x], "f64[6/c]");
    let alpha = d.op(Op::Neg, &[alpha], "f64[]");
    let r = d.op(Op::Axpy, &[alpha, q, r], "f64[6/c]");
    let new = d.op(dot(true), &[r, r], "f64[] +c");
    let new = d.op(Op::AllReduce(vec![1]), &[new], "f64[]");
    let beta = d.op(Op::Map(Map::Div), &[new, old], "f64[]");
    let p = d.op(Op::Axpy, &[beta, p, r], "f64[6/c]");
    for (state, value) in vectors.into_iter().chain([rho]).zip([x, r, p, new]) {
        d.give(Target::State(state), value);
    }
    d.give(Target::Control("rho".into()), new);
    d
}
