//! Which extents each node makes equal, and what it demands of the others.

use super::extents::Symbol;
use super::link::{Outcome, PlanSymbols, SpreadSymbols, Symbols, spread};
use crate::ir::{Applied, Leaf, Node, Op, Plan, Target, Value};
use crate::placement::{Cut, Split};
use crate::signature::Binding;
use crate::terms;
use std::collections::BTreeMap;

/// Links the nodes of one plan.
pub(super) struct Linker<'a> {
    /// What is known already.
    pub symbols: &'a mut Symbols,
    /// The plan.
    pub plan: &'a Plan,
    /// Which of the two it is.
    pub at: usize,
    /// Its symbols.
    pub of: PlanSymbols,
    /// Inputs by block and name, of both plans.
    pub inputs: &'a mut BTreeMap<(String, String), Vec<Symbol>>,
    /// Into what the parts of a value cut it, by block and value.
    pub segments: BTreeMap<(usize, Value), Vec<Symbol>>,
}

impl Linker<'_> {
    /// All nodes, cuts and returns.
    pub fn blocks(&mut self) -> Outcome {
        for (s, state) in self.plan.states.iter().enumerate() {
            let dims = self.symbols.states[self.at][s].clone();
            self.splits(&dims, &state.ty.placement.splits)?;
        }
        for leaf in 0..self.plan.leaves.len() {
            let factors = self.symbols.leaves[leaf].factors.clone();
            self.splits(&factors, &self.plan.leaves[leaf].tile)?;
        }
        for (b, block) in self.plan.blocks.iter().enumerate() {
            let values =
                block.types.iter().map(|t| self.symbols.extents.fresh_all(&t.dims)).collect();
            self.of.values.push(values);
            for (v, ty) in block.types.iter().enumerate() {
                let dims = self.of.values[b][v].clone();
                self.splits(&dims, &ty.placement.splits)?;
            }
            for (n, node) in block.nodes.iter().enumerate() {
                self.node(b, n, node)?;
            }
            for r in &block.returns {
                if let Target::State(s) = r.target {
                    let state = self.symbols.states[self.at][s as usize].clone();
                    self.alike(&self.dims(b, r.value), &state)?;
                }
            }
        }
        Ok(())
    }

    /// A cut covers its dim.
    fn splits(&mut self, dims: &[Symbol], splits: &[Split]) -> Outcome {
        for (&dim, split) in dims.iter().zip(splits) {
            let Some(cut) = &split.cut else { continue };
            let of = self.cut(cut);
            self.symbols.extents.equal(dim, of.dim)?;
        }
        Ok(())
    }

    fn cut(&mut self, cut: &Cut) -> SpreadSymbols {
        let key = Cut { name: String::new(), ..cut.clone() };
        if let Some(&known) = self.symbols.cuts.get(&key) {
            return known;
        }
        let extents = &mut self.symbols.extents;
        let index = extents.fresh(cut.size);
        let made = spread(extents, &cut.spread, index, &format!("cut @{}", cut.name));
        self.symbols.cuts.insert(key, made);
        made
    }

    fn dims(&self, block: usize, value: Value) -> Vec<Symbol> {
        self.of.values[block][value.index()].clone()
    }

    fn alike(&mut self, a: &[Symbol], b: &[Symbol]) -> Outcome {
        self.symbols.extents.equal_all(a, b)
    }

    fn node(&mut self, b: usize, n: usize, node: &Node) -> Outcome {
        let args: Vec<_> = node.args.iter().map(|&v| self.dims(b, v)).collect();
        let outs: Vec<_> = node.results.iter().map(|&v| self.dims(b, v)).collect();
        match &node.op {
            Op::Input(name) => {
                let key = (self.plan.blocks[b].name.clone(), name.clone());
                let known = self.inputs.entry(key).or_insert_with(|| outs[0].clone()).clone();
                self.alike(&outs[0], &known)
            }
            Op::Get(s) => self.alike(&outs[0], &self.symbols.states[self.at][*s as usize].clone()),
            Op::Apply(applied) => self.apply(b, node, *applied, &args, &outs),
            Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Conj
            | Op::Project(_)
            | Op::Cast
            | Op::AllToAll(_)
            | Op::Exchange
            | Op::Slice
            | Op::Pad(_)
            | Op::Partial(_)
            | Op::Copy => args.iter().try_for_each(|a| self.alike(a, &outs[0])),
            Op::AllReduce(_) | Op::ReduceScatter(_) | Op::AllGather(_) | Op::Halo | Op::HaloSum => {
                args.iter().zip(&outs).try_for_each(|(a, o)| self.alike(a, o))
            }
            Op::Scale | Op::Axpy | Op::Map(_) => args.iter().try_for_each(|a| {
                let skip = outs[0].len().saturating_sub(a.len());
                self.alike(a, &outs[0][skip..])
            }),
            Op::Dot { columns, .. } => {
                self.alike(&args[0], &args[1])?;
                let skip = args[0].len().saturating_sub(*columns);
                self.alike(&outs[0], &args[0][skip..])
            }
            Op::Take => self.alike(&args[0][1..], &outs[0]),
            Op::Put => {
                self.alike(&args[0], &outs[0])?;
                self.alike(&args[0][1..], &args[2])
            }
            Op::Combine => {
                self.alike(&args[0], &args[1][..1])?;
                self.alike(&args[1][1..], &outs[0])
            }
            Op::Dots => {
                self.alike(&args[0][..1], &outs[0])?;
                self.alike(&args[0][1..], &args[1])
            }
            Op::Reshape => self.reshape(b, node, &args[0], &outs[0]),
            Op::Concat => {
                let label = self.label(b, "concat", node);
                self.symbols.extents.balance(args, outs, &label);
                Ok(())
            }
            Op::Part(begin) => {
                self.part(b, n, *begin, &args[0]);
                Ok(())
            }
            Op::Slot(_) | Op::Zero | Op::Call(_) | Op::Reduce(_) | Op::OneHot => Ok(()),
        }
    }

    fn label(&self, b: usize, what: &str, node: &Node) -> String {
        let block = &self.plan.blocks[b].name;
        let block = if block.is_empty() { String::new() } else { format!(" of block {block}") };
        format!("{what} %{}{block}", node.results[0].0)
    }

    fn apply(
        &mut self,
        b: usize,
        node: &Node,
        applied: Applied,
        args: &[Vec<Symbol>],
        outs: &[Vec<Symbol>],
    ) -> Outcome {
        let sides = |leaf: &Leaf| (leaf.signature.domain.clone(), leaf.signature.range.clone());
        let (from, to) = match applied {
            Applied::Term(t) => terms::sides(&self.of.symbolic, t),
            Applied::Leaf(l) => sides(&self.of.symbolic[l]),
            Applied::Adjoint(l) => {
                let (domain, range) = sides(&self.of.symbolic[l]);
                (range, domain)
            }
        };
        let batch = match (args.first(), from.first()) {
            (Some(dims), Some(own)) => dims[own.len().min(dims.len())..].to_vec(),
            _ => Vec::new(),
        };
        for (dims, own) in args.iter().zip(&from).chain(outs.iter().zip(&to)) {
            self.alike(dims, &[own.as_slice(), &batch].concat())?;
        }
        let (leaf, adjoint) = match applied {
            Applied::Term(_) => return Ok(()),
            Applied::Leaf(l) => (l.0 as usize, false),
            Applied::Adjoint(l) => (l.0 as usize, true),
        };
        let of = &self.symbols.leaves[leaf];
        let (takes, gives) =
            if adjoint { (&of.range, &of.domain) } else { (&of.domain, &of.range) };
        let bound: Vec<_> = takes.iter().chain(gives).cloned().collect();
        let rule = &self.plan.leaves[leaf].signature.rule;
        let (takes, gives) =
            if adjoint { (&rule.range, &rule.domain) } else { (&rule.domain, &rule.range) };
        let bindings: Vec<_> = takes.iter().chain(gives).cloned().collect();
        for (p, &v) in node.args.iter().chain(&node.results).enumerate() {
            for (d, of) in bound[p].iter().enumerate() {
                self.carried(leaf, &bindings[p][d], *of, b, v, d)?;
            }
        }
        Ok(())
    }

    /// The cut of a leaf's part is that of the leaf's tile, carried over by the spread.
    fn carried(
        &mut self,
        leaf: usize,
        binding: &Binding,
        of: SpreadSymbols,
        b: usize,
        v: Value,
        d: usize,
    ) -> Outcome {
        let plan = self.plan;
        let Some(cut) = &plan.blocks[b].ty(v).placement.splits[d].cut else { return Ok(()) };
        let mine = self.cut(cut);
        let tile = plan.leaves[leaf].tile[binding.factor].cut.as_deref();
        let index = tile.map_or(of.index, |tile| self.cut(tile).index);
        self.symbols.extents.equal(mine.index, index)?;
        if let (Some(a), Some(b), true) = (mine.each, of.each, cut.spread == binding.spread) {
            self.symbols.extents.equal(a, b)?;
        }
        Ok(())
    }

    fn reshape(&mut self, b: usize, node: &Node, from: &[Symbol], to: &[Symbol]) -> Outcome {
        let extents = &self.symbols.extents;
        let same = |(a, b): &(&Symbol, &Symbol)| extents.size(**a) == extents.size(**b);
        let common = from.iter().zip(to).take_while(same).count();
        self.alike(&from[..common], &to[..common])?;
        let label = self.label(b, "reshape", node);
        let (left, right) = (from[common..].to_vec(), to[common..].to_vec());
        self.symbols.extents.balance(vec![left], vec![right], &label);
        let block = &self.plan.blocks[b];
        let split = |v: Value| block.ty(v).placement.splits.get(common).cloned();
        let (Some(p), Some(q)) = (split(node.args[0]), split(node.results[0])) else {
            return Ok(());
        };
        if p.axes.is_empty() || q.axes.is_empty() {
            return Ok(());
        }
        let index = |me: &mut Self, split: &Split, dim| {
            split.cut.as_ref().map_or(dim, |cut| me.cut(cut).index)
        };
        let (i, j) = (index(self, &p, from[common]), index(self, &q, to[common]));
        self.symbols.extents.equal(i, j)
    }

    /// All parts of one value cut it into segments, of which each is a run.
    fn part(&mut self, b: usize, n: usize, begin: usize, whole: &[Symbol]) {
        let block = &self.plan.blocks[b];
        let node = &block.nodes[n];
        let mut ends = vec![0, block.ty(node.args[0]).len()];
        for other in block.nodes.iter().filter(|o| o.args == node.args) {
            if let Op::Part(at) = other.op {
                ends.extend([at, at + block.ty(other.results[0]).len()]);
            }
        }
        ends.sort_unstable();
        ends.dedup();
        let label = self.label(b, "part", node);
        let single = |of: &[Symbol]| of.iter().map(|&s| vec![s]).collect::<Vec<_>>();
        let extents = &mut self.symbols.extents;
        let all = self.segments.entry((b, node.args[0])).or_insert_with(|| {
            let all: Vec<_> = ends.windows(2).map(|w| extents.fresh(w[1] - w[0])).collect();
            extents.balance(single(&all), vec![whole.to_vec()], &label);
            all
        });
        let end = begin + block.ty(node.results[0]).len();
        let at = |e: usize| ends.iter().position(|&x| x == e).unwrap_or(0);
        let mine = self.of.values[b][node.results[0].index()].clone();
        extents.balance(single(&all[at(begin)..at(end)]), vec![mine], &label);
        self.of.before.insert((b, n), all[..at(begin)].to_vec());
    }
}
