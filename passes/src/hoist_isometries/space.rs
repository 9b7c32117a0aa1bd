//! Spaces: vectors of a loop that are tied by linear operations, and how they leave and enter.

use super::chain::{Chain, adjoint};
use crate::ir::{Applied, Block, MEANING, Node, Op, Plan, SETUP, Target, Value};
use crate::meaning::is_loop;
use crate::placement::Type;
use petgraph::unionfind::UnionFind;
use std::collections::BTreeSet;

/// Vectors that change their basis together.
pub(super) struct Space {
    /// For each block and value whether it is one of them.
    pub values: Vec<Vec<bool>>,
    /// For each variable of the state.
    pub states: Vec<bool>,
    /// The new basis.
    pub chain: Chain,
    /// How many trailing dims scalar products keep.
    pub columns: usize,
    /// The vector of `setup` that comes from outside, if one does.
    pub source: Option<Value>,
}

/// The first space of a plan whose basis can change.
pub(super) fn find(plan: &Plan) -> Option<Space> {
    let ties = Ties::of(plan);
    let mut seen = BTreeSet::new();
    (0..plan.states.len())
        .filter(|&s| seen.insert(ties.state(s)))
        .find_map(|s| space(plan, &ties, s))
}

/// What is tied to what: values of all blocks, then variables.
struct Ties {
    sets: UnionFind<usize>,
    first: Vec<usize>,
    states: usize,
}

impl Ties {
    fn of(plan: &Plan) -> Self {
        let mut first = Vec::new();
        let mut count = 0;
        for block in &plan.blocks {
            first.push(count);
            count += block.types.len();
        }
        let mut ties =
            Ties { sets: UnionFind::new(count + plan.states.len()), first, states: count };
        for (b, block) in plan.blocks.iter().enumerate() {
            for node in &block.nodes {
                let tied = vectors(node);
                for w in tied.windows(2) {
                    ties.sets.union(ties.first[b] + w[0].index(), ties.first[b] + w[1].index());
                }
                if let Op::Get(s) = node.op {
                    let at = ties.first[b] + node.results[0].index();
                    ties.sets.union(at, ties.states + s as usize);
                }
            }
            for r in &block.returns {
                if let Target::State(s) = r.target {
                    ties.sets.union(ties.first[b] + r.value.index(), ties.states + s as usize);
                }
            }
        }
        ties
    }

    fn state(&self, s: usize) -> usize {
        self.sets.find(self.states + s)
    }

    fn value(&self, b: usize, v: usize) -> usize {
        self.sets.find(self.first[b] + v)
    }
}

/// The vectors of one space that a linear operation ties.
fn vectors(node: &Node) -> Vec<Value> {
    let skip = match node.op {
        Op::Add | Op::Sub | Op::Neg | Op::Dot { .. } => 0,
        Op::Scale | Op::Axpy => 1,
        _ => return Vec::new(),
    };
    let results = if matches!(node.op, Op::Dot { .. }) { &[][..] } else { &node.results };
    node.args[skip..].iter().chain(results).copied().collect()
}

/// The space of a variable, if its basis can change.
fn space(plan: &Plan, ties: &Ties, state: usize) -> Option<Space> {
    let root = ties.state(state);
    let blocks = plan.blocks.iter().enumerate();
    let values: Vec<Vec<bool>> = blocks
        .map(|(b, block)| (0..block.types.len()).map(|v| ties.value(b, v) == root).collect())
        .collect();
    let states: Vec<bool> = (0..plan.states.len()).map(|s| ties.state(s) == root).collect();
    let ty = &plan.states[state].ty;
    let members = plan.blocks.iter().zip(&values).flat_map(|(block, values)| {
        block.types.iter().zip(values).filter(|(_, member)| **member).map(|(ty, _)| ty)
    });
    if ty.dims.is_empty() || members.into_iter().any(|other| other != ty) {
        return None;
    }
    let mut found = Space {
        values,
        states,
        chain: Chain::new(ty),
        columns: columns(plan, ties, root)?,
        source: None,
    };
    let loops = || plan.blocks.iter().enumerate().filter(|(_, block)| is_loop(block));
    if !loops().all(|(b, block)| found.is_closed(b, block)) {
        return None;
    }
    while let Some(longer) = found.longer(plan) {
        found.chain = longer;
    }
    let sources = found.sources(plan);
    if found.chain.steps.is_empty() || !is_set(plan) || sources.len() > 1 && !found.chain.complete {
        return None;
    }
    found.source = sources.first().copied();
    Some(found)
}

/// Whether `setup` gives every variable a value, whatever was there before.
fn is_set(plan: &Plan) -> bool {
    let Some(setup) = plan.block(SETUP) else { return false };
    let set = |s: usize| setup.returns.iter().any(|r| r.target == Target::State(s as u32));
    (0..plan.states.len()).all(set) && !setup.nodes.iter().any(|n| matches!(n.op, Op::Get(_)))
}

/// How many trailing dims the scalar products of a space keep; all must keep as many.
fn columns(plan: &Plan, ties: &Ties, root: usize) -> Option<usize> {
    let mut found = BTreeSet::new();
    for (b, block) in plan.blocks.iter().enumerate() {
        for node in &block.nodes {
            if let Op::Dot { columns, .. } = node.op
                && ties.value(b, node.args[0].index()) == root
            {
                found.insert(columns);
            }
        }
    }
    let one = found.pop_first().unwrap_or(0);
    found.is_empty().then_some(one)
}

