//! Which extents of a plan and its source are equal, and what arithmetic ties the others.
//!
//! Terms are handled by a plan in which symbols stand where sizes were: shapes of composite
//! operators are made of those of their parts without looking at them.

use super::extents::{Equation, Extents, Relation, Symbol};
use crate::ir::{Applied, Leaf, Node, Op, Plan, Target, Term, Value};
use crate::placement::{Cut, Split};
use crate::signature::{Binding, Signature, Spread};
use crate::terms;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The symbols of a pair of plans.
pub(super) struct Symbols {
    /// The symbols.
    pub extents: Extents,
    /// For each leaf.
    pub leaves: Vec<LeafSymbols>,
    /// The dims of each state.
    pub states: Vec<Vec<Symbol>>,
    /// Cuts by what they say, without names.
    pub cuts: BTreeMap<Cut, SpreadSymbols>,
    /// Of the unplaced and of the placed plan.
    pub plans: [PlanSymbols; 2],
}

/// The symbols of a leaf.
pub(super) struct LeafSymbols {
    /// Of its factors.
    pub factors: Vec<Symbol>,
    /// For each part and dim of the domain.
    pub domain: Vec<Vec<SpreadSymbols>>,
    /// For each part and dim of the range.
    pub range: Vec<Vec<SpreadSymbols>>,
}

/// A dim made of an index.
#[derive(Clone, Copy)]
pub(super) struct SpreadSymbols {
    /// The index.
    pub index: Symbol,
    /// The dim.
    pub dim: Symbol,
    /// How many elements each value has, if all have the same number.
    pub each: Option<Symbol>,
}

/// The symbols of one plan.
#[derive(Default)]
pub(super) struct PlanSymbols {
    /// Its leaves and terms, with symbols for sizes.
    pub symbolic: Plan,
    /// For each block and value.
    pub values: Vec<Vec<Vec<Symbol>>>,
    /// For each `part`, by block and node: what lies before it.
    pub before: BTreeMap<(usize, usize), Vec<Symbol>>,
}

type Outcome = Result<(), String>;

/// Finds the symbols of a pair.
pub(super) fn link(source: &Plan, placed: &Plan) -> Result<Symbols, String> {
    let mut extents = Extents::default();
    if source.leaves.len() != placed.leaves.len() || source.states.len() != placed.states.len() {
        return Err("leaves or states of the two plans differ".into());
    }
    let leaves = source.leaves.iter().map(|leaf| leaf_symbols(&mut extents, leaf)).collect();
    let states = source.states.iter().map(|s| extents.fresh_all(&s.ty.dims)).collect();
    let plans = [PlanSymbols::default(), PlanSymbols::default()];
    let mut symbols = Symbols { extents, leaves, states, cuts: BTreeMap::new(), plans };
    let mut inputs = BTreeMap::new();
    for (at, plan) in [source, placed].into_iter().enumerate() {
        let symbolic = symbolic(&mut symbols, plan)?;
        let mut linker = Linker {
            symbols: &mut symbols,
            plan,
            of: PlanSymbols { symbolic, ..PlanSymbols::default() },
            inputs: &mut inputs,
            segments: BTreeMap::new(),
        };
        linker.blocks()?;
        let of = linker.of;
        symbols.plans[at] = of;
    }
    for (b, (block, other)) in source.blocks.iter().zip(&placed.blocks).enumerate() {
        for (r, q) in block.returns.iter().zip(&other.returns) {
            let (a, b) = (
                &symbols.plans[0].values[b][r.value.index()],
                &symbols.plans[1].values[b][q.value.index()],
            );
            symbols.extents.equal_all(a, b)?;
        }
    }
    Ok(symbols)
}

fn leaf_symbols(extents: &mut Extents, leaf: &Leaf) -> LeafSymbols {
    let rule = &leaf.signature.rule;
    let factors: Vec<_> = rule.factors.iter().map(|f| extents.fresh(f.size)).collect();
    let node = format!("operator {}", leaf.name);
    let mut side = |parts: &[Vec<Binding>]| -> Vec<Vec<SpreadSymbols>> {
        let bind = |b: &Binding| spread(extents, &b.spread, factors[b.factor], None, &node);
        let mut bind = bind;
        parts.iter().map(|dims| dims.iter().map(&mut bind).collect()).collect()
    };
    let (domain, range) = (side(&rule.domain), side(&rule.range));
    LeafSymbols { factors, domain, range }
}

/// Symbols of a dim that is made of an index; the dim's own if it has one.
fn spread(
    extents: &mut Extents,
    spread: &Spread,
    index: Symbol,
    dim: Option<Symbol>,
    node: &str,
) -> SpreadSymbols {
    let size = spread.at(extents.size(index));
    match spread {
        Spread::One => SpreadSymbols { index, dim: index, each: None },
        Spread::Uniform(k) => {
            let each = extents.fresh(*k);
            let dim = dim.unwrap_or_else(|| extents.fresh(size));
            extents.balance(vec![vec![dim]], vec![vec![each, index]], node);
            SpreadSymbols { index, dim, each: Some(each) }
        }
        Spread::Table(table) => {
            let dim = dim.unwrap_or_else(|| extents.fresh(size));
            let relation = Relation::Total { dim, index, table: table.clone() };
            extents.equations.push(Equation { relation, node: node.into() });
            SpreadSymbols { index, dim, each: None }
        }
    }
}

