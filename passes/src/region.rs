//! Regions: what a node may be among nodes that run piece by piece.
//!
//! Pieces are panels of a leaf ([`Panels`]), or ranges of elements ([`Elements`]).
//!
//! A panel is a range of rows, that is of local indices of the leading dim of the leaf's range.
//! An application makes *panel values*: a panel computes its rows of them.
//! Nodes between it and the adjoint act on each row by itself, so they can follow panel by panel;
//! adjoints and dots sum over the panels, and nobody in the region may use such a sum.
//! Of a leaf without data, whose rows read around them, a region keeps no panel values: only nodes
//! of the region use them.

mod elements;

pub use elements::Elements;

use crate::ir::{Applied, Block, LeafId, Node, Op, Over, Plan, Region, Value};
use crate::machine::Machine;
use crate::signature::Signature;
use std::collections::BTreeSet;

/// Whether a region of this operator leaves out what lies between it and its adjoint: it is a
/// stencil, which has no data that would be worth reading once.
pub fn keeps_nothing(signature: &Signature) -> bool {
    let rule = &signature.rule;
    let [domain, range] = [&rule.domain, &rule.range].map(Vec::as_slice);
    let ([domain], [_]) = (domain, range) else { return false };
    let contracted = |f: usize| rule.in_domain(f) && !rule.in_range(f);
    domain.iter().any(|b| b.halo != (0, 0)) && !(0..rule.factors.len()).any(contracted)
}

/// The node that applies the adjoint of the stencil that this node applies to its result, if nobody
/// else needs that.
pub(crate) fn followed(plan: &Plan, block: &Block, first: usize) -> Option<usize> {
    let node = &block.nodes[first];
    let (Op::Apply(Applied::Leaf(leaf)), [result]) = (&node.op, &node.results[..]) else {
        return None;
    };
    let mut users =
        (first + 1..block.nodes.len()).filter(|&n| block.nodes[n].args.contains(result));
    let (Some(last), None) = (users.next(), users.next()) else { return None };
    let returned = block.returns.iter().any(|r| r.value == *result);
    let adjoint = matches!(block.nodes[last].op, Op::Apply(Applied::Adjoint(l)) if l == *leaf);
    (keeps_nothing(&plan[*leaf].signature) && adjoint && !returned).then_some(last)
}

/// Whether a region is one stencil and then its adjoint, with nothing kept between.
pub(crate) fn composed(plan: &Plan, block: &Block, region: &Region) -> bool {
    let (Over::Panels(leaf) | Over::Normal(leaf)) = region.over else { return false };
    let [first, second] = &block.nodes[region.nodes()] else { return false };
    let applied = |node: &Node| matches!(&node.op, Op::Apply(Applied::Leaf(l)) if *l == leaf);
    let adjoint = |node: &Node| matches!(&node.op, Op::Apply(Applied::Adjoint(l)) if *l == leaf);
    keeps_nothing(&plan[leaf].signature)
        && applied(first)
        && adjoint(second)
        && first.results == second.args
}

/// Bytes of a rank's vector up to which caches keep it beside others, so that nothing is gained by
/// making it again: none if the machine's costs tell so themselves.
pub(crate) fn kept(machine: &Machine) -> f64 {
    if machine.memory.len() > 1 { 0.0 } else { 65_536.0 }
}

/// For each value whether it passes: a region over elements, or of a stencil and its adjoint, makes
/// its elements and uses them, and nobody else does, so that a few of them at a time are enough.
pub fn passing(plan: &Plan, block: &Block) -> Vec<bool> {
    let mut out = vec![false; block.types.len()];
    let mut home = vec![None; block.nodes.len()];
    let passes = |r: &&Region| r.over == Over::Elements || composed(plan, block, r);
    for region in block.regions.iter().filter(passes) {
        for n in region.nodes() {
            home[n] = Some(region.first);
            // What an inner product makes is there once all elements are.
            let node = &block.nodes[n];
            let elements = !matches!(node.op, Op::Dot { .. });
            node.results.iter().for_each(|r| {
                out[r.index()] = elements && !block.ty(*r).dims.is_empty();
            });
        }
    }
    let defined = block.definitions();
    for (n, node) in block.nodes.iter().enumerate() {
        node.args.iter().for_each(|v| out[v.index()] &= home[n] == home[defined[v.index()]]);
    }
    block.returns.iter().for_each(|r| out[r.value.index()] = false);
    out
}

/// The planned buffers all of whose values pass.
pub fn passing_buffers(plan: &Plan) -> BTreeSet<u32> {
    let states = plan.states.len() as u32;
    let (mut pass, mut stay) = (BTreeSet::new(), BTreeSet::new());
    for block in &plan.blocks {
        let planned = block.buffers.iter().flatten();
        for (&b, passes) in planned.zip(passing(plan, block)) {
            if passes {
                pass.insert(b)
            } else {
                stay.insert(b)
            };
        }
    }
    pass.retain(|b| *b >= states && !stay.contains(b));
    pass
}

