//! Lower bounds of memory traffic and communication.
//!
//! Memory: every leaf that a block applies is read once, every input and result once, and all of
//! that is divided evenly.
//! Communication: a leaf that contracts `n` values into `m` by a full table, for `k` columns, is a
//! product of matrices, whose ranks must exchange at least
//! `max(0, 3 (mnk/P)^⅔, 2 (mnk²/P)^½) − (mn + mk + nk)/P` elements, by the case of `P` (Al Daas,
//! Ballard, Grigori, Kumar, Rouse, 2022; after Irony, Toledo, Tiskin, 2004), where one copy of
//! everything is kept.
//! What several applications could share is not added up: the largest of them bounds the block.

use super::leaf_of;
use crate::ir::{Block, Node, Op, Plan};
use crate::machine::Machine;
use crate::placement::Type;
use crate::signature::Signature;
use serde::Serialize;
use std::collections::BTreeSet;

/// What no plan of a block can beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Floor {
    /// Bytes to and from memory, per rank.
    pub traffic: f64,
    /// Seconds for these bytes, or for the flops if they take longer.
    pub local: f64,
    /// Bytes sent by a rank.
    pub payload: f64,
    /// Seconds for these bytes.
    pub wire: f64,
}

impl Floor {
    /// Seconds, all in all.
    pub fn seconds(&self) -> f64 {
        self.local + self.wire
    }
}

/// The lower bounds of a block.
pub fn floor(plan: &Plan, block: &Block, machine: &Machine) -> Floor {
    let mesh = &plan.mesh;
    let ranks = mesh.ranks() as f64;
    let whole = |ty: &Type| (ty.len() * ty.dtype.size()) as f64;
    let (mut traffic, mut flops, mut payload) = (0.0, 0.0, 0.0_f64);
    let mut read = BTreeSet::new();
    for node in &block.nodes {
        if let Op::Input(_) | Op::Get(_) = node.op {
            traffic += whole(block.ty(node.results[0]));
        }
        let Some((leaf, adjoint)) = leaf_of(node) else { continue };
        let signature = &plan[leaf].signature;
        let cost = signature.cost_or_estimate();
        let columns = whole_batch(signature, adjoint, block, node);
        flops += cost.flops * columns / machine.rate(signature.dtype);
        if read.insert(leaf) {
            traffic += cost.reads;
        }
        payload = payload.max(product(signature, adjoint, columns, ranks));
    }
    let written: BTreeSet<_> = block.returns.iter().map(|r| r.value).collect();
    traffic += written.iter().map(|&v| whole(block.ty(v))).sum::<f64>();
    let (traffic, flops) = (traffic / ranks, flops / ranks);
    let link = machine.link(mesh, &(0..mesh.axes.len()).collect::<Vec<_>>());
    let local = flops.max(traffic / machine.bandwidth(traffic));
    Floor { traffic, local, payload, wire: payload / link.bandwidth }
}

/// The columns of an application, all ranks together.
fn whole_batch(signature: &Signature, adjoint: bool, block: &Block, node: &Node) -> f64 {
    let arg = block.ty(node.args[0]);
    let own = if adjoint { signature.range[0].len() } else { signature.domain[0].len() };
    arg.dims.iter().skip(own).map(|&n| n as f64).product()
}

/// The bytes that each of `ranks` must send for a product of matrices; 0 if the leaf is none.
fn product(signature: &Signature, adjoint: bool, columns: f64, ranks: f64) -> f64 {
    let rule = &signature.rule;
    let size = |of: &dyn Fn(usize) -> bool| -> f64 {
        let mine = rule.factors.iter().enumerate().filter(|(f, _)| of(*f));
        mine.map(|(_, factor)| factor.size as f64).product()
    };
    let into = size(&|f| rule.in_range(f) && !rule.in_domain(f));
    let from = size(&|f| rule.in_domain(f) && !rule.in_range(f));
    let apart = size(&|f| rule.in_domain(f) && rule.in_range(f));
    let data = signature.cost_or_estimate().reads > 0.0;
    let (m, n) = if adjoint { (from, into) } else { (into, from) };
    if !data || m <= 1.0 || n <= 1.0 {
        return 0.0;
    }
    let p = (ranks / apart).max(1.0);
    words(m, n, columns, p) * signature.dtype.size() as f64
}

/// The elements that a rank exchanges in a product of an `m × n` and an `n × k` matrix.
fn words(m: f64, n: f64, k: f64, p: f64) -> f64 {
    if p <= 1.0 {
        return 0.0;
    }
    let mut dims = [m, n, k];
    dims.sort_by(|a, b| b.total_cmp(a));
    let [large, middle, small] = dims;
    let access = if p <= large / middle {
        (large * middle + large * small) / p + middle * small
    } else if p <= large * middle / (small * small) {
        2.0 * (large * middle * small * small / p).sqrt() + large * middle / p
    } else {
        3.0 * (large * middle * small / p).powf(2.0 / 3.0)
    };
    (access - (large * middle + large * small + middle * small) / p).max(0.0)
}
