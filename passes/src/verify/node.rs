//! A node in its plan, and the families of operations that share rules.

use super::Outcome;
use crate::ir::{Applied, Block, Node, Op, Plan, Value};
use crate::mesh::Axis;
use crate::placement::Type;

/// A node with all that its rules look at.
pub(super) struct At<'a> {
    pub plan: &'a Plan,
    pub block: &'a Block,
    pub node: &'a Node,
}

/// Operations that the same rules judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Input,
    Slot,
    Get,
    Zero,
    Term,
    Leaf,
    Elementwise,
    Scale,
    Map,
    Call,
    Reduce,
    Dot,
    Indexed,
    OneHot,
    Reshape,
    Concat,
    AllReduce,
    ReduceScatter,
    AllGather,
    AllToAll,
    Exchange,
    Halo,
    HaloSum,
    Slice,
    Pad,
    Partial,
    Copy,
}

impl Family {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Family; 27] = [
        Family::Input,
        Family::Slot,
        Family::Get,
        Family::Zero,
        Family::Term,
        Family::Leaf,
        Family::Elementwise,
        Family::Scale,
        Family::Map,
        Family::Call,
        Family::Reduce,
        Family::Dot,
        Family::Indexed,
        Family::OneHot,
        Family::Reshape,
        Family::Concat,
        Family::AllReduce,
        Family::ReduceScatter,
        Family::AllGather,
        Family::AllToAll,
        Family::Exchange,
        Family::Halo,
        Family::HaloSum,
        Family::Slice,
        Family::Pad,
        Family::Partial,
        Family::Copy,
    ];

    /// The family of an operation.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::Input(_) => Family::Input,
            Op::Slot(_) => Family::Slot,
            Op::Get(_) => Family::Get,
            Op::Zero => Family::Zero,
            Op::Apply(Applied::Term(_)) => Family::Term,
            Op::Apply(Applied::Leaf(_) | Applied::Adjoint(_)) => Family::Leaf,
            Op::Add | Op::Sub | Op::Neg | Op::Conj | Op::Cast | Op::Project(_) => {
                Family::Elementwise
            }
            Op::Scale | Op::Axpy => Family::Scale,
            Op::Map(_) => Family::Map,
            Op::Call(_) => Family::Call,
            Op::Reduce(_) => Family::Reduce,
            Op::Dot { .. } => Family::Dot,
            Op::Take | Op::Put | Op::Combine | Op::Dots => Family::Indexed,
            Op::OneHot => Family::OneHot,
            Op::Reshape => Family::Reshape,
            Op::Concat | Op::Part(_) => Family::Concat,
            Op::AllReduce(_) => Family::AllReduce,
            Op::ReduceScatter(_) => Family::ReduceScatter,
            Op::AllGather(_) => Family::AllGather,
            Op::AllToAll(_) => Family::AllToAll,
            Op::Exchange => Family::Exchange,
            Op::Halo => Family::Halo,
            Op::HaloSum => Family::HaloSum,
            Op::Slice => Family::Slice,
            Op::Pad(_) => Family::Pad,
            Op::Partial(_) => Family::Partial,
            Op::Copy => Family::Copy,
        }
    }
}

impl<'a> At<'a> {
    /// The types of all arguments.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &'a Type> + use<'a> {
        let block = self.block;
        self.node.args.iter().map(move |&v| block.ty(v))
    }

    /// The types of all results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = &'a Type> + use<'a> {
        let block = self.block;
        self.node.results.iter().map(move |&v| block.ty(v))
    }

    /// The type of an argument.
    pub fn arg(&self, k: usize) -> &'a Type {
        self.block.ty(self.node.args[k])
    }

    /// The type of a result.
    pub fn result(&self, k: usize) -> &'a Type {
        self.block.ty(self.node.results[k])
    }

    /// A value with its type, as messages name it.
    pub fn say(&self, value: Value) -> String {
        format!("%{} ({})", value.0, self.block.ty(value).text(&self.plan.mesh))
    }

    /// An argument with its type.
    pub fn say_arg(&self, k: usize) -> String {
        self.say(self.node.args[k])
    }

    /// A result with its type.
    pub fn say_result(&self, k: usize) -> String {
        self.say(self.node.results[k])
    }

    /// Axes by name, as messages list them.
    pub fn names(&self, axes: &[Axis]) -> String {
        let names: Vec<_> = axes.iter().map(|&a| self.plan.mesh.axes[a].0.as_str()).collect();
        names.join(",")
    }
}

/// A sentence if something does not hold.
pub(super) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(message()) }
}
