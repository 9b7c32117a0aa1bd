//! Regions.

use super::{Draft, dense};
use crate::ir::{LeafId, Op, Region, Target, Value};

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
    d.block().regions = vec![Region { leaf: a, first: 2, last: 5 }];
    (d, [x, ax, r, rr, z])
}

#[test]
fn regions() {
    normal().0.passes();
    for (first, last) in [(3, 5), (2, 6), (1, 5), (4, 3)] {
        let mut d = normal().0;
        d.block().regions = vec![Region { leaf: LeafId(0), first, last }];
        d.breaks("regions");
    }
    let mut d = normal().0;
    let [one, two] = [(2, 3), (3, 5)].map(|(first, last)| Region { leaf: LeafId(0), first, last });
    d.block().regions = vec![one, two];
    d.breaks("regions");
    let mut d = normal().0;
    d.block().regions[0].leaf = LeafId(7);
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
