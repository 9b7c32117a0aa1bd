//! The search: decides placements of operators and values, and so where sums settle.
//!
//! Each leaf chooses for each mesh axis the factor that the axis splits, once for all its
//! applications, forward and adjoint.
//! Each other node chooses one placement for its operands and its result.
//! Between a value's producer and its consumer lies a redistribution, whose cost is a shortest
//! path ([`crate::route`]).
//! Users that want a value in one placement share its redistribution, and dots on one level share
//! a reduction: what a neighbour pays already is given back, which keeps the cost a sum of small
//! tables.
//! The sum of all costs is minimised exactly by variable elimination ([`crate::eliminate`]).

use crate::eliminate::{Table, minimise};
use crate::error::PlanError;
use crate::ir::{Applied, Block, LeafId, Node, Op, Plan, Target, Value};
use crate::machine::{bytes, largest};
use crate::mesh::Axis;
use crate::pipeline::Context;
use crate::placement::{Cut, Placement, Split, Type};
use crate::route::{Router, reshaped};
use crate::signature::{Binding, Signature, Spread};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The choice of each variable.
type Choice<'a> = dyn Fn(usize) -> usize + 'a;

/// A cost that depends on choices.
type CostOf<'a> = dyn Fn(&Choice<'_>) -> f64 + 'a;

/// What the search decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions {
    /// For each leaf the split of each factor.
    pub tiles: Vec<Vec<Split>>,
    /// For each block and node what it takes and what it gives.
    pub nodes: Vec<Vec<Sides>>,
    /// For each state variable.
    pub states: Vec<Placement>,
    /// For each block and return what is handed over.
    pub returns: Vec<Vec<Placement>>,
}

/// The placements of a node's arguments and results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sides {
    /// Of each argument.
    pub args: Vec<Placement>,
    /// Of each result.
    pub results: Vec<Placement>,
}

/// How an axis is used by a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Factor(usize),
    /// A factor, at cuts that a reshape of one of its parts makes; an index into all such cuts.
    Cut(usize, usize),
    /// A trailing dim beyond those of the signature.
    Batch(usize),
}

impl Use {
    fn factor(self) -> Option<usize> {
        match self {
            Use::Factor(f) | Use::Cut(f, _) => Some(f),
            Use::Batch(_) => None,
        }
    }
}

/// Seconds that decide between equals and nothing else.
const NEGLIGIBLE: f64 = 1e-13;

/// One choice for a leaf: what each axis splits.
type Tile = Vec<Option<Use>>;

/// Who uses a value.
#[derive(Clone, Copy, Debug)]
enum User {
    /// A node, as one of its arguments.
    Node(usize, usize),
    /// A return of the block.
    Return(usize),
}

/// A variable of the search.
#[derive(Clone, Debug)]
enum Variable {
    Leaf(Vec<Tile>),
    /// The placement that a class of nodes works on.
    Class(Vec<Placement>),
    /// A reshape: what it takes and what it gives.
    Pair(Vec<(Placement, Placement)>),
}

/// Finds the cheapest decisions for a plan whose operators are leaves.
pub fn decide(plan: &Plan, cx: &Context) -> Result<Decisions, PlanError> {
    let router = Router::new(&cx.mesh, &cx.machine);
    let mut search = Search {
        plan,
        cx,
        router,
        batches: batches(plan),
        cuts: reshaped_cuts(plan),
        variables: Vec::new(),
        ties: Ties::default(),
    };
    search.leaves();
    search.classes();
    let sizes: Vec<_> = search.variables.iter().map(Variable::len).collect();
    let (tables, refinements) = search.tables();
    let choice = minimise(&sizes, &tables, &refinements);
    Ok(search.decisions(&choice))
}

impl Variable {
    fn len(&self) -> usize {
        match self {
            Variable::Leaf(v) => v.len(),
            Variable::Class(v) => v.len(),
            Variable::Pair(v) => v.len(),
        }
    }
}

