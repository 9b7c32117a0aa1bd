//! The shape of the mesh: where only a number of ranks is given, the one whose finished plan is
//! cheapest.
//!
//! The line comes first; if its plan is close to what no plan can beat, or its ranks are a prime
//! number, it stays.
//! Else the search is asked what it expects of grids `r×c`, those closest to a square first, and
//! the most promising ones are finished by all passes.
//! Of grids from which it expects the same, which differ in the names of their axes, one is.
//! A line is simpler, so a grid must be cheaper by more than rounding.

use crate::cost::Account;
use crate::error::PlanError;
use crate::ir::Plan;
use crate::mesh::Mesh;
use crate::pipeline::{Compiled, Context, place, prepare};
use crate::search::Space;

/// A shape that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The mesh.
    pub mesh: Mesh,
    /// Seconds of the search's best assignment, each cost by itself.
    pub expected: f64,
    /// Seconds of the finished plan, if it was finished; infinite if it does not fit.
    pub seconds: Option<f64>,
}

/// How many grids the search is asked about, for plans of so many nodes and for larger ones.
const ASKED: (usize, usize, usize) = (64, 8, 2);

/// How many grids are finished.
const FINISHED: usize = 2;

/// How much dearer than what no plan can beat a line may be and stay.
const CLOSE: f64 = 1.05;

/// How much cheaper a grid must be than a line.
const WORTH: f64 = 0.99;

/// The grids of so many ranks, those closest to a square first.
fn grids(ranks: usize) -> Vec<Mesh> {
    let below = (2..).take_while(|d| d * d <= ranks).filter(|d| ranks.is_multiple_of(*d));
    let near: Vec<usize> = below.collect();
    let both = |&d: &usize| {
        let more = (d * d != ranks).then(|| Mesh::grid(d, ranks / d));
        [Mesh::grid(ranks / d, d)].into_iter().chain(more)
    };
    near.iter().rev().flat_map(both).collect()
}

/// How little two expectations differ if they are the same up to rounding.
const SAME: f64 = 1e-9;

/// The cheapest finished plan on any mesh of so many ranks, and what was tried, the chosen first.
/// The mesh of the context is not used.
pub fn compile_for(
    ranks: usize,
    source: &Plan,
    cx: &Context,
) -> Result<(Compiled, Vec<Tried>), PlanError> {
    let before = prepare(source, cx)?;
    let on = |mesh: Mesh| Context { mesh, ..cx.clone() }.among_ranks();
    let line = on(Mesh::line(ranks));
    let mut line = Shape::new(&before.plan, &line);
    let first = line.finish(&before);
    // Another shape may fit, or have the axes that a pin names.
    let hopeless = |e: &PlanError| !matches!(e, PlanError::TooLarge(_) | PlanError::Pinned(_));
    if first.as_ref().is_err_and(hopeless) {
        return Ok((first?, Vec::new()));
    }
    let least = first.as_ref().map_or(0.0, |done| Account::of(&done.plan, &cx.machine).least());
    let close = |seconds: f64| seconds <= CLOSE * least;
    let nodes: usize = before.plan.blocks.iter().map(|block| block.nodes.len()).sum();
    let asked = if nodes <= ASKED.0 { ASKED.1 } else { ASKED.2 };
    let mut best = Best { seconds: line.seconds(), done: first };
    let mut tried = vec![line.tried];
    if !close(best.seconds) {
        let grids: Vec<_> = grids(ranks).into_iter().take(asked).map(on).collect();
        tried.extend(best.among(&before, &grids));
    }
    let chosen = best.done?;
    if tried.len() == 1 {
        tried.clear();
    }
    let order = |t: &Tried| t.seconds.unwrap_or(f64::MAX);
    tried.sort_by(|a, b| order(a).total_cmp(&order(b)));
    tried.sort_by_key(|t| t.mesh != chosen.plan.mesh);
    Ok((chosen, tried))
}

/// A shape that the search was asked about.
struct Shape<'a> {
    cx: &'a Context,
    /// What the search knows, if it can place the plan on this shape.
    space: Option<Space<'a>>,
    tried: Tried,
}

impl<'a> Shape<'a> {
    fn new(plan: &'a Plan, cx: &'a Context) -> Self {
        // On a single rank there is nothing to search for.
        let space = (cx.mesh.ranks() > 1).then(|| Space::new(plan, cx).ok()).flatten();
        let expected = space.as_ref().map_or(f64::INFINITY, Space::cost);
        Shape { cx, space, tried: Tried { mesh: cx.mesh.clone(), expected, seconds: None } }
    }

