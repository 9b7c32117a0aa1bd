//! Images: what a block makes of an updated variable by linear operations alone, as formulas of
//! the variables.

use crate::ir::{Applied, Block, Node, Op, Plan, Target, Value};
use crate::placement::Type;
use std::collections::BTreeMap;

/// A result of a formula: an entry of [`Formulas`], and which of its results.
pub(super) type Term = (usize, usize);

/// Linear formulas of variables of the state, each once.
#[derive(Default)]
pub(super) struct Formulas {
    items: Vec<Item>,
}

#[derive(Clone, PartialEq)]
enum Item {
    Variable(u32, Type),
    Node { op: Op, args: Vec<Term>, types: Vec<Type> },
}

impl Formulas {
    fn add(&mut self, item: Item) -> usize {
        self.items.iter().position(|known| *known == item).unwrap_or_else(|| {
            self.items.push(item);
            self.items.len() - 1
        })
    }

    /// The type of a formula that is no variable itself.
    pub fn ty(&self, (item, result): Term) -> Option<&Type> {
        match &self.items[item] {
            Item::Variable(..) => None,
            Item::Node { types, .. } => types.get(result),
        }
    }

    /// The type of a variable that some formula reads.
    pub fn type_of(&self, state: u32) -> Option<&Type> {
        self.items.iter().find_map(|item| match item {
            Item::Variable(s, ty) if *s == state => Some(ty),
            Item::Variable(..) | Item::Node { .. } => None,
        })
    }

    /// The variables that a formula reads.
    pub fn variables(&self, (item, _): Term) -> Vec<u32> {
        let mut found = match &self.items[item] {
            Item::Variable(s, _) => vec![*s],
            Item::Node { args, .. } => args.iter().flat_map(|&a| self.variables(a)).collect(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    fn applies(&self, (item, _): Term) -> bool {
        match &self.items[item] {
            Item::Variable(..) => false,
            Item::Node { op, args, .. } => {
                matches!(op, Op::Apply(_)) || args.iter().any(|&a| self.applies(a))
            }
        }
    }

    /// Appends the nodes of a formula to a block, with values for its variables.
    pub fn replay(
        &self,
        out: &mut Block,
        (item, result): Term,
        known: &mut BTreeMap<usize, Vec<Value>>,
        variable: &impl Fn(u32) -> Option<Value>,
    ) -> Option<Value> {
        if !known.contains_key(&item) {
            let made = match &self.items[item] {
                Item::Variable(s, _) => vec![variable(*s)?],
                Item::Node { op, args, types } => {
                    let args: Option<Vec<Value>> =
                        args.iter().map(|&a| self.replay(out, a, known, variable)).collect();
                    out.push_many(op.clone(), &args?, types.clone())
                }
            };
            known.insert(item, made);
        }
        known[&item].get(result).copied()
    }
}

/// `y' = y ± a d`, where `y` is a variable and `y'` its next value.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Update {
    pub state: u32,
    /// What is added.
    pub change: Value,
    /// How.
    pub how: How,
}

/// The factor of an update.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct How {
    pub minus: bool,
    pub factor: Option<Value>,
}

/// What follows linearly from the updates of a block.
pub(super) struct Images {
    pub updates: Vec<Update>,
    /// The formula of each value that does, and how it changes.
    pub of: Vec<Option<(Term, How)>>,
    /// Those that hold an operator and are used for something else.
    pub last: Vec<Value>,
}

impl Images {
    pub fn of(plan: &Plan, block: &Block, formulas: &mut Formulas) -> Self {
        let updates = updates(block);
        let mut of = vec![None; block.types.len()];
        for (update, next) in &updates {
            let variable = formulas.add(Item::Variable(update.state, block.ty(*next).clone()));
            of[next.index()] = Some(((variable, 0), update.how));
        }
        for node in &block.nodes {
            let args: Option<Vec<_>> = node.args.iter().map(|a| of[a.index()]).collect();
            let Some(args) = args.filter(|args| !args.is_empty()) else { continue };
            let how = args[0].1;
            let fresh = node.results.iter().all(|r| of[r.index()].is_none());
            if !fresh || args.iter().any(|(_, other)| *other != how) {
                continue;
            }
            let rank = how.factor.map_or(0, |a| block.ty(a).dims.len());
            if !commutes(plan, block, node, rank) {
                continue;
            }
            let types = node.results.iter().map(|&r| block.ty(r).clone()).collect();
            let args = args.into_iter().map(|(term, _)| term).collect();
            let item = formulas.add(Item::Node { op: node.op.clone(), args, types });
            for (k, r) in node.results.iter().enumerate() {
                of[r.index()] = Some(((item, k), how));
            }
        }
        let mut images =
            Images { updates: updates.into_iter().map(|(u, _)| u).collect(), of, last: vec![] };
        images.last = images.ends(block, formulas);
        images
    }

