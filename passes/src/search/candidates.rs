//! The candidates: placements that values other than a leaf's may take, and which nodes share one.

use super::{Search, Variable, applied};
use crate::ir::{Block, Node, Op, Target, Value};
use crate::placement::{Placement, Split, Type};
use crate::route::reshaped;
use std::collections::{BTreeMap, BTreeSet};

/// For each shape the placements that somebody would like.
type Wishes = BTreeMap<Vec<usize>, BTreeSet<Placement>>;

impl Search<'_> {
    /// All placements that some leaf would like for parts of a shape, pending ones included.
    pub(super) fn wishes(&self) -> Wishes {
        let mut pool: Wishes = BTreeMap::new();
        for block in &self.plan.blocks {
            for node in &block.nodes {
                let Some((leaf, adjoint)) = applied(node) else { continue };
                let Variable::Leaf(tiles) = &self.variables[leaf.0 as usize] else { continue };
                let args: Vec<_> = node.args.iter().map(|&v| block.ty(v)).collect();
                let results: Vec<_> = node.results.iter().map(|&v| block.ty(v)).collect();
                for tile in tiles {
                    let sides = self.apply_sides(leaf, adjoint, tile, (&args, &results));
                    let typed =
                        args.iter().zip(sides.args).chain(results.iter().zip(sides.results));
                    for (ty, p) in typed {
                        pool.entry(ty.dims.clone()).or_default().insert(p.without_ghosts());
                    }
                }
            }
        }
        self.plain_wishes(&mut pool);
        self.reshaped_wishes(&mut pool);
        pool
    }

    /// Every shape may be replicated, or split along one dim over all axes.
    pub(super) fn plain_wishes(&self, pool: &mut Wishes) {
        let axes = self.axes();
        let types = self
            .plan
            .blocks
            .iter()
            .flat_map(|b| &b.types)
            .chain(self.plan.states.iter().map(|s| &s.ty));
        for ty in types {
            let entry = pool.entry(ty.dims.clone()).or_default();
            entry.insert(Placement::replicated(ty.dims.len()));
            for d in (0..ty.dims.len()).filter(|_| !axes.is_empty()) {
                let mut p = Placement::replicated(ty.dims.len());
                p.splits[d] = Split::over(&axes);
                entry.insert(p);
            }
        }
    }

    /// What is wished for one shape can be had for another through a reshape.
    pub(super) fn reshaped_wishes(&self, pool: &mut Wishes) {
        for _ in 0..2 {
            for block in &self.plan.blocks {
                for node in block.nodes.iter().filter(|n| n.op == Op::Reshape) {
                    let (a, b) = (&block.ty(node.args[0]).dims, &block.ty(node.results[0]).dims);
                    for (from, to) in [(a, b), (b, a)] {
                        let found: Vec<_> =
                            pool[from].iter().filter_map(|p| reshaped(from, to, p)).collect();
                        pool.entry(to.clone()).or_default().extend(found);
                    }
                }
            }
        }
    }

    /// Makes the variables of all nodes that are no applications.
    pub(super) fn classes(&mut self) {
        let pool = self.wishes();
        let settled = |dims: &Vec<usize>| -> Vec<Placement> {
            pool[dims].iter().filter(|p| p.pending.is_empty()).cloned().collect()
        };
        for state in &self.plan.states {
            let options = self.whole_leading(&state.ty, settled(&state.ty.dims), false);
            self.ties.states.push(self.variables.len());
            self.variables.push(Variable::Class(options));
        }
        for block in &self.plan.blocks {
            let mut nodes: Vec<Option<usize>> = Vec::new();
            let producer = block.definitions();
            for node in &block.nodes {
                let tie = self.tie(block, node, &nodes, &producer);
                nodes.push(tie.or_else(|| self.new_variable(block, node, &pool)));
            }
            let mut returns = Vec::new();
            for r in &block.returns {
                let tie = match &r.target {
                    Target::State(s) => Some(self.ties.states[*s as usize]),
                    Target::Control(_) => None,
                    Target::Output => {
                        self.output(block, r.value, &nodes, &settled(&block.ty(r.value).dims))
                    }
                };
                returns.push(tie);
            }
            self.ties.nodes.push(nodes);
            self.ties.returns.push(returns);
        }
    }

    /// A part of the result is handed over as the input of the same shape came, so that an
    /// operator that maps a space to itself can be applied again.
    pub(super) fn output(
        &mut self,
        block: &Block,
        value: Value,
        nodes: &[Option<usize>],
        options: &[Placement],
    ) -> Option<usize> {
        let ty = block.ty(value);
        let same =
            block.nodes.iter().enumerate().find(|(_, n)| {
                matches!(n.op, Op::Input(_)) && block.ty(n.results[0]).dims == ty.dims
            });
        match same {
            Some((n, _)) => nodes[n],
            None if ty.dims.is_empty() => None,
            None => {
                self.variables.push(Variable::Class(options.to_vec()));
                Some(self.variables.len() - 1)
            }
        }
    }

    /// The variable of an earlier node that this one shares.
    pub(super) fn tie(
        &self,
        block: &Block,
        node: &Node,
        nodes: &[Option<usize>],
        producer: &[usize],
    ) -> Option<usize> {
        let shape = |v: Value| &block.ty(v).dims;
        let of = |v: Value| {
            let at = producer[v.index()];
            let class = matches!(
                block.nodes[at].op,
                Op::Get(_) | Op::Axpy | Op::Map(_) | Op::Input(_) | Op::Put | Op::Dot { .. }
            );
            nodes[at].filter(|_| class && !matches!(block.nodes[at].op, Op::Dot { .. }))
        };
        match &node.op {
            Op::Get(s) => Some(self.ties.states[*s as usize]),
            Op::Axpy | Op::Map(_) | Op::Put => {
                let out = shape(node.results[0]);
                let args = node.args.iter().rev().filter(|&&v| shape(v) == out && !out.is_empty());
                args.into_iter().find_map(|&v| of(v))
            }
            Op::Dot { .. } => node.args.iter().find_map(|&v| of(v)),
            _ => None,
        }
    }

    pub(super) fn new_variable(
        &mut self,
        block: &Block,
        node: &Node,
        pool: &Wishes,
    ) -> Option<usize> {
        let dims = |v: Value| block.ty(v).dims.clone();
        let settled = |d: &Vec<usize>| {
            pool[d].iter().filter(|p| p.pending.is_empty()).cloned().collect::<Vec<_>>()
        };
        let options = match &node.op {
            Op::Input(_) | Op::Zero | Op::Axpy | Op::Map(_) | Op::OneHot | Op::Get(_) => {
                settled(&dims(node.results[0]))
            }
            Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Conj | Op::Project(_) | Op::Cast => {
                pool[&dims(node.results[0])].iter().cloned().collect()
            }
            Op::Dot { .. } | Op::Reduce(_) => settled(&dims(node.args[0])),
            Op::Take | Op::Put | Op::Dots => {
                self.whole_leading(block.ty(node.args[0]), settled(&dims(node.args[0])), true)
            }
            Op::Combine => {
                self.whole_leading(block.ty(node.args[1]), settled(&dims(node.args[1])), true)
            }
            Op::Reshape => {
                let (a, b) = (dims(node.args[0]), dims(node.results[0]));
                let pairs = pool[&a].iter().filter_map(|p| Some((p.clone(), reshaped(&a, &b, p)?)));
                self.variables.push(Variable::Pair(pairs.collect()));
                return Some(self.variables.len() - 1);
            }
            Op::Concat | Op::Part(_) => {
                let whole = Placement::replicated(1);
                self.variables.push(Variable::Pair(vec![(whole.clone(), whole)]));
                return Some(self.variables.len() - 1);
            }
            Op::Apply(_)
            | Op::Slot(_)
            | Op::Call(_)
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
            | Op::Copy => return None,
        };
        if matches!(
            node.op,
            Op::Map(_) | Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Conj | Op::Cast | Op::Zero
        ) && dims(node.results[0]).is_empty()
        {
            return None;
        }
        self.variables.push(Variable::Class(options));
        Some(self.variables.len() - 1)
    }

    /// A basis keeps its leading dim whole: only those options, if the value is used as one.
    pub(super) fn whole_leading(
        &self,
        ty: &Type,
        options: Vec<Placement>,
        basis: bool,
    ) -> Vec<Placement> {
        let name_used = basis
            || self.plan.states.iter().enumerate().any(|(s, state)| {
                state.ty == *ty && self.plan.blocks.iter().any(|b| is_basis(b, s as u32))
            });
        if !name_used {
            return options;
        }
        options.into_iter().filter(|p| p.splits.first().is_none_or(|s| s.axes.is_empty())).collect()
    }
}

fn is_basis(block: &Block, state: u32) -> bool {
    let mut basis: BTreeSet<Value> = BTreeSet::new();
    for node in &block.nodes {
        match &node.op {
            Op::Get(s) if *s == state => {
                basis.insert(node.results[0]);
            }
            Op::Take | Op::Put | Op::Dots if basis.contains(&node.args[0]) => return true,
            Op::Combine if basis.contains(&node.args[1]) => return true,
            _ => {}
        }
    }
    false
}
