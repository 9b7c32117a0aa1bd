//! The plan: straight-line blocks of nodes over typed values, and the operators that they apply.
//!
//! One IR serves from the expression to the placed plan.
//! Before placement the mesh has no axes, and a node may apply a composite [`Term`];
//! afterwards every `apply` names a leaf or its adjoint, and communication stands as nodes.
//! A value of the IR is one part; the list of parts that an operator maps is a list of values.

mod op;
mod term;

pub use op::{Applied, Map, Op, Projection, Reduction};
pub use term::{Coefficient, Elementwise, Term};

use crate::dtype::Dtype;
use crate::mesh::Mesh;
use crate::placement::{Split, Type};
use crate::signature::{Factor, Signature};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name of a block that nobody runs: its results are the variables of the state that the source
/// has, made of those that this plan has, and it sets the latter to what they can be.
pub const MEANING: &str = "meaning";

/// The name of the block that runs once, before all others.
pub const SETUP: &str = "setup";

/// Index of a value of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value(pub u32);

/// Index of a leaf operator of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeafId(pub u32);

/// Index of a term of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TermId(pub u32);

/// Index of a slot of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotId(pub u32);

/// A whole plan: what is printed, verified, certified, lowered and stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The ranks; no axes before placement.
    pub mesh: Mesh,
    /// The leaf operators.
    pub leaves: Vec<Leaf>,
    /// Composite operators, each after those that it uses; empty after expansion.
    pub terms: Vec<Term>,
    /// Numbers read at run time.
    pub slots: Vec<Slot>,
    /// What lives from block to block.
    pub states: Vec<State>,
    /// The straight-line programs over the state.
    pub blocks: Vec<Block>,
}

/// A leaf operator, and who holds which tile of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// Its name in the plan, such as `G` or `A[0]`.
    pub name: String,
    /// What the compiler knows of it.
    pub signature: Arc<Signature>,
    /// How each index factor is split.
    pub tile: Vec<Split>,
}

/// A number that is read at run time; changing it needs no new plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name: a parameter's, or one made for a literal.
    pub name: String,
    /// `F64` or `C128`; weak in promotions.
    pub dtype: Dtype,
}

/// A variable of a solver program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Its type between blocks.
    pub ty: Type,
}

/// One straight-line program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Its name; empty for the only block of an expression's plan.
    pub name: String,
    /// The driver runs it by itself, whenever so many blocks of the loop have been run and another
    /// follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// The type of each value.
    pub types: Vec<Type>,
    /// In an order in which every value is defined before it is used.
    pub nodes: Vec<Node>,
    /// What the block leaves behind.
    pub returns: Vec<Return>,
    /// The buffer of each value, once buffers are planned.
    pub buffers: Option<Vec<u32>>,
    /// Nodes that run together, in order.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// Nodes that work while a halo travels, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitHalo>,
}

/// A halo, and consecutive nodes after it whose interiors are computed while it travels.
///
/// They mean the same without it: it says only when elements are computed (see
/// [`crate::split_halos`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SplitHalo {
    /// The node of the halo.
    pub first: u32,
    /// The last node that does not wait for all of it.
    pub last: u32,
}

/// Consecutive nodes that a run time may run together, piece by piece.
///
/// They mean the same without it: it says only that a piece of every value inside follows from the
/// same piece of the others (see [`crate::region`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    /// What the pieces are.
    pub over: Over,
    /// The first node.
    pub first: u32,
    /// The last node.
    pub last: u32,
}

/// The pieces of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Over {
    /// Panels of a leaf: the rows between it and its adjoint.
    Panels(LeafId),
    /// A stencil and then its adjoint, as one operator: sums may be taken in any order.
    Normal(LeafId),
    /// Elements of vectors that are held alike.
    Elements,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To what.
    pub args: Vec<Value>,
    /// What it defines.
    pub results: Vec<Value>,
}

/// Where a value goes at the end of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// The place.
    pub target: Target,
    /// The value.
    pub value: Value,
}

/// What a block leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The new value of a state variable.
    State(u32),
    /// A part of the result, in order.
    Output,
    /// A named number from which the driver decides how to go on.
    Control(String),
}

