//! How much a certificate at some sizes would compute, before anything is lowered.

use crate::ir::{Applied, Block, Leaf, Node, Op, Plan};
use crate::placement::Type;
use crate::signature::{Binding, Rule, Spread};

/// Entries of stand-ins and elements of values, on all ranks together.
pub(super) fn effort(plan: &Plan) -> f64 {
    let values = plan.blocks.iter().flat_map(|b| &b.types).map(|ty| elements(plan, ty));
    let nodes = plan.blocks.iter().flat_map(|b| b.nodes.iter().map(move |n| entries(plan, b, n)));
    values.chain(nodes).sum()
}

fn elements(plan: &Plan, ty: &Type) -> f64 {
    let split = plan.mesh.sizes(&ty.placement.split_axes());
    ty.dims.iter().map(|&n| n as f64).product::<f64>() * (plan.mesh.ranks() / split.max(1)) as f64
}

fn entries(plan: &Plan, block: &Block, node: &Node) -> f64 {
    let Op::Apply(Applied::Leaf(leaf) | Applied::Adjoint(leaf)) = node.op else { return 0.0 };
    let leaf: &Leaf = &plan[leaf];
    let rule = &leaf.signature.rule;
    let axes: Vec<_> = leaf.tile.iter().flat_map(|s| s.axes.iter().copied()).collect();
    let replicas = plan.mesh.ranks() / plan.mesh.sizes(&axes).max(1);
    let own: f64 = leaf.signature.domain.iter().flatten().map(|&n| n as f64).product::<f64>();
    let given = node.args.first().map_or(0.0, |&v| block.ty(v).len() as f64);
    let batch = if leaf.signature.domain.len() == 1 && own > 0.0 { given / own } else { 1.0 };
    let pairs = rule.range.iter().flat_map(|r| rule.domain.iter().map(move |d| pair(rule, r, d)));
    pairs.sum::<f64>() * replicas as f64 * batch.max(1.0)
}

/// The entries between two parts.
fn pair(rule: &Rule, range: &[Binding], domain: &[Binding]) -> f64 {
    let rows: f64 = range.iter().map(|b| rule.extent(b) as f64).product();
    let columns = domain.iter().map(|b| {
        let extent = rule.extent(b) as f64;
        if !range.iter().any(|r| r.factor == b.factor) {
            return extent;
        }
        let each = match &b.spread {
            Spread::One => 1.0,
            Spread::Uniform(k) => *k as f64,
            Spread::Table(_) => extent / rule.factors[b.factor].size.max(1) as f64,
        };
        each * (b.halo.0 + b.halo.1 + 1) as f64
    });
    rows * columns.product::<f64>()
}