/// Which variable each node, state and return belongs to.
#[derive(Default)]
struct Ties {
    /// For each block and node.
    nodes: Vec<Vec<Option<usize>>>,
    states: Vec<usize>,
    /// For each block and return.
    returns: Vec<Vec<Option<usize>>>,
}

struct Search<'a> {
    plan: &'a Plan,
    cx: &'a Context,
    router: Router<'a>,
    /// For each leaf how many trailing batch dims it is applied to.
    batches: Vec<usize>,
    /// Where dims of some shapes can be cut so that a reshape keeps them split.
    cuts: Vec<DimCut>,
    variables: Vec<Variable>,
    ties: Ties,
}

fn batches(plan: &Plan) -> Vec<usize> {
    let mut out = vec![0; plan.leaves.len()];
    for block in &plan.blocks {
        for node in &block.nodes {
            if let Some((leaf, adjoint)) = applied(node) {
                let s = &plan[leaf].signature;
                let own = if adjoint { s.range[0].len() } else { s.domain[0].len() };
                let extra = block.ty(node.args[0]).dims.len() - own;
                out[leaf.0 as usize] = extra.max(out[leaf.0 as usize]);
            }
        }
    }
    out
}

/// A shape, one of its dims, and where that can be cut.
type DimCut = (Vec<usize>, usize, Arc<Cut>);

/// What becomes of balanced splits at the reshapes of a plan.
fn reshaped_cuts(plan: &Plan) -> Vec<DimCut> {
    let mut out: Vec<DimCut> = Vec::new();
    for block in &plan.blocks {
        for node in block.nodes.iter().filter(|n| n.op == Op::Reshape) {
            let (a, b) = (&block.ty(node.args[0]).dims, &block.ty(node.results[0]).dims);
            for (from, to) in [(a, b), (b, a)] {
                let found = (0..from.len()).filter_map(|d| {
                    let mut p = Placement::replicated(from.len());
                    p.splits[d] = Split::over(&[0]);
                    let splits = reshaped(from, to, &p)?.splits.into_iter().enumerate();
                    let (at, cut) = splits.into_iter().find_map(|(e, s)| Some((e, s.cut?)))?;
                    Some((to.clone(), at, cut))
                });
                for cut in found.collect::<Vec<_>>() {
                    if !out.contains(&cut) {
                        out.push(cut);
                    }
                }
            }
        }
    }
    out
}

fn applied(node: &Node) -> Option<(LeafId, bool)> {
    match node.op {
        Op::Apply(Applied::Leaf(leaf)) => Some((leaf, false)),
        Op::Apply(Applied::Adjoint(leaf)) => Some((leaf, true)),
        _ => None,
    }
}

/// Blocks that run once count little beside those that are repeated.
fn weight(block: &Block) -> f64 {
    match block.name.as_str() {
        "setup" | "finish" | "view" => 0.02,
        _ => 1.0,
    }
}

