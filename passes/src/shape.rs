//! The shape of the mesh: where only a number of ranks is given, the one whose finished plan is
//! cheapest.
//!
//! The line comes first; if its plan is close to what no plan can beat, or its ranks are a prime
//! number, it stays.
//! Else the search is asked what it expects of grids `r×c`, those closest to a square first, and
//! the most promising ones are finished by all passes.
//! A line is simpler, so a grid must be cheaper by more than rounding.

use crate::cost::Account;
use crate::error::PlanError;
use crate::ir::Plan;
use crate::mesh::Mesh;
use crate::pipeline::{Compiled, Context, compile, compile_algebra};
use crate::search;

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

/// The cheapest finished plan on any mesh of so many ranks, and what was tried, the chosen first.
/// The mesh of the context is not used.
pub fn compile_for(
    ranks: usize,
    source: &Plan,
    cx: &Context,
) -> Result<(Compiled, Vec<Tried>), PlanError> {
    let on = |mesh: &Mesh| Context { mesh: mesh.clone(), ..cx.clone() };
    let line = Mesh::line(ranks);
    let first = compile(source, &on(&line));
    let account = first.as_ref().ok().map(|done| Account::of(&done.plan, &cx.machine));
    // Another shape may fit, or have the axes that a pin names.
    let hopeless = |e: &PlanError| !matches!(e, PlanError::TooLarge(_) | PlanError::Pinned(_));
    if first.as_ref().is_err_and(hopeless) {
        return Ok((first?, Vec::new()));
    }
    let seconds = account.as_ref().map_or(f64::INFINITY, Account::weighted);
    let close = account.is_some_and(|a| a.weighted() <= CLOSE * a.least());
    let all = if close { Vec::new() } else { grids(ranks) };
    if all.is_empty() {
        return first.map(|done| (done, Vec::new()));
    }
    let before = compile_algebra(source, cx)?;
    let nodes: usize = before.blocks.iter().map(|block| block.nodes.len()).sum();
    let asked = if nodes <= ASKED.0 { ASKED.1 } else { ASKED.2 };
    let expected = |mesh: &Mesh| search::cost(&before, &on(mesh)).unwrap_or(f64::INFINITY);
    let seen = |mesh: Mesh| Tried { expected: expected(&mesh), mesh, seconds: None };
    let mut tried: Vec<Tried> = all.into_iter().take(asked).map(seen).collect();
    tried.sort_by(|a, b| a.expected.total_cmp(&b.expected));
    let of_line = Tried { expected: expected(&line), mesh: line, seconds: Some(seconds) };
    let mut best = (seconds * WORTH, first);
    for shape in tried.iter_mut().take(FINISHED) {
        let done = compile(source, &on(&shape.mesh));
        let account = done.as_ref().map(|done| Account::of(&done.plan, &cx.machine));
        let seconds = account.map_or(f64::INFINITY, |account| account.weighted());
        shape.seconds = Some(seconds);
        if seconds < best.0 {
            best = (seconds, done);
        }
    }
    let chosen = best.1?;
    tried.push(of_line);
    let order = |t: &Tried| t.seconds.unwrap_or(f64::MAX);
    tried.sort_by(|a, b| order(a).total_cmp(&order(b)));
    tried.sort_by_key(|t| t.mesh != chosen.plan.mesh);
    Ok((chosen, tried))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;
    use crate::machine::Machine;

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
