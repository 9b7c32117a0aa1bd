//! What the search has chosen, what it would have chosen next, and what that would cost.

use super::{Space, Variable};
use crate::ir::{LeafId, Op, Plan};
use crate::mesh::Mesh;
use crate::pipeline::Context;
use crate::placement::{Placement, Split, Type};

/// One choice of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewed {
    /// A leaf, a state, an input, or a kind of node.
    pub what: String,
    /// How it is placed.
    pub chosen: String,
    /// The best other placement, and how much dearer all becomes with it, as a fraction.
    pub runner_up: Option<(String, f64)>,
}

/// The choices of the search for a plan whose operators are leaves.
pub fn review(plan: &Plan, cx: &Context) -> Vec<Reviewed> {
    let Ok(space) = Space::new(plan, cx) else { return Vec::new() };
    let least = space.cost().max(f64::MIN_POSITIVE);
    let runners_up = space.runners_up(space.marginals().as_ref());
    let several = (0..space.sizes.len()).filter(|&v| space.sizes[v] > 1);
    several
        .filter_map(|v| {
            let (what, ty) = space.search.subject(v)?;
            let shown = |option: usize| space.search.shown(v, option, ty.as_ref());
            let runner_up =
                runners_up[v].map(|(cost, option)| (shown(option), (cost - least) / least));
            Some(Reviewed { what, chosen: shown(space.best[v]), runner_up })
        })
        .collect()
}

impl super::Search<'_> {
    /// What a variable places, with the type of a value that it places.
    fn subject(&self, v: usize) -> Option<(String, Option<Type>)> {
        if let Some(leaf) = self.plan.leaves.get(v) {
            return Some((leaf.name.clone(), None));
        }
        if let Some(s) = self.ties.states.iter().position(|&tied| tied == v) {
            let state = &self.plan.states[s];
            return Some((state.name.clone(), Some(state.ty.clone())));
        }
        let nodes = self.plan.blocks.iter().zip(&self.ties.nodes);
        let mut tied = nodes.flat_map(|(block, ties)| {
            let mine = block.nodes.iter().zip(ties).filter(move |(_, tie)| **tie == Some(v));
            mine.map(move |(node, _)| (block, node))
        });
        let (block, node) = tied.next()?;
        let ty = block.ty(*node.results.first()?).clone();
        let what = match &node.op {
            Op::Input(name) => name.clone(),
            op => crate::text::word(op).to_owned(),
        };
        Some((what, Some(ty)))
    }

    fn shown(&self, v: usize, option: usize, ty: Option<&Type>) -> String {
        let mesh = &self.cx.mesh;
        let placed = |p: &Placement| match ty {
            Some(ty) if ty.dims.len() == p.splits.len() => ty.placed(p.clone()).text(mesh),
            _ => {
                Type::new(&vec![0; p.splits.len()], crate::Dtype::F64).placed(p.clone()).text(mesh)
            }
        };
        match &self.variables[v] {
            Variable::Leaf(tiles) => {
                let leaf = LeafId(v as u32);
                factors(self.plan, leaf, &self.tile(leaf, &tiles[option]), mesh)
            }
            Variable::Class(options) => placed(&options[option]),
            Variable::Pair(pairs) => placed(&pairs[option].1),
        }
    }
}

/// How the factors of a leaf are split, such as `i/r, j/c`.
fn factors(plan: &Plan, leaf: LeafId, tile: &[Split], mesh: &Mesh) -> String {
    let factors = plan[leaf].signature.rule.factors.iter().zip(tile);
    let split = factors.filter(|(_, split)| !split.axes.is_empty()).map(|(factor, split)| {
        let axes: Vec<_> = split.axes.iter().map(|&a| mesh.axes[a].0.as_str()).collect();
        let at = if split.cut.is_some() { " at cuts" } else { "" };
        format!("{}/{}{at}", factor.name, axes.join("/"))
    });
    let split: Vec<_> = split.collect();
    if split.is_empty() { "on every rank".into() } else { split.join(", ") }
}
