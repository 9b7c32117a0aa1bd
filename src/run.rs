//! Runs a planned expression or problem on a world.
//!
//! Every rank walks the same program: it loads its tiles, lets the solver pick block after block
//! from the control numbers, and keeps its tile of the result.

mod inputs;
mod session;
mod solution;

pub use inputs::{Inputs, Progress, Watch, inputs};
pub use session::Session;
pub use solution::{RunCost, Solution};

use crate::data::{Array, DataError};
use crate::planned::Planned;
use crate::runtime::comm::Comm;
use crate::runtime::{Program, RankContext, RunError, World};
use crate::solve::Outcome;
use crate::trace::mark;
use adjoin_passes::ir::Op;
use adjoin_passes::simulate::{Expected, expect};
use solution::{Tile, assemble};
use std::sync::Arc;
use std::time::Instant;

/// An iteration, as a watcher sees it.
pub struct Watching<'a> {
    /// What the loop has found so far.
    pub outcome: &'a Outcome,
    /// The rank that looks.
    pub rank: &'a RankContext,
    program: &'a mut Program,
}

impl Watching<'_> {
    /// A part of the iterate as a whole, on every rank; all ranks must ask.
    pub fn gather(&mut self, part: usize) -> Result<Array, RunError> {
        self.program.run("view")?;
        let tile = Tile::of(self.program, "view", part)?;
        assemble(&[tile], Some(self.rank.comm()))
    }
}

impl Planned {
    /// Runs the plan on the ranks of a world.
    pub fn run(&self, world: &World, inputs: &Inputs) -> Result<Solution, RunError> {
        self.check(inputs)?;
        let alone = world.backend() == "mpi";
        let mut ranks = match &inputs.trace {
            None => world.run(|rank| drive(self, inputs, rank, None))?,
            Some(trace) => {
                let here = world.here();
                let expected = expect(self.plan(), &self.context().machine, here.clone());
                let expected = expected.map_err(|error| RunError::Unfit(error.to_string()))?;
                let of = |rank: usize| expected.get(rank - here.start).map(Vec::as_slice);
                world.traced(trace, |rank| drive(self, inputs, rank, of(rank.rank())))?
            }
        };
        let parts = ranks.first().map_or(0, |rank| rank.tiles.len());
        let mut tiles = vec![Vec::new(); parts];
        let peak_bytes = ranks.iter().map(|r| r.cost.peak_bytes).max().unwrap_or(0);
        for rank in &mut ranks {
            for (part, tile) in tiles.iter_mut().zip(rank.tiles.drain(..)) {
                part.push(tile);
            }
        }
        let first = ranks.swap_remove(0);
        let variance = tiles.split_off(self.outputs().len());
        Ok(Solution {
            outcome: first.outcome,
            cost: RunCost { peak_bytes, ..first.cost },
            names: self.outputs().iter().map(|o| o.name.clone()).collect(),
            tiles,
            variance,
            comm: alone.then_some(first.comm),
        })
    }

    /// Names that belong to nothing are errors before anything runs.
    fn check(&self, inputs: &Inputs) -> Result<(), RunError> {
        let labels: Vec<_> = self.input_labels();
        for (name, _) in &inputs.data {
            let belongs = |label: &String| {
                label == name
                    || label
                        .split_once('.')
                        .is_some_and(|(whole, part)| whole == name || part == name)
            };
            if !labels.iter().any(belongs) {
                return Err(RunError::unknown("input", name, labels.iter().map(String::as_str)));
            }
        }
        for label in &labels {
            if inputs.find(label).is_none() && inputs.whole(label).is_none() {
                return Err(RunError::Unfit(format!("nothing is given for the input `{label}`")));
            }
        }
        Ok(())
    }

    /// The names of all inputs.
    pub fn input_labels(&self) -> Vec<String> {
        let nodes = self.plan().blocks.iter().flat_map(|b| &b.nodes);
        let names = nodes
            .filter_map(|n| if let Op::Input(name) = &n.op { Some(name.clone()) } else { None });
        names.collect()
    }
}

/// What one rank brings back.
struct RankResult {
    outcome: Option<Outcome>,
    cost: RunCost,
    tiles: Vec<Tile>,
    comm: Arc<dyn Comm>,
}

fn drive(
    planned: &Planned,
    inputs: &Inputs,
    rank: &RankContext,
    expected: Option<&[Vec<Expected>]>,
) -> Result<RankResult, RunError> {
    let begin = Instant::now();
    let binding = mark("bind and load");
    let mut session = Session::expecting(planned, inputs, rank, expected)?;
    session.load()?;
    drop(binding);
    let load = begin.elapsed().as_secs_f64();
    session.set_up()?;
    let (outcome, cost) = session.run(None)?;
    let tiles = session.tiles()?;
    Ok(RankResult { outcome, cost: RunCost { load, ..cost }, tiles, comm: rank.comm().clone() })
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn unfit(error: DataError) -> RunError {
    RunError::Unfit(error.to_string())
}