impl Leaf {
    /// How far beyond what it owns a rank works on each factor, if the parts of the range are held
    /// with these ghosts.
    pub fn extension(&self, range: &[&Type]) -> Vec<(usize, usize)> {
        let mut out = self.no_extension();
        for (ty, bindings) in range.iter().zip(&self.signature.rule.range) {
            for (&(lo, hi), binding) in ty.placement.ghosts.iter().zip(bindings) {
                let known = &mut out[binding.factor];
                *known = (known.0.max(lo), known.1.max(hi));
            }
        }
        out
    }

    /// The extension of a rank that works on what it owns.
    pub fn no_extension(&self) -> Vec<(usize, usize)> {
        vec![(0, 0); self.signature.rule.factors.len()]
    }

    /// The indices of each factor on which a rank at these coordinates works.
    pub fn tile_at(
        &self,
        mesh: &Mesh,
        at: &[usize],
        extension: &[(usize, usize)],
    ) -> Vec<std::ops::Range<usize>> {
        let factors = self.signature.rule.factors.iter().zip(&self.tile).zip(extension);
        let piece = |((factor, split), &(lo, hi)): ((&Factor, &Split), &(usize, usize))| {
            let own = split.interval(factor.size, mesh, at);
            if own.is_empty() {
                return own;
            }
            own.start.saturating_sub(lo)..(own.end + hi).min(factor.size)
        };
        factors.map(piece).collect()
    }
}

impl SplitHalo {
    /// The indices of its nodes.
    pub fn nodes(&self) -> std::ops::Range<usize> {
        self.first as usize..self.last as usize + 1
    }
}

impl Region {
    /// The indices of its nodes.
    pub fn nodes(&self) -> std::ops::Range<usize> {
        self.first as usize..self.last as usize + 1
    }
}

impl Value {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

macro_rules! index {
    ($($id:ident, $field:ident, $item:ty);*) => {$(
        impl std::ops::Index<$id> for Plan {
            type Output = $item;
            fn index(&self, id: $id) -> &$item {
                &self.$field[id.0 as usize]
            }
        }
    )*};
}
index!(LeafId, leaves, Leaf; TermId, terms, Term; SlotId, slots, Slot);

impl Plan {
    /// Adds a term, or finds the equal one.
    pub fn term(&mut self, term: Term) -> TermId {
        let at = self.terms.iter().position(|t| *t == term).unwrap_or_else(|| {
            self.terms.push(term);
            self.terms.len() - 1
        });
        TermId(at as u32)
    }

    /// The block that says what the state means, if that is not what the expression says.
    pub fn meaning(&self) -> Option<&Block> {
        self.block(MEANING)
    }

    /// The block of this name.
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|b| b.name == name)
    }
}

impl Block {
    /// An empty block.
    pub fn new(name: impl Into<String>) -> Self {
        Block { name: name.into(), ..Block::default() }
    }

    /// An empty block that is run as this one is.
    pub fn emptied(&self) -> Self {
        Block { name: self.name.clone(), every: self.every, ..Block::default() }
    }

    /// Appends a node with one result.
    pub fn push(&mut self, op: Op, args: &[Value], ty: Type) -> Value {
        self.push_many(op, args, vec![ty])[0]
    }

    /// Appends a node with any number of results.
    pub fn push_many(&mut self, op: Op, args: &[Value], types: Vec<Type>) -> Vec<Value> {
        let first = self.types.len() as u32;
        let results: Vec<_> = (first..first + types.len() as u32).map(Value).collect();
        self.types.extend(types);
        self.nodes.push(Node { op, args: args.to_vec(), results: results.clone() });
        results
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.types[value.index()]
    }

    /// Appends a return.
    pub fn give(&mut self, target: Target, value: Value) {
        self.returns.push(Return { target, value });
    }

    /// The index of the node that defines each value.
    pub fn definitions(&self) -> Vec<usize> {
        let mut at = vec![usize::MAX; self.types.len()];
        for (n, node) in self.nodes.iter().enumerate() {
            for r in &node.results {
                at[r.index()] = n;
            }
        }
        at
    }

    /// How many times each value is used, returns included.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.types.len()];
        let returned = self.returns.iter().map(|r| r.value);
        for v in self.nodes.iter().flat_map(|n| n.args.iter().copied()).chain(returned) {
            uses[v.index()] += 1;
        }
        uses
    }
}
