//! Runs a planned expression or problem on a world.
//!
//! Every rank walks the same program: it loads its tiles, lets the solver pick block after block
//! from the control numbers, and keeps its tile of the result.

mod inputs;
mod solution;

pub use inputs::{Inputs, Progress, Watch, inputs};
pub use solution::{RunCost, Solution};

use crate::data::{Array, DataError};
use crate::planned::{Drive, Planned};
use crate::runtime::comm::{Comm, Traffic};
use crate::runtime::{Program, RankContext, RunError, World};
use crate::solve::{Controls, Next, Outcome, Settings, Solver};
use crate::trace::mark;
use adjoin_passes::ir::Op;
use adjoin_passes::simulate::{Expected, expect};
use inputs::load;
use num_complex::Complex64;
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
    let program = Program::of(planned.plan()).operators(planned.operators()).expecting(expected);
    let mut program = program.bind(rank.comm().clone())?;
    for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
        program.set_slot(&slot.name, *value)?;
    }
    for (name, value) in &inputs.slots {
        program.set_slot(name, *value)?;
    }
    let first = &planned.plan().blocks[0];
    load(&mut program, &first.name, first, inputs)?;
    drop(binding);
    let mut cost = RunCost { load: begin.elapsed().as_secs_f64(), ..RunCost::default() };
    let (outcome, last) = match planned.drive() {
        Drive::Apply => {
            let begin = Instant::now();
            let before = program.counters();
            program.run(&first.name)?;
            cost.traffic = since(before, program.counters());
            cost.iterate = begin.elapsed().as_secs_f64();
            (None, first.name.clone())
        }
        Drive::Solve(solver, settings) => {
            let settings = with_slots(inputs.settings.unwrap_or(*settings), inputs);
            if inputs.settings.is_some() && program.slots().any(|s| s == "damp") {
                program.set_slot("damp", Complex64::new(settings.damp, 0.0))?;
            }
            program.run("setup")?;
            let begin = Instant::now();
            let before = program.counters();
            let outcome = iterate(&mut program, &**solver, &settings, inputs, rank)?;
            cost.traffic = since(before, program.counters());
            cost.iterate = begin.elapsed().as_secs_f64();
            program.run("view")?;
            (Some(outcome), "view".to_string())
        }
    };
    cost.peak_bytes = program.peak_bytes();
    let parts = program.output_types(&last)?.len();
    let tiles = (0..parts).map(|k| Tile::of(&mut program, &last, k));
    let tiles = tiles.collect::<Result<_, _>>()?;
    Ok(RankResult { outcome, cost, tiles, comm: rank.comm().clone() })
}

/// A damping that was set as a parameter counts in the loop as well.
fn with_slots(settings: Settings, inputs: &Inputs) -> Settings {
    let damp = inputs.slots.iter().rev().find(|(name, _)| name == "damp");
    Settings { damp: damp.map_or(settings.damp, |(_, value)| value.re), ..settings }
}

fn since(before: Traffic, after: Traffic) -> Traffic {
    Traffic {
        calls: after.calls - before.calls,
        reductions: after.reductions - before.reductions,
        bytes: after.bytes - before.bytes,
    }
}

/// The loop: after each block the solver picks the next from the control numbers.
fn iterate(
    program: &mut Program,
    solver: &dyn Solver,
    settings: &Settings,
    inputs: &Inputs,
    rank: &RankContext,
) -> Result<Outcome, RunError> {
    let mut outcome = Outcome::with_room(settings.niter);
    let mut names: Vec<String> = Vec::new();
    let mut controls = Controls::new();
    let mut done = "setup";
    loop {
        program.control_names(done, &mut names)?;
        for name in &names {
            let values = program.control(done, name)?;
            match controls.get_mut(name) {
                Some(known) => {
                    known.clear();
                    known.extend_from_slice(values);
                }
                None => {
                    controls.insert(name.clone(), values.to_vec());
                }
            }
        }
        let before = outcome.niter;
        let next = solver.next(settings, &mut outcome, &controls);
        if outcome.niter > before {
            if let Some(progress) = inputs.progress.as_ref().filter(|_| rank.rank() == 0) {
                progress(&outcome);
            }
            if let Some(watch) = &inputs.watch
                && !goes_on(watch, &outcome, program, rank)?
            {
                return Ok(outcome);
            }
        }
        match next {
            Next::Stop => return Ok(outcome),
            Next::Block(name) => {
                program.run(name)?;
                done = name;
            }
        }
    }
}

/// Whether rank 0's watcher wants to go on.
fn goes_on(
    watch: &Arc<Watch>,
    outcome: &Outcome,
    program: &mut Program,
    rank: &RankContext,
) -> Result<bool, RunError> {
    let on = watch(&mut Watching { outcome, rank, program })?;
    let mut decision = vec![u8::from(on)];
    rank.comm().broadcast_bytes(0, &mut decision)?;
    Ok(decision == [1])
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn unfit(error: DataError) -> RunError {
    RunError::Unfit(error.to_string())
}