/// What a node does in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The leaf: reads all of its arguments for each panel, and makes the panel's rows.
    Forward,
    /// The leaf's adjoint: reads the panel's rows, and adds to all of its results.
    Adjoint,
    /// Element by element: reads and makes the panel's rows.
    Rows,
    /// A dot of panel values.
    Sum,
}

/// How a value is seen from a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is there before.
    Outside,
    /// It has the panels' rows.
    Panel,
    /// It follows from all panels.
    Late,
}

/// A region while its nodes join it in their order.
pub struct Panels<'a> {
    block: &'a Block,
    leaf: LeafId,
    kinds: Vec<Kind>,
}

impl<'a> Panels<'a> {
    /// A region of this leaf that has no nodes yet.
    pub fn new(block: &'a Block, leaf: LeafId) -> Self {
        Panels { block, leaf, kinds: vec![Kind::Outside; block.types.len()] }
    }

    /// Adds a node, or says why it cannot be in the region.
    pub fn join(&mut self, node: &Node) -> Result<Role, String> {
        let role = self.role(node)?;
        let kind = match role {
            Role::Forward | Role::Rows => Kind::Panel,
            Role::Adjoint | Role::Sum => Kind::Late,
        };
        self.mark(node, kind);
        Ok(role)
    }

    /// A node that is not in the region, and whose results nobody in it may use.
    pub fn leave_out(&mut self, node: &Node) {
        self.mark(node, Kind::Late);
    }

    /// Whether a node uses a value with the panels' rows.
    pub fn reaches(&self, node: &Node) -> bool {
        node.args.iter().any(|&v| self.kind(v) == Kind::Panel)
    }

    /// Whether a node uses a value that follows from all panels.
    pub fn is_late(&self, node: &Node) -> bool {
        node.args.iter().any(|&v| self.kind(v) == Kind::Late)
    }

    fn kind(&self, value: Value) -> Kind {
        self.kinds[value.index()]
    }

    fn mark(&mut self, node: &Node, kind: Kind) {
        node.results.iter().for_each(|r| self.kinds[r.index()] = kind);
    }

    fn role(&self, node: &Node) -> Result<Role, String> {
        if self.is_late(node) {
            return Err("uses in a region what follows from all of its panels".into());
        }
        let all_panels = node.args.iter().all(|&v| self.kind(v) == Kind::Panel);
        match &node.op {
            Op::Apply(Applied::Leaf(leaf)) if *leaf == self.leaf => self.forward(node),
            Op::Apply(Applied::Adjoint(leaf)) if *leaf == self.leaf && all_panels => {
                Ok(Role::Adjoint)
            }
            Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Cast
            | Op::Project(_)
            | Op::Map(_) => self.rows(node),
            Op::Dot { columns, .. }
                if all_panels && *columns < self.block.ty(node.args[0]).dims.len() =>
            {
                Ok(Role::Sum)
            }
            Op::Apply(_)
            | Op::Dot { .. }
            | Op::Input(_)
            | Op::Slot(_)
            | Op::Get(_)
            | Op::Zero
            | Op::Reshape
            | Op::Concat
            | Op::Part(_)
            | Op::Call(_)
            | Op::Reduce(_)
            | Op::Take
            | Op::Put
            | Op::Combine
            | Op::Dots
            | Op::OneHot
            | Op::AllReduce(_)
            | Op::ReduceScatter(_)
            | Op::AllGather(_)
            | Op::AllToAll(_)
            | Op::Exchange
            | Op::Halo
            | Op::HaloSum
            | Op::Slice
            | Op::Pad(_)
            | Op::Partial(_)
            | Op::Copy => Err("cannot run panel by panel".into()),
        }
    }

    fn forward(&self, node: &Node) -> Result<Role, String> {
        if self.reaches(node) {
            return Err("needs all rows of what the region computes panel by panel".into());
        }
        if node.results.iter().any(|&r| self.block.ty(r).dims.is_empty()) {
            return Err("has no rows".into());
        }
        Ok(Role::Forward)
    }

    /// Vectors have the dims and the placement of the result, which are a panel value's; numbers
    /// and factors of trailing dims come from outside.
    fn rows(&self, node: &Node) -> Result<Role, String> {
        let block = self.block;
        let result = block.ty(node.results[0]);
        let alike = |v: Value| {
            let ty = block.ty(v);
            ty.dims == result.dims && ty.placement == result.placement
        };
        if !node.args.iter().any(|&v| self.kind(v) == Kind::Panel && alike(v)) {
            return Err("does not follow from a value of the panels".into());
        }
        let fits = |v: Value| {
            let ty = block.ty(v);
            let factor = ty.dims.len() < result.dims.len() && ty.placement.pending.is_empty();
            alike(v) || (factor && self.kind(v) == Kind::Outside)
        };
        if !node.args.iter().all(|&v| fits(v)) {
            return Err("has an operand that is placed otherwise than the panels".into());
        }
        Ok(Role::Rows)
    }
}