impl Space {
    /// Whether a value of a block is a vector of the space.
    pub fn has(&self, b: usize, value: Value) -> bool {
        self.values[b][value.index()]
    }

    /// Whether nothing but operators, sums, multiples and scalar products touch the vectors.
    fn is_closed(&self, b: usize, block: &Block) -> bool {
        let member = |v: &Value| self.has(b, *v);
        let node = |node: &Node| {
            let (takes, gives) = (node.args.iter().any(member), node.results.iter().any(member));
            match node.op {
                Op::Add | Op::Sub | Op::Neg | Op::Get(_) | Op::Zero | Op::Dot { .. } => true,
                Op::Scale | Op::Axpy => {
                    let factor = node.args[0];
                    !gives || !member(&factor) && !block.ty(factor).dtype.is_complex()
                }
                Op::Apply(Applied::Leaf(_) | Applied::Adjoint(_)) => {
                    !(takes && node.args.len() > 1 || gives && node.results.len() > 1)
                }
                _ => !takes && !gives,
            }
        };
        let kept =
            |r: &crate::ir::Return| !member(&r.value) || matches!(r.target, Target::State(_));
        block.nodes.iter().all(node) && block.returns.iter().all(kept)
    }

    /// The chain with one more operator, if all that leaves and enters in loops has it.
    fn longer(&self, plan: &Plan) -> Option<Chain> {
        let level = self.chain.steps.len();
        let mut found: Option<Applied> = None;
        let mut all = |step: Applied| *found.get_or_insert(step) == step;
        for (b, block) in plan.blocks.iter().enumerate().filter(|(_, block)| is_loop(block)) {
            let definitions = block.definitions();
            let images = self.images(b, block);
            for node in &block.nodes {
                if node.args.iter().any(|a| images[a.index()] == Some(level))
                    && !linear_at(&node.op, level)
                {
                    let Op::Apply(step) = node.op else { return None };
                    if !all(step) {
                        return None;
                    }
                }
            }
            if level > 0 && block.returns.iter().any(|r| images[r.value.index()] == Some(level)) {
                return None;
            }
            for preimage in self.preimages(b, block, level) {
                let Op::Apply(step) = block.nodes[definitions[preimage.index()]].op else {
                    if level > 0 || !linear_at(&block.nodes[definitions[preimage.index()]].op, 0) {
                        return None;
                    }
                    continue;
                };
                if !all(adjoint(step)) {
                    return None;
                }
            }
        }
        self.chain.then(plan, found?)
    }

    /// For each value of a block how many steps of the chain are applied to a vector in it.
    pub fn images(&self, b: usize, block: &Block) -> Vec<Option<usize>> {
        let mut out: Vec<Option<usize>> =
            self.values[b].iter().map(|&member| member.then_some(0)).collect();
        for node in &block.nodes {
            if let (Op::Apply(step), [arg], [result]) =
                (&node.op, node.args.as_slice(), node.results.as_slice())
                && let Some(level) = out[arg.index()]
                && self.chain.steps.get(level) == Some(step)
                && out[result.index()].is_none()
            {
                out[result.index()] = Some(level + 1);
            }
        }
        out
    }

    /// The values of a block to which the adjoint of the first steps of the chain is applied.
    fn preimages(&self, b: usize, block: &Block, level: usize) -> Vec<Value> {
        let definitions = block.definitions();
        let members = (0..block.types.len()).filter(|&v| self.values[b][v]);
        members.filter_map(|v| self.preimage(block, &definitions, Value(v as u32), level)).collect()
    }

    /// What a vector is the adjoint of the first steps of.
    pub fn preimage(
        &self,
        block: &Block,
        definitions: &[usize],
        vector: Value,
        level: usize,
    ) -> Option<Value> {
        self.chain.steps[..level].iter().try_fold(vector, |v, &step| {
            let node = &block.nodes[definitions[v.index()]];
            (node.op == Op::Apply(adjoint(step))).then(|| node.args[0])
        })
    }

    /// The vectors of `setup` that come from outside.
    fn sources(&self, plan: &Plan) -> Vec<Value> {
        let Some(b) = plan.blocks.iter().position(|block| block.name == SETUP) else {
            return Vec::new();
        };
        let setup = &plan.blocks[b];
        let definitions = setup.definitions();
        let level = self.chain.steps.len();
        let outside = |&v: &Value| {
            let node = &setup.nodes[definitions[v.index()]];
            match node.op {
                Op::Add | Op::Sub | Op::Neg | Op::Zero => false,
                Op::Scale | Op::Axpy => setup.ty(node.args[0]).dtype.is_complex(),
                _ => self.preimage(setup, &definitions, v, level).is_none(),
            }
        };
        let members = (0..setup.types.len()).filter(|&v| self.values[b][v]);
        members.map(|v| Value(v as u32)).filter(outside).collect()
    }

    /// The type of the factor of the rest: one number for each column.
    pub fn number(&self) -> Type {
        let dims = &self.chain.types[0].dims;
        Type::new(&dims[dims.len() - self.columns..], crate::dtype::Dtype::F64)
    }
}

/// Whether an operation keeps a vector in its space.
fn linear_at(op: &Op, level: usize) -> bool {
    let linear = matches!(
        op,
        Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Dot { .. } | Op::Get(_) | Op::Zero
    );
    level == 0 && linear
}

/// Whether a block is run as it is written, with vectors in the old basis.
pub(super) fn keeps_basis(block: &Block) -> bool {
    block.name == MEANING || block.name != SETUP && !is_loop(block)
}