    fn finish(&mut self, before: &Compiled) -> Result<Compiled, PlanError> {
        let done = place(before, self.cx, self.space.as_ref());
        let account = done.as_ref().map(|done| Account::of(&done.plan, &self.cx.machine));
        self.tried.seconds = Some(account.map_or(f64::INFINITY, |account| account.weighted()));
        done
    }

    fn seconds(&self) -> f64 {
        self.tried.seconds.unwrap_or(f64::INFINITY)
    }
}

/// The cheapest plan that was finished.
struct Best {
    seconds: f64,
    done: Result<Compiled, PlanError>,
}

impl Best {
    /// Asks about some shapes, finishes the most promising ones, and keeps the cheapest of all.
    fn among(&mut self, before: &Compiled, contexts: &[Context]) -> Vec<Tried> {
        let mut shapes: Vec<_> = contexts.iter().map(|cx| Shape::new(&before.plan, cx)).collect();
        shapes.sort_by(|a, b| a.tried.expected.total_cmp(&b.tried.expected));
        let mut finished: Vec<f64> = Vec::new();
        let limit = self.seconds * WORTH;
        for shape in shapes.iter_mut().filter(|shape| shape.space.is_some()) {
            let expected = shape.tried.expected;
            if finished.len() == FINISHED {
                break;
            }
            if finished.iter().any(|known| (known - expected).abs() <= SAME * expected) {
                continue;
            }
            finished.push(expected);
            let done = shape.finish(before);
            if shape.seconds() < self.seconds.min(limit) {
                *self = Best { seconds: shape.seconds(), done };
            }
        }
        shapes.into_iter().map(|shape| shape.tried).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;
    use crate::machine::Machine;
    use crate::pipeline::compile;

    const PRODUCT: &str = "mesh 1 rank
        let A = (i) <- (j) : f64[4096, 4096]
        %0 = input x : f64[4096]
        %1 = apply A %0 : f64[4096]
        %2 = apply A.H %1 : f64[4096]
        return %2";

    fn planned(source: &str, ranks: usize, bandwidth: f64) -> (Compiled, Vec<Tried>) {
        let machine = Machine::default().with_link(1e-7, bandwidth);
        let cx = Context { machine, ..Context::default() };
        compile_for(ranks, &read(source), &cx).unwrap()
    }

    #[test]
    fn grids_are_all_factorisations_the_squarest_first() {
        let all: Vec<_> = grids(12).iter().map(Mesh::to_string).collect();
        assert_eq!(all, ["r=4 c=3", "r=3 c=4", "r=6 c=2", "r=2 c=6"]);
        assert_eq!(grids(9), [Mesh::grid(3, 3)]);
        assert!(grids(13).is_empty());
    }

    #[test]
    fn a_large_product_is_planned_on_a_grid() {
        let (compiled, tried) = planned(PRODUCT, 64, 1e8);
        assert_eq!(compiled.plan.mesh.axes.len(), 2, "{}", compiled.plan);
        assert_eq!(tried[0].mesh, compiled.plan.mesh);
        let line = tried.iter().find(|t| t.mesh == Mesh::line(64)).unwrap();
        assert!(line.seconds > tried[0].seconds, "{tried:?}");
    }

    #[test]
    fn the_cheapest_of_all_grids_is_found() {
        for bandwidth in [1e7, 1e8, 1e9] {
            let (compiled, _) = planned(PRODUCT, 24, bandwidth);
            let machine = Machine::default().with_link(1e-7, bandwidth);
            let cost = |plan: &Plan| Account::of(plan, &machine).weighted();
            for mesh in grids(24).into_iter().chain([Mesh::line(24)]) {
                let cx = Context { mesh, machine: machine.clone(), ..Context::default() };
                let other = compile(&read(PRODUCT), &cx).unwrap().plan;
                assert!(cost(&other) >= 0.99 * cost(&compiled.plan), "{bandwidth} {}", other.mesh);
            }
        }
    }

    #[test]
    fn what_communicates_nothing_stays_on_a_line() {
        let stencil = "mesh 1 rank
            let A = (k, i) <- (k, j) : f64[4096, 64, 64]
            %0 = input x : f64[4096, 64]
            %1 = apply A %0 : f64[4096, 64]
            return %1";
        let (compiled, tried) = planned(stencil, 64, 1e8);
        assert_eq!(compiled.plan.mesh, Mesh::line(64));
        assert!(tried.is_empty());
    }
}