impl Search<'_> {
    fn axes(&self) -> Vec<Axis> {
        (0..self.cx.mesh.axes.len()).filter(|&a| self.cx.mesh.size(a) > 1).collect()
    }

    fn leaves(&mut self) {
        for (l, leaf) in self.plan.leaves.iter().enumerate() {
            let rule = &leaf.signature.rule;
            let nodes = self.plan.blocks.iter().flat_map(|b| &b.nodes).filter_map(applied);
            let directions: BTreeSet<bool> =
                nodes.filter(|(id, _)| id.0 as usize == l).map(|(_, adjoint)| adjoint).collect();
            let clear =
                |f: usize| directions.iter().all(|&adjoint| rule.sums_are_clear(f, adjoint));
            let factors = rule.factors.iter().enumerate();
            let free = factors
                .filter(|(i, f)| !f.whole && f.size > 1 && clear(*i))
                .map(|(i, _)| Use::Factor(i));
            let batch = (0..self.batches[l]).map(Use::Batch);
            let cut = self.cut_uses(&leaf.signature);
            let uses: Vec<_> = free.chain(cut).chain(batch).collect();
            let mut tiles: Vec<Tile> = vec![vec![None; self.cx.mesh.axes.len()]];
            for axis in self.axes() {
                tiles = tiles
                    .into_iter()
                    .flat_map(|t| {
                        let with = |u: Option<Use>| {
                            let mut t = t.clone();
                            t[axis] = u;
                            t
                        };
                        uses.iter().map(|&u| with(Some(u))).chain([with(None)]).collect::<Vec<_>>()
                    })
                    .collect();
            }
            tiles.retain(|tile| {
                let all = || tile.iter().flatten();
                all().all(|a| {
                    all().all(|b| a == b || a.factor().is_none_or(|f| b.factor() != Some(f)))
                })
            });
            self.variables.push(Variable::Leaf(tiles));
        }
    }

    /// A factor without cuts of its own can take those of a reshape before or behind the leaf, so
    /// that its part stays where it is.
    fn cut_uses(&self, signature: &Signature) -> Vec<Use> {
        let rule = &signature.rule;
        let bare = |f: usize| {
            let factor = &rule.factors[f];
            let bindings = || rule.domain.iter().chain(&rule.range).flatten();
            let mut mine = bindings().filter(|b| b.factor == f);
            !factor.whole
                && factor.weights.is_none()
                && mine.all(|b| b.spread == Spread::One && b.halo == (0, 0))
        };
        let parts = || {
            signature.domain.iter().zip(&rule.domain).chain(signature.range.iter().zip(&rule.range))
        };
        let mut out = BTreeSet::new();
        for (k, (dims, d, _)) in self.cuts.iter().enumerate() {
            let bound = parts().filter(|(part, _)| dims.starts_with(part));
            let factors = bound.filter_map(|(_, bindings)| Some(bindings.get(*d)?.factor));
            out.extend(factors.filter(|&f| bare(f)).map(|f| Use::Cut(f, k)));
        }
        out.into_iter().collect()
    }

    /// The splits of a leaf's factors under one choice.
    fn tile(&self, leaf: LeafId, tile: &Tile) -> Vec<Split> {
        let rule = &self.plan[leaf].signature.rule;
        let split = |f: usize| {
            let uses = |a: &usize| tile[*a].filter(|u| u.factor() == Some(f));
            let axes: Vec<_> = (0..tile.len()).filter(|a| uses(a).is_some()).collect();
            if let Some(Use::Cut(_, k)) = axes.first().and_then(uses) {
                return Split { axes, cut: Some(self.cuts[k].2.clone()) };
            }
            let cut = rule.factors[f].weights.clone().filter(|_| !axes.is_empty()).map(|weights| {
                let (size, weights) = (rule.factors[f].size, Some(weights));
                Arc::new(Cut { name: String::new(), size, weights, spread: Spread::One })
            });
            Split { axes, cut }
        };
        (0..rule.factors.len()).map(split).collect()
    }

    /// The placement of a part of a leaf: dims bound to factors, then batch dims.
    fn part(&self, leaf: LeafId, tile: &Tile, bindings: &[Binding], rank: usize) -> Placement {
        let rule = &self.plan[leaf].signature.rule;
        let mut out = Placement::replicated(rank);
        let splits = self.tile(leaf, tile);
        for (d, binding) in bindings.iter().enumerate() {
            let split = &splits[binding.factor];
            let factor = &rule.factors[binding.factor];
            let plain = binding.spread == Spread::One && factor.weights.is_none();
            if plain {
                out.splits[d] = split.clone();
                continue;
            }
            let cut = (!split.axes.is_empty()).then(|| {
                let (size, weights, spread) =
                    (factor.size, factor.weights.clone(), binding.spread.clone());
                Arc::new(Cut { name: String::new(), size, weights, spread })
            });
            out.splits[d] = Split { axes: split.axes.clone(), cut };
        }
        for d in bindings.len()..rank {
            let mine = |a: &usize| tile[*a] == Some(Use::Batch(d - bindings.len()));
            out.splits[d] = Split { axes: (0..tile.len()).filter(mine).collect(), cut: None };
        }
        out
    }

    /// What an application takes and gives under one choice of its leaf.
    fn apply_sides(
        &self,
        leaf: LeafId,
        adjoint: bool,
        tile: &Tile,
        types: (&[&Type], &[&Type]),
    ) -> Sides {
        let rule = &self.plan[leaf].signature.rule;
        let (from, to) =
            if adjoint { (&rule.range, &rule.domain) } else { (&rule.domain, &rule.range) };
        let ghosts = |p: &mut Placement, bindings: &[Binding]| {
            for (d, b) in bindings.iter().enumerate() {
                if !p.splits[d].axes.is_empty() {
                    p.ghosts[d] = b.halo;
                }
            }
        };
        let side = |bindings: &[Vec<Binding>], types: &[&Type]| -> Vec<Placement> {
            bindings
                .iter()
                .zip(types)
                .map(|(b, t)| self.part(leaf, tile, b, t.dims.len()))
                .collect()
        };
        let (mut args, mut results) = (side(from, types.0), side(to, types.1));
        let haloed = if adjoint { &mut results } else { &mut args };
        for (p, bindings) in haloed.iter_mut().zip(&rule.domain) {
            ghosts(p, bindings);
            p.dual = adjoint && p.has_ghosts();
        }
        let contracted = |f: usize| {
            if adjoint {
                rule.in_range(f) && !rule.in_domain(f)
            } else {
                rule.in_domain(f) && !rule.in_range(f)
            }
        };
        let pending: Vec<_> = (0..tile.len())
            .filter(|&a| tile[a].and_then(Use::factor).is_some_and(contracted))
            .collect();
        for p in &mut results {
            p.pending.clone_from(&pending);
        }
        Sides { args, results }
    }

    /// All placements that some leaf would like for parts of a shape, pending ones included.
    fn wishes(&self) -> BTreeMap<Vec<usize>, BTreeSet<Placement>> {
        let mut pool: BTreeMap<Vec<usize>, BTreeSet<Placement>> = BTreeMap::new();
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
    fn plain_wishes(&self, pool: &mut BTreeMap<Vec<usize>, BTreeSet<Placement>>) {
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
    fn reshaped_wishes(&self, pool: &mut BTreeMap<Vec<usize>, BTreeSet<Placement>>) {
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
    fn classes(&mut self) {
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
    fn output(
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
    fn tie(
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

    fn new_variable(
        &mut self,
        block: &Block,
        node: &Node,
        pool: &BTreeMap<Vec<usize>, BTreeSet<Placement>>,
    ) -> Option<usize> {
        let dims = |v: Value| block.ty(v).dims.clone();
        let settled = |d: &Vec<usize>| {
            pool[d].iter().filter(|p| p.pending.is_empty()).cloned().collect::<Vec<_>>()
        };
        let options = match &node.op {
            Op::Input(_) | Op::Zero | Op::Axpy | Op::Map(_) | Op::OneHot | Op::Get(_) => {
                settled(&dims(node.results[0]))
            }
            Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Conj | Op::Cast => {
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
    fn whole_leading(&self, ty: &Type, options: Vec<Placement>, basis: bool) -> Vec<Placement> {
        let name_used = basis
            || self.plan.states.iter().enumerate().any(|(s, state)| {
                state.ty == *ty && self.plan.blocks.iter().any(|b| is_basis(b, s as u32))
            });
        if !name_used {
            return options;
        }
        options.into_iter().filter(|p| p.splits.first().is_none_or(|s| s.axes.is_empty())).collect()
    }

    /// What a node takes and gives under the choices of all variables.
    fn sides(&self, b: usize, n: usize, choice: &Choice<'_>) -> Sides {
        let block = &self.plan.blocks[b];
        let node = &block.nodes[n];
        let types = |vs: &[Value]| vs.iter().map(|&v| block.ty(v)).collect::<Vec<_>>();
        let (args, results) = (types(&node.args), types(&node.results));
        if let Some((leaf, adjoint)) = applied(node) {
            let v = leaf.0 as usize;
            let Variable::Leaf(tiles) = &self.variables[v] else {
                unreachable!("leaves come first")
            };
            return self.apply_sides(leaf, adjoint, &tiles[choice(v)], (&args, &results));
        }
        let whole = |ty: &&Type| Placement::replicated(ty.dims.len());
        let Some(v) = self.ties.nodes[b][n] else {
            return Sides {
                args: args.iter().map(whole).collect(),
                results: results.iter().map(whole).collect(),
            };
        };
        match &self.variables[v] {
            Variable::Leaf(_) => unreachable!("only applications choose tiles"),
            Variable::Pair(pairs) => {
                let (from, to) = &pairs[choice(v)];
                Sides {
                    args: vec![from.clone(); args.len()],
                    results: vec![to.clone(); results.len()],
                }
            }
            Variable::Class(options) => class_sides(node, &args, &results, &options[choice(v)]),
        }
    }

    /// The variables on which a node's sides depend.
    fn variable(&self, b: usize, n: usize) -> Option<usize> {
        match applied(&self.plan.blocks[b].nodes[n]) {
            Some((leaf, _)) => Some(leaf.0 as usize),
            None => self.ties.nodes[b][n],
        }
    }

    /// The costs of single nodes and moves, and what of them is shared.
    fn tables(&self) -> (Vec<Table>, [Vec<Table>; 2]) {
        let mut tables: Vec<_> = (0..self.plan.leaves.len()).map(|l| self.order(l)).collect();
        let mut shared = [Vec::new(), Vec::new()];
        for (b, block) in self.plan.blocks.iter().enumerate() {
            let weight = weight(block);
            for n in 0..block.nodes.len() {
                let cost = |choice: &Choice<'_>| self.work(b, n, &self.sides(b, n, choice));
                tables.push(self.table(&[self.variable(b, n)], weight, &cost));
            }
            self.moves(b, weight, &mut tables, &mut shared[0]);
            shared[1].extend(self.shared_reductions(b, weight));
        }
        (tables, shared)
    }

    /// The costs of moving values from where they are made to where they are used.
    /// Who wants a value in the same placement as the user before pays nothing for it.
    fn moves(&self, b: usize, weight: f64, tables: &mut Vec<Table>, shared: &mut Vec<Table>) {
        let producer = self.plan.blocks[b].definitions();
        for (value, mut users) in self.users(b) {
            users.sort_by_key(|user| self.user_variable(b, *user));
            let from = (producer[value.index()], value);
            tables.extend(users.iter().map(|&user| self.edge(b, from, user, weight)));
            let pairs = users.windows(2);
            shared.extend(pairs.map(|p| self.shared_move(b, from, (p[0], p[1]), weight)));
        }
    }

    fn users(&self, b: usize) -> BTreeMap<Value, Vec<User>> {
        let block = &self.plan.blocks[b];
        let mut users: BTreeMap<Value, Vec<User>> = BTreeMap::new();
        for (n, node) in block.nodes.iter().enumerate() {
            for (k, &arg) in node.args.iter().enumerate() {
                users.entry(arg).or_default().push(User::Node(n, k));
            }
        }
        for (k, r) in block.returns.iter().enumerate() {
            users.entry(r.value).or_default().push(User::Return(k));
        }
        users
    }

    fn user_variable(&self, b: usize, user: User) -> Option<usize> {
        match user {
            User::Node(n, _) => self.variable(b, n),
            User::Return(k) => self.ties.returns[b][k],
        }
    }

    /// The placement in which a user wants a value.
    fn wanted(&self, b: usize, user: User, choice: &Choice<'_>) -> Placement {
        match user {
            User::Node(n, k) => self.sides(b, n, choice).args[k].clone(),
            User::Return(k) => self.handed(b, k, choice),
        }
    }

    /// Dots of which none needs another's result will share a reduction if they are pending over
    /// the same axes: each gives back what the one before it on its level pays already, or the one
    /// before that if the former needs no reduction.
    fn shared_reductions(&self, b: usize, weight: f64) -> Vec<Table> {
        let block = &self.plan.blocks[b];
        let mut levels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (n, level) in levels_of_dots(block) {
            levels.entry(level).or_default().push(n);
        }
        let mut tables = Vec::new();
        for (dots, k) in levels.values().flat_map(|dots| (1..dots.len()).map(move |k| (dots, k))) {
            let dots = &dots[k.saturating_sub(2)..=k];
            let saved = |choice: &Choice<'_>| {
                let mut places =
                    dots.iter().rev().map(|&n| self.sides(b, n, choice).results[0].clone());
                let mine = places.next().unwrap_or_default();
                let before = places.find(|p| !p.pending.is_empty());
                if before.is_none_or(|p| p.pending != mine.pending) {
                    return 0.0;
                }
                let ty = block.ty(block.nodes[dots[dots.len() - 1]].results[0]).placed(mine);
                -self.router.cost(&ty, &Placement::replicated(ty.dims.len()))
            };
            let on: Vec<_> = dots.iter().map(|&n| self.variable(b, n)).collect();
            tables.push(self.table(&on, weight, &saved));
        }
        tables
    }

    /// Among equally cheap tiles the first one wins: rows over the first axis, then columns.
    fn order(&self, leaf: usize) -> Table {
        let costs = (0..self.variables[leaf].len()).map(|k| k as f64 * NEGLIGIBLE).collect();
        Table { variables: vec![leaf], costs }
    }

    fn handed(&self, b: usize, k: usize, choice: &Choice<'_>) -> Placement {
        let ty = self.plan.blocks[b].ty(self.plan.blocks[b].returns[k].value);
        match self.ties.returns[b][k] {
            None => Placement::replicated(ty.dims.len()),
            Some(v) => match &self.variables[v] {
                Variable::Class(options) => options[choice(v)].clone(),
                Variable::Pair(pairs) => pairs[choice(v)].1.clone(),
                Variable::Leaf(_) => Placement::replicated(ty.dims.len()),
            },
        }
    }

    /// The cost of moving a value from the node that makes it to one user.
    fn edge(&self, b: usize, (n, value): (usize, Value), user: User, weight: f64) -> Table {
        let cost = |choice: &Choice<'_>| {
            self.router.cost(&self.made(b, n, value, choice), &self.wanted(b, user, choice))
        };
        self.table(&[self.variable(b, n), self.user_variable(b, user)], weight, &cost)
    }

    /// What the second of two users need not pay if the first wants the same.
    fn shared_move(
        &self,
        b: usize,
        (n, value): (usize, Value),
        (first, second): (User, User),
        weight: f64,
    ) -> Table {
        let saved = |choice: &Choice<'_>| {
            let to = self.wanted(b, second, choice);
            if self.wanted(b, first, choice) != to {
                return 0.0;
            }
            match self.router.cost(&self.made(b, n, value, choice), &to) {
                cost if cost.is_finite() => -cost,
                _ => 0.0,
            }
        };
        let users = (self.user_variable(b, first), self.user_variable(b, second));
        self.table(&[self.variable(b, n), users.0, users.1], weight, &saved)
    }

    /// The type in which a node makes a value.
    fn made(&self, b: usize, n: usize, value: Value, choice: &Choice<'_>) -> Type {
        let block = &self.plan.blocks[b];
        let at = block.nodes[n].results.iter().position(|&r| r == value).unwrap_or(0);
        block.ty(value).placed(self.sides(b, n, choice).results[at].clone())
    }

    /// The table of a cost over the choices of some variables.
    fn table(&self, on: &[Option<usize>], weight: f64, cost: &CostOf<'_>) -> Table {
        let mut variables: Vec<_> = on.iter().flatten().copied().collect();
        variables.sort_unstable();
        variables.dedup();
        let sizes: Vec<_> = variables.iter().map(|&v| self.variables[v].len()).collect();
        let count: usize = sizes.iter().product();
        let costs = (0..count).map(|k| {
            let choice = |v: usize| {
                let mut rest = k;
                for (w, &size) in variables.iter().zip(&sizes).rev() {
                    if *w == v {
                        return rest % size;
                    }
                    rest /= size;
                }
                0
            };
            weight * cost(&choice)
        });
        Table { costs: costs.collect(), variables }
    }

    /// The local work of a node on the rank that has most of it.
    fn work(&self, b: usize, n: usize, sides: &Sides) -> f64 {
        let block = &self.plan.blocks[b];
        let node = &block.nodes[n];
        let mesh = &self.cx.mesh;
        // The norm of a value reads it once.
        let first = |vs: &[Value], k: usize| !vs[..k].contains(&vs[k]);
        let moved = |vs: &[Value], ps: &[Placement]| -> f64 {
            let read = vs.iter().zip(ps).enumerate().filter(|(k, _)| first(vs, *k));
            read.map(|(_, (&v, p))| bytes(&block.ty(v).placed(p.clone()), mesh)).sum()
        };
        let traffic = moved(&node.args, &sides.args) + moved(&node.results, &sides.results);
        let Some((leaf, adjoint)) = applied(node) else {
            let free = matches!(node.op, Op::Input(_) | Op::Get(_) | Op::Slot(_));
            return if free { 0.0 } else { self.cx.machine.pass(traffic) };
        };
        let s = &self.plan[leaf].signature;
        let own = if adjoint { s.range[0].len() } else { s.domain[0].len() };
        let (ty, p) = (block.ty(node.args[0]), &sides.args[0]);
        let batch: f64 =
            (own..ty.dims.len()).map(|d| largest(ty.dims[d], &p.splits[d], mesh) as f64).product();
        // The tile follows from both sides: a factor is split where a dim bound to it is.
        let (bindings, placed) = (s.rule.domain.iter().chain(&s.rule.range), {
            let (domain, range) =
                if adjoint { (&sides.results, &sides.args) } else { (&sides.args, &sides.results) };
            domain.iter().chain(range)
        });
        let mut share = vec![1.0_f64; s.rule.factors.len()];
        for (part, p) in bindings.zip(placed) {
            for (d, binding) in part.iter().enumerate() {
                let factor = &s.rule.factors[binding.factor];
                if !p.splits[d].axes.is_empty() {
                    share[binding.factor] = heaviest(factor, &p.splits[d], mesh);
                }
            }
        }
        self.cx.machine.apply(s, share.iter().product(), batch, traffic)
    }

    fn decisions(&self, choice: &[usize]) -> Decisions {
        let pick = |v: usize| choice[v];
        let tiles = (0..self.plan.leaves.len())
            .map(|l| match &self.variables[l] {
                Variable::Leaf(tiles) => self.tile(LeafId(l as u32), &tiles[choice[l]]),
                Variable::Class(_) | Variable::Pair(_) => Vec::new(),
            })
            .collect();
        let state = |&v: &usize| match &self.variables[v] {
            Variable::Class(options) => options[choice[v]].clone(),
            Variable::Leaf(_) | Variable::Pair(_) => Placement::default(),
        };
        let blocks = || self.plan.blocks.iter().enumerate();
        Decisions {
            tiles,
            nodes: blocks()
                .map(|(b, block)| (0..block.nodes.len()).map(|n| self.sides(b, n, &pick)).collect())
                .collect(),
            states: self.ties.states.iter().map(state).collect(),
            returns: blocks()
                .map(|(b, block)| {
                    (0..block.returns.len()).map(|k| self.handed(b, k, &pick)).collect()
                })
                .collect(),
        }
    }
}

/// The scalar dots of a block, each with how many reductions stand before it.
fn levels_of_dots(block: &Block) -> Vec<(usize, usize)> {
    let mut known = vec![0; block.types.len()];
    let mut out = Vec::new();
    for (n, node) in block.nodes.iter().enumerate() {
        let before = node.args.iter().map(|a| known[a.index()]).max().unwrap_or(0);
        let dot = matches!(node.op, Op::Dot { columns: 0, .. });
        let reduces = dot || matches!(node.op, Op::Dot { .. } | Op::Dots | Op::Reduce(_));
        node.results.iter().for_each(|r| known[r.index()] = before + usize::from(reduces));
        if dot {
            out.push((n, before));
        }
    }
    out
}

/// The share of the heaviest piece of a factor.
fn heaviest(factor: &crate::signature::Factor, split: &Split, mesh: &crate::mesh::Mesh) -> f64 {
    let Some(weights) = &factor.weights else {
        let plain = Split { axes: split.axes.clone(), cut: None };
        return largest(factor.size, &plain, mesh) as f64 / factor.size.max(1) as f64;
    };
    let total: u64 = weights.iter().sum();
    let p = mesh.sizes(&split.axes) as f64;
    let top = weights.iter().copied().max().unwrap_or(0) as f64;
    (1.0 / p).max(top / total.max(1) as f64)
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

/// What a node of a class takes and gives if the class works on this placement.
fn class_sides(node: &Node, args: &[&Type], results: &[&Type], p: &Placement) -> Sides {
    let whole = |ty: &&Type| Placement::replicated(ty.dims.len());
    let tail = || Placement {
        splits: p.splits[1..].to_vec(),
        ghosts: p.ghosts[1..].to_vec(),
        ..p.clone()
    };
    let split = p.split_axes();
    match &node.op {
        Op::Dot { columns, .. } => {
            let first = p.splits.len() - columns;
            let mut out = Placement::replicated(*columns);
            out.splits = p.splits[first..].to_vec();
            out.pending = p.splits[..first].iter().flat_map(|s| s.axes.clone()).collect();
            out.pending.sort_unstable();
            Sides { args: vec![p.clone(); 2], results: vec![out] }
        }
        Op::Reduce(_) => {
            Sides { args: vec![p.clone()], results: results.iter().map(whole).collect() }
        }
        Op::Take => {
            Sides { args: vec![p.clone(), Placement::replicated(0)], results: vec![tail()] }
        }
        Op::Put => Sides {
            args: vec![p.clone(), Placement::replicated(0), tail()],
            results: vec![p.clone()],
        },
        Op::Combine => {
            Sides { args: vec![Placement::replicated(1), p.clone()], results: vec![tail()] }
        }
        Op::Dots => {
            let out = Placement { pending: split, ..Placement::replicated(1) };
            Sides { args: vec![p.clone(), tail()], results: vec![out] }
        }
        _ => {
            let out = &results[0].dims;
            let arg = |ty: &&Type| {
                if ty.dims == *out { p.clone() } else { trailing(p, ty.dims.len()) }
            };
            Sides { args: args.iter().map(arg).collect(), results: vec![p.clone()] }
        }
    }
}

/// The placement of a value that repeats along the leading dims of another.
fn trailing(p: &Placement, rank: usize) -> Placement {
    let first = p.splits.len().saturating_sub(rank);
    Placement { splits: p.splits[first..].to_vec(), ..Placement::replicated(rank) }
}