/// Leaves and terms with symbols for sizes.
fn symbolic(symbols: &mut Symbols, plan: &Plan) -> Result<Plan, String> {
    let mut out = Plan { slots: plan.slots.clone(), ..Plan::default() };
    let dims = |parts: &[Vec<SpreadSymbols>]| -> Vec<Vec<usize>> {
        parts.iter().map(|p| p.iter().map(|s| s.dim).collect()).collect()
    };
    for (leaf, of) in plan.leaves.iter().zip(&symbols.leaves) {
        let (domain, range) = (dims(&of.domain), dims(&of.range));
        let signature = Signature { domain, range, ..(*leaf.signature).clone() };
        out.leaves.push(Leaf { signature: Arc::new(signature), ..leaf.clone() });
    }
    let extents = &mut symbols.extents;
    for (t, term) in plan.terms.iter().enumerate() {
        let mut shapes = |shapes: &[Vec<usize>]| -> Vec<Vec<usize>> {
            shapes.iter().map(|s| extents.fresh_all(s)).collect()
        };
        let term = match term {
            Term::Element(map, of) => Term::Element(*map, shapes(of)),
            Term::Regroup(from, to) => {
                let (from, to) = (shapes(from), shapes(to));
                extents.balance(from.clone(), to.clone(), &format!("regroup t{t}"));
                Term::Regroup(from, to)
            }
            Term::Lift(of, extra) => Term::Lift(*of, extents.fresh_all(extra)),
            Term::Leaf(_)
            | Term::Adjoint(_)
            | Term::Transpose(_)
            | Term::Conj(_)
            | Term::Scale(..)
            | Term::Sum(_)
            | Term::Product(_)
            | Term::VStack(_)
            | Term::HStack(_)
            | Term::BlockDiag(_) => term.clone(),
        };
        out.terms.push(term);
    }
    (0..out.terms.len()).try_for_each(|t| fit(extents, &out, &out.terms[t]))?;
    Ok(out)
}

/// Operators that are added, multiplied or stacked fit together.
fn fit(extents: &mut Extents, plan: &Plan, term: &Term) -> Outcome {
    let mut alike = |a: terms::Shapes, b: terms::Shapes| -> Outcome {
        a.iter().zip(&b).try_for_each(|(a, b)| extents.equal_all(a, b))
    };
    match term {
        Term::Sum(ts) => ts.windows(2).try_for_each(|w| {
            alike(terms::domain(plan, w[0]), terms::domain(plan, w[1]))?;
            alike(terms::range(plan, w[0]), terms::range(plan, w[1]))
        }),
        Term::Product(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::domain(plan, w[0]), terms::range(plan, w[1]))),
        Term::VStack(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::domain(plan, w[0]), terms::domain(plan, w[1]))),
        Term::HStack(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::range(plan, w[0]), terms::range(plan, w[1]))),
        Term::Leaf(_)
        | Term::Adjoint(_)
        | Term::Transpose(_)
        | Term::Conj(_)
        | Term::Scale(..)
        | Term::BlockDiag(_)
        | Term::Element(..)
        | Term::Regroup(..)
        | Term::Lift(..) => Ok(()),
    }
}

struct Linker<'a> {
    symbols: &'a mut Symbols,
    plan: &'a Plan,
    of: PlanSymbols,
    inputs: &'a mut BTreeMap<(String, String), Vec<Symbol>>,
    /// Into what the parts of a value cut it, by block and value.
    segments: BTreeMap<(usize, Value), Vec<Symbol>>,
}

impl Linker<'_> {
    fn blocks(&mut self) -> Outcome {
        for (s, state) in self.plan.states.iter().enumerate() {
            let dims = self.symbols.states[s].clone();
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
                    let state = self.symbols.states[s as usize].clone();
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
        let made = spread(extents, &cut.spread, index, None, &format!("cut @{}", cut.name));
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
            Op::Get(s) => self.alike(&outs[0], &self.symbols.states[*s as usize].clone()),
            Op::Apply(applied) => self.apply(b, node, *applied, &args, &outs),
            Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Conj
            | Op::Cast
            | Op::ReduceScatter(_)
            | Op::AllGather(_)
            | Op::AllToAll(_)
            | Op::Exchange
            | Op::Halo
            | Op::HaloSum
            | Op::Slice
            | Op::Pad(_)
            | Op::Partial(_)
            | Op::Copy => args.iter().try_for_each(|a| self.alike(a, &outs[0])),
            Op::AllReduce(_) => args.iter().zip(&outs).try_for_each(|(a, o)| self.alike(a, o)),
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
            Op::Part(begin) => self.part(b, n, *begin, &args[0]),
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
    fn part(&mut self, b: usize, n: usize, begin: usize, whole: &[Symbol]) -> Outcome {
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
        Ok(())
    }
}
