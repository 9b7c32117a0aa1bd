//! Regions.

use super::{Draft, dense, stencil};
use crate::ir::{LeafId, Op, Over, Region, Target, Value};

/// `A.H (2 (A x) - y)` as a region, with a dot of what lies between.
fn normal() -> (Draft, [Value; 5]) {
    let mut d = Draft::new("");
    let a = d.leaf("A", dense(6, 4), &["", ""]);
    let x = d.input("f64[4]");
    let y = d.input("f64[6]");
    let ax = d.apply(a, &[x], "f64[6]");
    let r = d.op(Op::Sub, &[ax, y], "f64[6]");
    let rr = d.op(Op::Dot { columns: 0, real: false }, &[r, r], "f64[]");
    let z = d.adjoint(a, &[r], "f64[4]");
    d.give(Target::Output, z);
    d.give(Target::Output, rr);
    d.block().regions = vec![Region { over: Over::Panels(a), first: 2, last: 5 }];
    (d, [x, ax, r, rr, z])
}

fn region(first: u32, last: u32) -> Region {
    Region { over: Over::Panels(LeafId(0)), first, last }
}

#[test]
fn regions() {
    normal().0.passes();
    for (first, last) in [(3, 5), (2, 6), (1, 5), (4, 3)] {
        let mut d = normal().0;
        d.block().regions = vec![region(first, last)];
        d.breaks("regions");
    }
    let mut d = normal().0;
    let [one, two] = [(2, 3), (3, 5)].map(|(first, last)| region(first, last));
    d.block().regions = vec![one, two];
    d.breaks("regions");
    let mut d = normal().0;
    d.block().regions[0].over = Over::Panels(LeafId(7));
    d.breaks("regions");
}

#[test]
fn sums_are_not_used_inside() {
    let (mut d, [_, _, r, rr, _]) = normal();
    d.op(Op::Scale, &[rr, r], "f64[6]");
    d.passes();
    d.block().regions[0].last = 6;
    d.breaks("regions");
}

/// A stencil and its adjoint; nothing else may need what lies between.
#[test]
fn stencils_keep_nothing() {
    let mut d = Draft::new("");
    let s = d.leaf("S", stencil(6), &[""]);
    let x = d.input("f64[6]");
    let y = d.apply(s, &[x], "f64[6]");
    let z = d.adjoint(s, &[y], "f64[6]");
    d.give(Target::Output, z);
    d.block().regions = vec![Region { over: Over::Panels(s), first: 1, last: 2 }];
    d.passes();
    d.block().regions[0].over = Over::Normal(s);
    d.passes();
    d.op(Op::Neg, &[y], "f64[6]");
    d.breaks("regions");
    d.block().regions[0].over = Over::Panels(s);
    d.breaks("regions");
    d.block().regions.clear();
    d.passes();
}

/// Data are read in panels, and a stencil without its adjoint is no normal operator.
#[test]
fn only_stencils_are_one_with_their_adjoints() {
    let mut d = normal().0;
    d.block().regions[0].over = Over::Normal(LeafId(0));
    d.breaks("regions");
    let mut d = Draft::new("");
    let s = d.leaf("S", stencil(6), &[""]);
    let x = d.input("f64[6]");
    let y = d.apply(s, &[x], "f64[6]");
    let z = d.adjoint(s, &[y], "f64[6]");
    d.give(Target::Output, z);
    d.block().regions = vec![Region { over: Over::Normal(s), first: 1, last: 1 }];
    d.breaks("regions");
}

#[test]
fn other_operations_stay_outside() {
    let (mut d, [x, ax, ..]) = normal();
    for (op, args, ty) in [
        (Op::Neg, vec![x], "f64[4]"),
        (Op::Reshape, vec![ax], "f64[2, 3]"),
        (Op::Zero, vec![], "f64[6]"),
    ] {
        d.op(op, &args, ty);
        d.block().regions[0].last = 6;
        d.breaks("regions");
        d.block().nodes.pop();
        d.block().types.pop();
    }
}

#[test]
fn region_buffers() {
    // x, y, A x, A x - y, its dot, the result.
    let with = |buffers: [u32; 6]| {
        let mut d = normal().0;
        d.block().buffers = Some(buffers.to_vec());
        d
    };
    with([0, 1, 2, 2, 3, 4]).passes();
    with([0, 1, 2, 1, 3, 4]).passes();
    for wrong in [[0, 1, 0, 2, 3, 4], [0, 1, 2, 2, 3, 0], [0, 1, 2, 3, 4, 2], [0, 1, 2, 0, 3, 4]] {
        with(wrong).breaks("region-buffers");
    }
}

/// An update of `x` by `y`, its dot, and its product with the dot.
fn updates() -> (Draft, [Value; 6]) {
    let mut d = Draft::new("");
    let a = d.input("f64[]");
    let x = d.input("f64[4]");
    let y = d.input("f64[4]");
    let z = d.op(Op::Axpy, &[a, x, y], "f64[4]");
    let w = d.op(Op::Sub, &[z, x], "f64[4]");
    let ww = d.op(Op::Dot { columns: 0, real: false }, &[w, w], "f64[]");
    let v = d.op(Op::Scale, &[ww, w], "f64[4]");
    d.give(Target::Output, v);
    d.block().regions = vec![Region { over: Over::Elements, first: 3, last: 5 }];
    (d, [a, x, y, z, w, ww])
}

#[test]
fn elements_follow_from_the_same_elements() {
    updates().0.passes();
    for (first, last) in [(2, 5), (3, 6), (4, 7), (5, 4)] {
        let mut d = updates().0;
        d.block().regions = vec![Region { over: Over::Elements, first, last }];
        d.breaks("regions");
    }
    for (op, args, ty) in [
        (Op::Reshape, vec![Value(4)], "f64[2, 2]"),
        (Op::Neg, vec![Value(0)], "f64[]"),
        (Op::Zero, vec![], "f64[4]"),
    ] {
        let mut d = updates().0;
        let n = d.op(op, &args, ty).0;
        d.block().regions = vec![Region { over: Over::Elements, first: 4, last: 5 }];
        let (first, last) = (n, n);
        d.passes();
        d.block().regions.push(Region { over: Over::Elements, first, last });
        d.breaks("regions");
    }
}

#[test]
fn only_diagonal_operators_have_elements() {
    let mut d = Draft::new("");
    let a = d.leaf("A", dense(4, 4), &["", ""]);
    let x = d.input("f64[4]");
    let y = d.apply(a, &[x], "f64[4]");
    let z = d.op(Op::Neg, &[y], "f64[4]");
    d.give(Target::Output, z);
    d.passes();
    d.block().regions = vec![Region { over: Over::Elements, first: 1, last: 2 }];
    d.breaks("regions");
}

#[test]
fn buffers_of_elements() {
    // a, x, y, z, w, its dot, the result.
    let with = |buffers: [u32; 7]| {
        let mut d = updates().0;
        d.block().buffers = Some(buffers.to_vec());
        d
    };
    with([0, 1, 2, 3, 4, 5, 6]).passes();
    with([0, 1, 2, 2, 2, 5, 6]).passes();
    // Every piece reads the number, which neither elements nor a sum may overwrite.
    with([0, 1, 2, 3, 0, 5, 6]).breaks("region-buffers");
    with([0, 1, 2, 2, 2, 0, 6]).breaks("region-buffers");
}
