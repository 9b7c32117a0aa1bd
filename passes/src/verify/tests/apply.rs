//! Rules about placements around a leaf.

use super::{Draft, dense, signature, signature_of, stencil};
use crate::signature::{Binding, Factor, Rule, Signature, Spread};

/// One apply of a leaf that breaks a rule, or none if it is empty.
fn forward(rule: &str, leaf: Signature, tile: &[&str], from: &str, to: &str) {
    judge(rule, leaf, tile, from, to, false);
}

fn backward(rule: &str, leaf: Signature, tile: &[&str], from: &str, to: &str) {
    judge(rule, leaf, tile, from, to, true);
}

fn judge(rule: &str, leaf: Signature, tile: &[&str], from: &str, to: &str, adjoint: bool) {
    let mut d = Draft::new("r=2,c=2,b=2");
    let a = d.leaf("A", leaf, tile);
    let x = d.zero(from);
    if adjoint {
        d.adjoint(a, &[x], to)
    } else {
        d.apply(a, &[x], to)
    };
    if rule.is_empty() { d.passes() } else { d.breaks(rule) }
}

#[test]
fn apply_tile() {
    let tile = &["/r", "/c"];
    forward("apply-tile", dense(4, 6), tile, "f64[6]", "f64[4/r] +c");
    forward("apply-tile", dense(4, 6), tile, "f64[6/c]", "f64[4/b] +c");
    forward("", dense(4, 6), tile, "f64[6/c]", "f64[4/r] +c");
    backward("", dense(4, 6), tile, "f64[4/r]", "f64[6/c] +r");
}

#[test]
fn apply_tile_with_cuts() {
    let ragged = |weights: Option<Vec<u64>>| {
        let mut factor = Factor::free("i", 3);
        factor.weights = weights.map(|w| std::sync::Arc::new(w.into()));
        let spread = Spread::from_counts([2, 0, 4]);
        signature(vec![factor], vec![Binding::plain(0)], vec![Binding::ragged(0, spread)])
    };
    let mut d = Draft::new("p=2");
    d.cut("q", 3, None, Spread::from_counts([2, 0, 4]));
    let a = d.leaf("A", ragged(None), &["/p"]);
    let x = d.zero("f64[3/p]");
    d.apply(a, &[x], "f64[6/p@q]");
    d.passes();
    d.apply(a, &[x], "f64[6/p]");
    d.breaks("apply-tile");
    let mut d = Draft::new("p=2");
    d.cut("w", 3, Some(vec![1, 1, 5]), Spread::One);
    d.cut("v", 3, Some(vec![1, 1, 5]), Spread::from_counts([2, 0, 4]));
    let a = d.leaf("A", ragged(Some(vec![1, 1, 5])), &["/p@w"]);
    let x = d.zero("f64[3/p@w]");
    d.apply(a, &[x], "f64[6/p@v]");
    d.passes();
}

#[test]
fn apply_batch() {
    let tile = &["/r", "/c"];
    forward("", dense(4, 6), tile, "f64[6/c, 8/b]", "f64[4/r, 8/b] +c");
    forward("apply-batch", dense(4, 6), tile, "f64[6/c, 8/b]", "f64[4/r, 8] +c");
    forward("apply-batch", dense(4, 6), &["", "/c"], "f64[6/c, 8/b]", "f64[4, 8/r] +c");
    forward("apply-batch", stencil(8), &[""], "f64[8, 8/b]", "f64[8, 8/c]");
}

#[test]
fn batch_axes_are_not_the_tiles() {
    let mut d = Draft::new("r=2");
    let a = d.leaf("A", dense(4, 6), &["/r", ""]);
    let x = d.zero("f64[6, 8/r]");
    d.apply(a, &[x], "f64[4/r, 8]");
    d.breaks("apply-batch");
}

#[test]
fn apply_ghosts() {
    let rule = "apply-ghosts";
    forward("apply-ghosts", stencil(8), &["/r"], "f64[8/r]", "f64[8/r]");
    forward("", stencil(8), &["/r"], "f64[8/r~2:2]", "f64[8/r]");
    forward("", stencil(8), &["/r"], "f64[8/r~2:4]", "f64[8/r~1:2]");
    forward(rule, stencil(8), &["/r"], "f64[8/r~2:2]", "f64[8/r~1:2]");
    forward(rule, stencil(8), &["/r"], "f64[8/r~1:1]", "f64[8/r]");
    backward("", stencil(8), &["/r"], "f64[8/r~2:1]", "f64[8/r]");
    backward("", stencil(8), &["/r"], "f64[8/r~3:3]", "f64[8/r~1:2]");
    backward(rule, stencil(8), &["/r"], "f64[8/r~3:3]", "f64[8/r~2:2]");
    backward(rule, stencil(8), &["/r"], "f64[8/r~1:2]", "f64[8/r]");
    backward(rule, stencil(8), &["/r"], "f64[8/r~1:2]", "f64[8/r~+1:1]");
    backward(rule, dense(4, 6), &["/r", "/c"], "f64[4/r]", "f64[6/c~1:1] +r");
    forward("", dense(4, 6), &["/r", "/c"], "f64[6/c~1:1]", "f64[4/r] +c");
    forward(rule, stencil(8), &["/r"], "f64[8/r~+1:2]", "f64[8/r]");
    forward(rule, stencil(8), &["/r"], "f64[8/r~1:2]", "f64[8/r~1:2]");
    backward(rule, stencil(8), &["/r"], "f64[8/r]", "f64[8/r]");
    backward(rule, stencil(8), &["/r"], "f64[8/r]", "f64[8/r~1:2]");
    backward(rule, stencil(8), &["/r"], "f64[8/r~1:2]", "f64[8/r~+1:2]");
    forward("", stencil(8), &["/r"], "f64[8/r~1:2]", "f64[8/r]");
    backward("", stencil(8), &["/r"], "f64[8/r]", "f64[8/r~+1:2]");
    forward("", stencil(8), &[""], "f64[8]", "f64[8]");
}

#[test]
fn apply_pending() {
    let rule = "apply-pending";
    let tile = &["/r", "/c"];
    forward("apply-pending", dense(4, 6), tile, "f64[6/c]", "f64[4/r]");
    forward(rule, dense(4, 6), tile, "f64[6/c] +r", "f64[4/r] +c");
    forward(rule, dense(4, 6), tile, "f64[6/c] +b", "f64[4/r] +c");
    forward(rule, stencil(8), &[""], "f64[8]", "f64[8] +r");
    backward(rule, dense(4, 6), tile, "f64[4/r]", "f64[6/c]");
    forward("", dense(4, 6), tile, "f64[6/c] +b", "f64[4/r] +c +b");
    forward("", dense(4, 6), &["", ""], "f64[6] +r", "f64[4] +r");
}

#[test]
fn apply_sums() {
    let stacked = signature_of(Rule {
        factors: vec![Factor::free("i", 4), Factor::free("k", 2), Factor::free("j", 6)],
        domain: vec![vec![Binding::plain(2)]],
        range: vec![vec![Binding::plain(0)], vec![Binding::plain(1)]],
    });
    let mut d = Draft::new("p=2");
    let a = d.leaf("A", stacked, &["/p", "", ""]);
    let x = d.zero("f64[6]");
    let applied = crate::ir::Op::Apply(crate::ir::Applied::Leaf(a));
    let y = d.many(applied, &[x], &["f64[4/p]", "f64[2]"]);
    d.passes();
    d.adjoint(a, &y, "f64[6] +p");
    d.breaks("apply-sums");
}