    /// Whether a value holds an operator, so that it need not be made as it was.
    pub fn applies(&self, formulas: &Formulas, value: Value) -> bool {
        self.of[value.index()].is_some_and(|(term, _)| formulas.applies(term))
    }

    fn ends(&self, block: &Block, formulas: &Formulas) -> Vec<Value> {
        let mut needed = vec![false; block.types.len()];
        block.returns.iter().for_each(|r| needed[r.value.index()] = true);
        for node in &block.nodes {
            if !node.results.iter().any(|r| self.applies(formulas, *r)) {
                node.args.iter().for_each(|a| needed[a.index()] = true);
            }
        }
        let values = (0..block.types.len()).map(|v| Value(v as u32));
        values.filter(|v| needed[v.index()] && self.applies(formulas, *v)).collect()
    }
}

/// The variables to which a block adds something, each with its next value.
fn updates(block: &Block) -> Vec<(Update, Value)> {
    let made = block.definitions();
    let node = |v: Value| &block.nodes[made[v.index()]];
    let update = |state: u32, next: Value| {
        let is_old = |v: Value| node(v).op == Op::Get(state);
        let (minus, factor, change) = match (&node(next).op, node(next).args.as_slice()) {
            (Op::Axpy, &[a, d, y]) if is_old(y) => (false, Some(a), d),
            (Op::Add, &[y, d] | &[d, y]) if is_old(y) => scaled(block, &made, d, false),
            (Op::Sub, &[y, d]) if is_old(y) => scaled(block, &made, d, true),
            _ => return None,
        };
        let real = factor.is_none_or(|a| !block.ty(a).dtype.is_complex());
        (real && !is_old(change)).then_some(Update { state, change, how: How { minus, factor } })
    };
    let of = |r: &crate::ir::Return| match r.target {
        Target::State(s) => update(s, r.value).map(|update| (update, r.value)),
        Target::Output | Target::Control(_) => None,
    };
    block.returns.iter().filter_map(of).collect()
}

/// A change that is a multiple, taken apart.
fn scaled(
    block: &Block,
    made: &[usize],
    change: Value,
    minus: bool,
) -> (bool, Option<Value>, Value) {
    let node = &block.nodes[made[change.index()]];
    match (&node.op, node.args.as_slice()) {
        (Op::Scale, &[a, d]) if block.ty(a).dtype != crate::dtype::Dtype::C128 => {
            (minus, Some(a), d)
        }
        _ => (minus, None, change),
    }
}

/// Whether a real factor with so many trailing dims passes a node.
fn commutes(plan: &Plan, block: &Block, node: &Node, rank: usize) -> bool {
    let left = |own: usize| node.args.iter().all(|&a| block.ty(a).dims.len() >= own + rank);
    match &node.op {
        Op::Apply(Applied::Leaf(leaf)) => {
            let own = plan[*leaf].signature.domain.iter().map(Vec::len).max();
            left(own.unwrap_or(0))
        }
        Op::Apply(Applied::Adjoint(leaf)) => {
            let own = plan[*leaf].signature.range.iter().map(Vec::len).max();
            left(own.unwrap_or(0))
        }
        Op::Project(onto) => {
            let own = onto.onto.first().and_then(|leaf| plan[*leaf].signature.range.first());
            left(own.map_or(0, Vec::len))
        }
        Op::Add | Op::Sub | Op::Neg | Op::Conj | Op::Cast => true,
        Op::Reshape | Op::Concat | Op::Part(_) => rank == 0,
        _ => false,
    }
}
