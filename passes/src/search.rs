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

mod tiles;
mod candidates;
mod sides;
mod costs;
mod fan;
mod depths;
mod review;
mod every;
mod pins;

pub use every::{Every, every};
pub use pins::Pin;
pub use review::{Reviewed, review};

use crate::eliminate::{Buckets, Marginals, Table, minimise, total};
use crate::error::PlanError;
use crate::ir::{Applied, LeafId, Node, Op, Plan, Value};
use crate::mesh::Axis;
use crate::pipeline::Context;
use crate::placement::{Placement, Split};
use crate::route::Router;
use fan::{Costs, Moves};
use std::cell::RefCell;
use std::collections::BTreeMap;
use tiles::{DimCut, Tile, reshaped_cuts};

/// The choice of each variable.
type Choice<'a> = dyn Fn(usize) -> usize + 'a;

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
    let space = Space::new(plan, cx)?;
    Ok(space.search.decisions(&space.best))
}

/// How much more than the best a contender may cost.
const WORTHWHILE: f64 = 2.0;

/// All choices and their costs, with the best of them.
pub(crate) struct Space<'a> {
    search: Search<'a>,
    sizes: Vec<usize>,
    tables: Vec<Table>,
    refinements: [Vec<Table>; 2],
    best: Vec<usize>,
    /// What the best was found by, if it is exact.
    exact: Option<Buckets>,
}

impl<'a> Space<'a> {
    /// For a plan whose operators are leaves.
    pub(crate) fn new(plan: &'a Plan, cx: &'a Context) -> Result<Self, PlanError> {
        let search = Search::new(plan, cx)?;
        let sizes: Vec<_> = search.variables.iter().map(Variable::len).collect();
        let (tables, refinements) = search.tables();
        let (best, exact) = minimise(&sizes, &tables, &refinements);
        Ok(Space { search, sizes, tables, refinements, best, exact })
    }

    /// What the cheapest decisions cost, each cost by itself.
    pub(crate) fn cost(&self) -> f64 {
        self.cost_of(&self.best)
    }

    /// The cheapest decisions, the cheapest of those in which some leaf or state is placed
    /// otherwise, and the next best of all: up to `apart` of the former and `few` of the latter,
    /// each in the order of their costs.
    pub(crate) fn contenders(&self, apart: usize, few: usize) -> Vec<Decisions> {
        let mut found: Vec<Vec<usize>> = vec![self.best.clone()];
        let marginals = self.marginals();
        // What hangs together changes together, so that several variables lead to one assignment.
        for v in self.second_best(marginals.as_ref()).into_iter().take(3 * apart) {
            if found.len() > apart {
                break;
            }
            let other = marginals.as_ref().map(|m| m.otherwise(v, self.best[v]));
            let other = other.filter(|c| c[v] != self.best[v] && self.cost_of(c).is_finite());
            found.extend(other.filter(|c| !found.contains(c)));
        }
        for choice in self.exact.iter().flat_map(|exact| exact.few(few + 1)) {
            if !found.contains(&choice) {
                found.push(choice);
            }
        }
        found.iter().map(|choice| self.search.decisions(choice)).collect()
    }

    fn cost_of(&self, choice: &[usize]) -> f64 {
        let groups = [&self.tables, &self.refinements[0], &self.refinements[1]];
        groups.iter().map(|tables| total(tables, choice, &self.sizes)).sum()
    }

    /// What follows from each choice, unless that is too much to find out.
    fn marginals(&self) -> Option<Marginals<'_>> {
        self.exact.as_ref().map(Buckets::marginals)
    }

    /// For each variable the best other choice and what all costs then, if that is known and there
    /// is one.
    fn runners_up(&self, marginals: Option<&Marginals<'_>>) -> Vec<Option<(f64, usize)>> {
        let Some(marginals) = marginals else {
            return vec![None; self.sizes.len()];
        };
        let other = |(v, costs): (usize, &Vec<f64>)| {
            let others = costs.iter().enumerate().filter(|(c, _)| *c != self.best[v]);
            let least = others.map(|(c, &cost)| (cost, c)).min_by(|a, b| a.0.total_cmp(&b.0));
            least.filter(|(cost, _)| cost.is_finite())
        };
        marginals.costs.iter().enumerate().map(other).collect()
    }

    /// Leaves and states of which another choice costs little more, those that cost least first.
    fn second_best(&self, marginals: Option<&Marginals<'_>>) -> Vec<usize> {
        let runners_up = self.runners_up(marginals);
        let limit = self.cost() * WORTHWHILE;
        let other = |v: usize| Some((runners_up[v]?.0, v));
        let near = self.search.tied_to_data().filter_map(other).filter(|(c, _)| *c <= limit);
        let mut near: Vec<_> = near.collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.into_iter().map(|(_, v)| v).collect()
    }
}

impl<'a> Search<'a> {
    fn new(plan: &'a Plan, cx: &'a Context) -> Result<Self, PlanError> {
        let router = Router::new(&cx.mesh, &cx.machine);
        let mut search = Search {
            plan,
            cx,
            router,
            batches: batches(plan),
            cuts: reshaped_cuts(plan),
            variables: Vec::new(),
            ties: Ties::default(),
            moved: RefCell::default(),
        };
        search.leaves();
        search.classes();
        search.pin()?;
        Ok(search)
    }

    /// The variables of leaves and states.
    fn tied_to_data(&self) -> impl Iterator<Item = usize> {
        let mut all: Vec<_> = (0..self.plan.leaves.len()).chain(self.ties.states.clone()).collect();
        all.retain(|&v| self.variables[v].len() > 1);
        all.into_iter()
    }
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
    /// What moves cost that were asked for.
    moved: RefCell<BTreeMap<Moves, Costs>>,
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

fn applied(node: &Node) -> Option<(LeafId, bool)> {
    match node.op {
        Op::Apply(Applied::Leaf(leaf)) => Some((leaf, false)),
        Op::Apply(Applied::Adjoint(leaf)) => Some((leaf, true)),
        _ => None,
    }
}

impl Search<'_> {
    fn axes(&self) -> Vec<Axis> {
        (0..self.cx.mesh.axes.len()).filter(|&a| self.cx.mesh.size(a) > 1).collect()
    }

    /// The variables on which a node's sides depend.
    fn variable(&self, b: usize, n: usize) -> Option<usize> {
        match applied(&self.plan.blocks[b].nodes[n]) {
            Some((leaf, _)) => Some(leaf.0 as usize),
            None => self.ties.nodes[b][n],
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
        let mut decisions = Decisions {
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
        };
        self.deepen(&mut decisions);
        decisions
    }
}
