//! A plan that is bound to one rank: tiles are read once, and it runs as often as one likes.

use super::inputs::load;
use super::solution::{Tile, assemble};
use super::{Inputs, RunCost, Watching};
use crate::data::Array;
use crate::planned::{Drive, Planned};
use crate::runtime::comm::Traffic;
use crate::runtime::{Program, RankContext, RunError};
use crate::solve::{Controls, Next, Outcome, Settings, Solver};
use adjoin_passes::simulate::Expected;
use num_complex::Complex64;
use std::time::Instant;

/// A plan on one rank, with its operators' tiles.
///
/// All ranks call the same methods in the same order.
pub struct Session<'a> {
    planned: &'a Planned,
    inputs: &'a Inputs,
    rank: &'a RankContext,
    program: Program,
}

impl<'a> Session<'a> {
    /// Binds a plan to a rank of a world; operators read their tiles.
    pub fn bind(
        planned: &'a Planned,
        inputs: &'a Inputs,
        rank: &'a RankContext,
    ) -> Result<Self, RunError> {
        planned.check(inputs)?;
        Session::expecting(planned, inputs, rank, None)
    }

    /// Likewise, with what a trace foresees of each call.
    pub(super) fn expecting(
        planned: &'a Planned,
        inputs: &'a Inputs,
        rank: &'a RankContext,
        expected: Option<&[Vec<Expected>]>,
    ) -> Result<Self, RunError> {
        let program = Program::of(planned.plan()).operators(planned.operators());
        let mut program = program.expecting(expected).bind(rank.comm().clone())?;
        for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
            program.set_slot(&slot.name, *value)?;
        }
        for (name, value) in &inputs.slots {
            program.set_slot(name, *value)?;
        }
        if let Some(settings) = inputs.settings
            && program.slots().any(|s| s == "damp")
            && matches!(planned.drive(), Drive::Solve(..))
        {
            program.set_slot("damp", Complex64::new(settings.damp, 0.0))?;
        }
        Ok(Session { planned, inputs, rank, program })
    }

    /// Reads the inputs and makes the program ready for its first iteration.
    pub fn start(&mut self) -> Result<(), RunError> {
        self.load()?;
        self.set_up()
    }

    /// Reads the inputs.
    pub(super) fn load(&mut self) -> Result<(), RunError> {
        let first = &self.planned.plan().blocks[0];
        load(&mut self.program, &first.name, first, self.inputs)
    }

    /// Does what comes before the first iteration.
    pub(super) fn set_up(&mut self) -> Result<(), RunError> {
        match self.planned.drive() {
            Drive::Apply => Ok(()),
            Drive::Solve(..) => self.program.run("setup"),
        }
    }

    /// Evaluates the expression, or iterates from the first guess; [`Session::start`] comes before.
    ///
    /// An expression may be evaluated again without a new start, and then has no inputs but what
    /// its last run has left in their place.
    /// Other settings than those of the inputs may be given.
    pub fn run(
        &mut self,
        settings: Option<Settings>,
    ) -> Result<(Option<Outcome>, RunCost), RunError> {
        let begin = Instant::now();
        let before = self.program.counters();
        let outcome = match self.planned.drive() {
            Drive::Apply => {
                self.program.run(last(self.planned))?;
                None
            }
            Drive::Solve(solver, own) => {
                let settings = settings.or(self.inputs.settings).unwrap_or(*own);
                let settings = with_slots(settings, self.inputs);
                Some(self.iterate(&**solver, &settings)?)
            }
        };
        let cost = RunCost {
            iterate: begin.elapsed().as_secs_f64(),
            traffic: since(before, self.program.counters()),
            peak_bytes: self.program.peak_bytes(),
            ..RunCost::default()
        };
        Ok((outcome, cost))
    }

    /// A part of the result as a whole, on every rank; all ranks must ask.
    pub fn gather(&mut self, part: usize) -> Result<Array, RunError> {
        self.view()?;
        let tile = Tile::of(&mut self.program, last(self.planned), part)?;
        assemble(&[tile], Some(self.rank.comm()))
    }

    /// The tiles of all parts.
    pub(super) fn tiles(&mut self) -> Result<Vec<Tile>, RunError> {
        self.view()?;
        let last = last(self.planned);
        let parts = self.program.output_types(last)?.len();
        (0..parts).map(|part| Tile::of(&mut self.program, last, part)).collect()
    }

    /// Makes what the user sees of a solver's state.
    fn view(&mut self) -> Result<(), RunError> {
        match self.planned.drive() {
            Drive::Apply => Ok(()),
            Drive::Solve(..) => self.program.run("view"),
        }
    }

    /// The loop: after each block the solver picks the next from the control numbers.
    fn iterate(&mut self, solver: &dyn Solver, settings: &Settings) -> Result<Outcome, RunError> {
        let mut outcome = Outcome::with_room(settings.niter);
        let mut names: Vec<String> = Vec::new();
        let mut controls = Controls::new();
        let mut done = "setup";
        let mut own = OwnBlocks::of(self.planned);
        loop {
            self.read_controls(done, &mut names, &mut controls)?;
            let before = outcome.niter;
            let next = solver.next(settings, &mut outcome, &controls);
            if outcome.niter > before && !self.goes_on(&outcome)? {
                return Ok(outcome);
            }
            match next {
                Next::Stop => return Ok(outcome),
                Next::Block(name) => {
                    for block in own.before_step() {
                        self.program.run(block)?;
                    }
                    self.program.run(name)?;
                    done = name;
                }
            }
        }
    }

    fn read_controls(
        &self,
        done: &str,
        names: &mut Vec<String>,
        controls: &mut Controls,
    ) -> Result<(), RunError> {
        self.program.control_names(done, names)?;
        for name in names.iter() {
            let values = self.program.control(done, name)?;
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
        Ok(())
    }

    /// Shows an iteration to those who look; whether rank 0's watcher wants to go on.
    fn goes_on(&mut self, outcome: &Outcome) -> Result<bool, RunError> {
        if let Some(progress) = self.inputs.progress.as_ref().filter(|_| self.rank.rank() == 0) {
            progress(outcome);
        }
        let Some(watch) = &self.inputs.watch else { return Ok(true) };
        let mut watching = Watching { outcome, rank: self.rank, program: &mut self.program };
        let on = watch(&mut watching)?;
        let mut decision = vec![u8::from(on)];
        self.rank.comm().broadcast_bytes(0, &mut decision)?;
        Ok(decision == [1])
    }
}

/// The blocks that are run without the solver's asking.
struct OwnBlocks<'a> {
    blocks: Vec<(&'a str, u32)>,
    /// How many blocks of the loop have been run.
    steps: u32,
}

impl<'a> OwnBlocks<'a> {
    fn of(planned: &'a Planned) -> Self {
        let blocks = planned.plan().blocks.iter();
        let blocks = blocks.filter_map(|b| Some((b.name.as_str(), b.every?)));
        OwnBlocks { blocks: blocks.collect(), steps: 0 }
    }

    /// Those whose turn it is before the next block of the loop.
    fn before_step(&mut self) -> impl Iterator<Item = &'a str> + '_ {
        let steps = self.steps;
        self.steps = self.steps.wrapping_add(1);
        let due = move |every: u32| steps > 0 && steps.is_multiple_of(every);
        self.blocks.iter().filter(move |(_, every)| due(*every)).map(|(name, _)| *name)
    }
}

/// The block that has the result.
fn last(planned: &Planned) -> &str {
    match planned.drive() {
        Drive::Apply => &planned.plan().blocks[0].name,
        Drive::Solve(..) => "view",
    }
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
