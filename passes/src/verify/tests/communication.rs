//! Rules about communication and its local relatives.

use super::{Draft, one};
use crate::ir::Op;
use crate::signature::Spread;

const GRID: &str = "r=2,c=2";

#[test]
fn all_reduce() {
    one("all-reduce", GRID, Op::AllReduce(vec![0]), "f64[4] +c", "f64[4] +c");
    one("all-reduce", GRID, Op::AllReduce(vec![0]), "f64[4] +r", "f64[4/r]");
    one("all-reduce", GRID, Op::AllReduce(vec![0]), "f64[4] +r +c", "f64[4]");
    one("", GRID, Op::AllReduce(vec![0]), "f64[4] +r +c", "f64[4] +c");
}

#[test]
fn reduce_scatter() {
    let op = || Op::ReduceScatter(vec![0]);
    one("reduce-scatter", GRID, op(), "f64[4]", "f64[4/r]");
    one("reduce-scatter", GRID, op(), "f64[4, 4] +r", "f64[4, 4]");
    one("reduce-scatter", GRID, op(), "f64[4/c] +r", "f64[4/r*c]");
    one("reduce-scatter", GRID, op(), "f64[4, 4] +r", "f64[4/r, 4/c]");
    one("", GRID, op(), "f64[4, 4/c] +r", "f64[4, 4/c*r]");
    one("", GRID, Op::ReduceScatter(vec![0, 1]), "f64[4] +r +c", "f64[4/c*r]");
}

#[test]
fn all_gather() {
    let op = || Op::AllGather(vec![0]);
    one("all-gather", GRID, op(), "f64[4/r]", "f64[4/r]");
    one("all-gather", GRID, op(), "f64[4/r*c]", "f64[4/c]");
    one("all-gather", GRID, op(), "f64[4/r, 4/c]", "f64[4, 4]");
    one("all-gather", GRID, op(), "f64[4/r~1:1]", "f64[4]");
    one("", GRID, op(), "f64[4/c*r, 3] ", "f64[4/c, 3]");
    one("", GRID, Op::AllGather(vec![0, 1]), "f64[4/c*r]", "f64[4]");
}

#[test]
fn riders() {
    for (op, from, to) in [
        (Op::ReduceScatter(vec![0]), "f64[4] +r", "f64[4/r]"),
        (Op::AllGather(vec![0]), "f64[4/r]", "f64[4]"),
    ] {
        for (rule, rides, settled) in [
            ("riders", "f64[] +c", "f64[] +c"),
            ("riders", "f64[] +r +c", "f64[]"),
            ("riders", "f64[4] +r", "f64[4/r]"),
            ("riders", "f64[4/c~1:1] +r", "f64[4/c~1:1]"),
            ("", "f64[4/c] +r", "f64[4/c]"),
            ("", "f64[] +r +c", "f64[] +c"),
        ] {
            let mut d = Draft::new(GRID);
            let (x, y) = (d.zero(from), d.zero(rides));
            d.many(op.clone(), &[x, y], &[to, settled]);
            if rule.is_empty() { d.passes() } else { d.breaks(rule) }
        }
    }
}

#[test]
fn all_to_all() {
    let op = || Op::AllToAll(0);
    one("all-to-all", GRID, op(), "f64[4/r, 4]", "f64[4, 4]");
    one("all-to-all", GRID, op(), "f64[4/r*c, 4]", "f64[4/c, 4/r]");
    one("all-to-all", GRID, op(), "f64[4, 4/r]", "f64[4/c, 4]");
    one("", GRID, op(), "f64[4/r, 4/c]", "f64[4, 4/c*r]");
}

#[test]
fn exchange() {
    one("exchange", GRID, Op::Exchange, "f64[4/r, 4]", "f64[4, 4]");
    one("exchange", GRID, Op::Exchange, "f64[4/r~1:1, 4]", "f64[4, 4/r]");
    one("exchange", GRID, Op::Exchange, "f64[4/r] +c", "f64[4/r]");
    one("", GRID, Op::Exchange, "f64[4/r, 4/c]", "f64[4, 4/c*r]");
    let mut d = Draft::new(GRID);
    d.cut("q", 4, Some(vec![1, 2, 3, 4]), Spread::One);
    let x = d.zero("f64[4/r]");
    d.op(Op::Exchange, &[x], "f64[4/r@q]");
    d.passes();
    d.op(Op::Slice, &[x], "f64[4/r@q]");
    d.breaks("slice");
}

#[test]
fn halo() {
    one("halo", GRID, Op::Halo, "f64[4/r]", "f64[4/r]");
    one("halo", GRID, Op::Halo, "f64[4/r~+1:0]", "f64[4/r~1:1]");
    one("", GRID, Op::Halo, "f64[4/r~1:0]", "f64[4/r~1:1]");
    one("halo", GRID, Op::Halo, "f64[4/r]", "f64[4/r~+1:1]");
    one("halo", GRID, Op::Halo, "f64[4/r]", "f64[4/c~1:1]");
    one("", GRID, Op::Halo, "f64[4/r, 4/c]", "f64[4/r~1:1, 4/c~0:2]");
}

#[test]
fn halo_sum() {
    one("halo-sum", GRID, Op::HaloSum, "f64[4/r~1:1]", "f64[4/r]");
    one("halo-sum", GRID, Op::HaloSum, "f64[4/r~+1:1]", "f64[4/r~+1:0]");
    one("", GRID, Op::HaloSum, "f64[4/r~+1:1] +c", "f64[4/r] +c");
}

#[test]
fn slice() {
    one("slice", GRID, Op::Slice, "f64[4/r]", "f64[4]");
    one("slice", GRID, Op::Slice, "f64[4/r]", "f64[4/c*r]");
    one("slice", GRID, Op::Slice, "f64[4] +r", "f64[4/r]");
    one("slice", GRID, Op::Slice, "f64[4/r~1:1]", "f64[4/r~2:1]");
    one("slice", GRID, Op::Slice, "f64[4/r~+1:1]", "f64[4/r]");
    one("", GRID, Op::Slice, "f64[4/r, 4] ", "f64[4/r*c, 4]");
    one("", GRID, Op::Slice, "f64[4/r~2:2]", "f64[4/r~1:0]");
    one("", GRID, Op::Slice, "f64[4]", "f64[4/r~1:1]");
}

#[test]
fn pad() {
    one("pad", GRID, Op::Pad(vec![0]), "f64[4/r]", "f64[4]");
    one("pad", GRID, Op::Pad(vec![0]), "f64[4/r*c]", "f64[4/c] +r");
    one("pad", GRID, Op::Pad(vec![0]), "f64[4, 4]", "f64[4, 4] +r");
    one("pad", GRID, Op::Pad(vec![0]), "f64[4/r~1:1]", "f64[4] +r");
    one("", GRID, Op::Pad(vec![0, 1]), "f64[4/r, 4/c]", "f64[4, 4] +r +c");
}

#[test]
fn partial() {
    one("partial", GRID, Op::Partial(vec![0]), "f64[4] +r", "f64[4] +r");
    one("partial", GRID, Op::Partial(vec![0]), "f64[4]", "f64[4] +c");
    one("partial", GRID, Op::Partial(vec![0]), "f64[4]", "f64[4]");
    one("", GRID, Op::Partial(vec![0]), "f64[4/c]", "f64[4/c] +r");
}

#[test]
fn copy() {
    one("copy", GRID, Op::Copy, "f64[4]", "f64[4]");
    one("copy", GRID, Op::Copy, "f64[4]", "f64[4/r] @dev");
    one("", GRID, Op::Copy, "f64[4] @dev", "f64[4]");
}
