//! Regions over elements: vectors that are held alike, each element following from the same ones.
//!
//! Updates, maps and diagonal operators make elements; dots sum them, and nobody in the region may
//! use such a sum. Numbers that all elements share, or those of a column, come from outside.

use super::Role;
use crate::ir::{Applied, Block, LeafId, Node, Op, Plan, Value};
use crate::placement::Type;
use std::collections::BTreeMap;

/// A region while its nodes join it in their order.
pub struct Elements<'a> {
    plan: &'a Plan,
    block: &'a Block,
    /// A value that is held as all vectors of the region are; none if the first node has none.
    shape: Option<Value>,
    /// What the region makes: elements, or a sum of all of them.
    made: BTreeMap<Value, Role>,
}

impl<'a> Elements<'a> {
    /// A region that has no nodes yet, for vectors like those of this node.
    pub fn new(plan: &'a Plan, block: &'a Block, first: &Node) -> Self {
        // What is summed for each column has a result of other dims.
        let results = if matches!(first.op, Op::Dot { .. }) { &[][..] } else { &first.results };
        let vectors = results.iter().chain(&first.args).copied();
        let shape = vectors.into_iter().find(|&v| !block.ty(v).dims.is_empty());
        Elements { plan, block, shape, made: BTreeMap::new() }
    }

    /// Adds a node, or says why it cannot be in the region.
    pub fn join(&mut self, node: &Node) -> Result<Role, String> {
        let role = self.role(node)?;
        node.results.iter().for_each(|&r| {
            self.made.insert(r, role);
        });
        Ok(role)
    }

    /// Whether the region makes the elements of a value.
    pub fn makes(&self, value: Value) -> bool {
        self.made.get(&value) == Some(&Role::Rows)
    }

    fn role(&self, node: &Node) -> Result<Role, String> {
        if node.args.iter().any(|v| self.made.get(v) == Some(&Role::Sum)) {
            return Err("uses in a region what follows from all of its elements".into());
        }
        match &node.op {
            Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Cast
            | Op::Project(_)
            | Op::Map(_) => self.update(node),
            Op::Dot { .. } => self.sum(node),
            Op::Apply(Applied::Leaf(leaf) | Applied::Adjoint(leaf)) => self.weights(node, *leaf),
            Op::Apply(Applied::Term(_))
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
            | Op::Copy => Err("cannot run element by element".into()),
        }
    }

    /// Whether a value has the dims and the placement of all vectors of the region.
    fn is_alike(&self, value: Value) -> bool {
        let Some(shape) = self.shape else { return false };
        let (a, b): (&Type, &Type) = (self.block.ty(value), self.block.ty(shape));
        a.dims == b.dims && a.placement == b.placement
    }

    fn update(&self, node: &Node) -> Result<Role, String> {
        let fits = node.args.iter().all(|&v| self.is_alike(v) || self.is_number(node, v));
        let vectors = node.args.iter().any(|&v| self.is_alike(v));
        if fits && vectors && node.results.iter().all(|&r| self.is_alike(r)) {
            return Ok(Role::Rows);
        }
        Err("has an operand that is held otherwise than the vectors of the region".into())
    }

    /// Whether a value is a number for all elements, or one for each column, from outside.
    fn is_number(&self, node: &Node, value: Value) -> bool {
        let ty = self.block.ty(value);
        let factor = matches!(node.op, Op::Scale | Op::Axpy)
            && node.args.first() == Some(&value)
            && self.shape.is_some_and(|shape| {
                let dims = &self.block.ty(shape).dims;
                ty.dims.len() < dims.len() && dims.ends_with(&ty.dims)
            });
        ty.dims.is_empty() || (factor && !self.made.contains_key(&value))
    }

    fn sum(&self, node: &Node) -> Result<Role, String> {
        let [x, y] = [0, 1].map(|k| node.args.get(k).copied());
        let alike = |v: Option<Value>| v.filter(|&v| self.is_alike(v)).map(|v| self.block.ty(v));
        match (alike(x), alike(y)) {
            (Some(x), Some(y)) if x.dtype == y.dtype => Ok(Role::Sum),
            _ => Err("is no sum over elements of the region".into()),
        }
    }

    fn weights(&self, node: &Node, leaf: LeafId) -> Result<Role, String> {
        let signature = self.plan.leaves.get(leaf.0 as usize).map(|leaf| &leaf.signature);
        let [(arg, result)] = [(node.args.as_slice(), node.results.as_slice())];
        if let (Some(signature), [x], [y]) = (signature, arg, result)
            && signature.laws.diagonal
            && [*x, *y].iter().all(|&v| self.is_alike(v))
            && let [domain] = &signature.domain[..]
            && self.block.ty(*x).dims.starts_with(domain)
        {
            return Ok(Role::Rows);
        }
        Err("is no operator that weighs the elements of the region".into())
    }
}
