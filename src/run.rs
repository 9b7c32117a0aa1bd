//! Runs a planned expression or problem on a world.
//!
//! Every rank walks the same program: it loads its tiles, lets the solver pick block after block
//! from the control numbers, and keeps its tile of the result.

use crate::data::{Array, DataError, Elements, Region, Sink, Source};
use crate::planned::{Drive, Planned};
use crate::runtime::comm::{Comm, Traffic};
use crate::runtime::{Host, Program, RankContext, RunError, World};
use crate::solve::{Controls, Next, Outcome, Settings, Solver};
use adjoin_passes::ir::Op;
use num_complex::Complex64;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The data and numbers of one run.
#[derive(Clone, Default)]
pub struct Inputs {
    data: Vec<(String, Given)>,
    slots: Vec<(String, Complex64)>,
    settings: Option<Settings>,
    watch: Option<Arc<Watch>>,
    progress: Option<Arc<Progress>>,
}

/// Called on every rank after each iteration; the loop ends when rank 0 returns false.
pub type Watch = dyn Fn(&mut Watching<'_>) -> Result<bool, RunError> + Send + Sync;

/// Called on rank 0 after each iteration.
pub type Progress = dyn Fn(&Outcome) + Send + Sync;

#[derive(Clone)]
enum Given {
    Source(Source),
    Zero,
}

/// Nothing yet.
pub fn inputs() -> Inputs {
    Inputs::default()
}

impl Inputs {
    /// A part of the data, or an input of an expression, by name.
    pub fn part(mut self, name: impl Into<String>, source: impl Into<Source>) -> Self {
        self.data.push((name.into(), Given::Source(source.into())));
        self
    }

    /// The whole data: one part, or all parts one after the other in a flat array.
    pub fn data(self, source: impl Into<Source>) -> Self {
        self.part("d", source)
    }

    /// The whole first guess, likewise.
    pub fn start(self, source: impl Into<Source>) -> Self {
        self.part("x0", source)
    }

    /// A part that is zero.
    pub fn zero(mut self, name: impl Into<String>) -> Self {
        self.data.push((name.into(), Given::Zero));
        self
    }

    /// The value of a parameter.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Complex64>) -> Self {
        self.slots.push((name.into(), value.into()));
        self
    }

    /// Other numbers for the loop than those of the plan.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Looks at the iterate after each iteration.
    pub fn watch(
        mut self,
        watch: impl Fn(&mut Watching<'_>) -> Result<bool, RunError> + Send + Sync + 'static,
    ) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    /// Reports after each iteration, on rank 0.
    pub fn progress(mut self, progress: impl Fn(&Outcome) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// What was given for an input of the plan, such as `d.smooth`.
    fn find(&self, label: &str) -> Option<&Given> {
        let named = |name: &str| self.data.iter().rev().find(|(n, _)| n == name).map(|(_, g)| g);
        let short = label.split_once('.').map(|(_, part)| part);
        named(label).or_else(|| named(short?))
    }

    /// What was given for a whole vector of which the label is a part.
    fn whole(&self, label: &str) -> Option<&Given> {
        let vector = label.split_once('.')?.0;
        self.data.iter().rev().find(|(n, _)| n == vector).map(|(_, g)| g)
    }
}

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

/// The result of a run: every rank of this process still holds its tiles only.
pub struct Solution {
    /// What the loop found; nothing for an expression.
    pub outcome: Option<Outcome>,
    /// What the run cost.
    pub cost: RunCost,
    names: Vec<Option<String>>,
    /// For each part the tiles of this process's ranks.
    tiles: Vec<Vec<Tile>>,
    comm: Option<Arc<dyn Comm>>,
}

/// What a run cost, as rank 0 of this process saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunCost {
    /// Seconds to bind and load.
    pub load: f64,
    /// Seconds of the loop.
    pub iterate: f64,
    /// Communication of the loop.
    pub traffic: Traffic,
    /// Bytes of buffers and staging of the rank that has most.
    pub peak_bytes: usize,
}

#[derive(Clone)]
struct Tile {
    dims: Vec<usize>,
    region: Region,
    elements: Elements,
    primary: bool,
}

impl Planned {
    /// Runs the plan on the ranks of a world.
    pub fn run(&self, world: &World, inputs: &Inputs) -> Result<Solution, RunError> {
        self.check(inputs)?;
        let alone = world.backend() == "mpi";
        let mut ranks = world.run(|rank| drive(self, inputs, rank))?;
        let parts = self.outputs().len();
        let mut tiles = vec![Vec::new(); parts];
        let peak_bytes = ranks.iter().map(|r| r.cost.peak_bytes).max().unwrap_or(0);
        for rank in &mut ranks {
            for (part, tile) in tiles.iter_mut().zip(rank.tiles.drain(..)) {
                part.push(tile);
            }
        }
        let first = ranks.swap_remove(0);
        Ok(Solution {
            outcome: first.outcome,
            cost: RunCost { peak_bytes, ..first.cost },
            names: self.outputs().iter().map(|o| o.name.clone()).collect(),
            tiles,
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

fn drive(planned: &Planned, inputs: &Inputs, rank: &RankContext) -> Result<RankResult, RunError> {
    let begin = Instant::now();
    let mut program =
        Program::bind(planned.plan(), planned.operators(), rank.comm().clone(), Host::new())?;
    for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
        program.set_slot(&slot.name, *value)?;
    }
    for (name, value) in &inputs.slots {
        program.set_slot(name, *value)?;
    }
    let first = &planned.plan().blocks[0];
    load(&mut program, &first.name, first, inputs)?;
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
    let tiles = (0..planned.outputs().len()).map(|k| Tile::of(&mut program, &last, k));
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

/// Fills the inputs of a block.
fn load(
    program: &mut Program,
    name: &str,
    block: &adjoin_passes::Block,
    inputs: &Inputs,
) -> Result<(), RunError> {
    let mut begin: Vec<(String, usize)> = Vec::new();
    for node in &block.nodes {
        let Op::Input(label) = &node.op else { continue };
        let size = block.ty(node.results[0]).len();
        let vector = label.split_once('.').map_or(label.as_str(), |(whole, _)| whole);
        let known = begin.iter().position(|(v, _)| v == vector).unwrap_or_else(|| {
            begin.push((vector.to_string(), 0));
            begin.len() - 1
        });
        let at = &mut begin[known].1;
        let range = *at..*at + size;
        *at += size;
        match (inputs.find(label), inputs.whole(label)) {
            (Some(Given::Source(source)), _) => program.load(name, label, source)?,
            (None, Some(Given::Source(source))) => {
                let flat = source.reshape(vec![source.len()]).and_then(|s| s.slice(range));
                program.load(name, label, &flat.map_err(unfit)?)?;
            }
            (Some(Given::Zero), _) | (None, Some(Given::Zero)) => program.clear(name, label)?,
            (None, None) => {
                return Err(RunError::Unfit(format!("nothing is given for the input `{label}`")));
            }
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn unfit(error: DataError) -> RunError {
    RunError::Unfit(error.to_string())
}

impl Tile {
    fn of(program: &mut Program, block: &str, part: usize) -> Result<Tile, RunError> {
        let view = program.output(block, part)?;
        let mut elements = Elements::zeros(view.data.dtype(), view.data.len());
        elements.tile_mut().bytes().copy_from_slice(view.tile().bytes());
        Ok(Tile {
            dims: view.dims.to_vec(),
            region: view.region(),
            elements,
            primary: view.primary,
        })
    }
}

impl Solution {
    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.tiles.len()
    }

    /// The names of the parts, where they have one.
    pub fn names(&self) -> &[Option<String>] {
        &self.names
    }

    /// A part as a whole, on every process; all of them must ask.
    pub fn gather(&self, part: usize) -> Result<Array, RunError> {
        assemble(&self.tiles[part], self.comm.as_ref())
    }

    /// All parts one after the other as one flat array.
    pub fn gather_flat(&self) -> Result<Array, RunError> {
        let parts: Result<Vec<_>, _> = (0..self.parts()).map(|k| self.gather(k)).collect();
        let sources = parts?.into_iter().map(|a| {
            let n = a.len();
            a.reshape(vec![n]).map(Source::array)
        });
        let sources: Result<Vec<_>, _> = sources.collect();
        Source::concat(0, sources.map_err(unfit)?).and_then(|s| s.load()).map_err(unfit)
    }

    /// Writes a part to a file, each rank its tile; all processes must ask.
    pub fn save_npy(&self, part: usize, path: impl AsRef<Path>) -> Result<(), RunError> {
        let tiles = &self.tiles[part];
        let (dims, dtype) = (tiles[0].dims.clone(), tiles[0].elements.dtype());
        let path = path.as_ref();
        let Some(comm) = &self.comm else {
            let sink = Sink::npy(path, dims, dtype).map_err(unfit)?;
            write(&sink, tiles)?;
            return sink.finish().map_err(unfit);
        };
        let root = comm.rank() == 0;
        let mut sink = None;
        let mut place = Vec::new();
        if root {
            let made = Sink::npy(path, dims, dtype).map_err(|e| tell(comm, &e))?;
            let temporary = made.temporary().map(|p| p.to_string_lossy().into_owned());
            place = temporary.unwrap_or_default().into_bytes();
            sink = Some(made);
        }
        comm.broadcast_bytes(0, &mut place)?;
        let sink = match sink {
            Some(sink) => sink,
            None => {
                Sink::join(String::from_utf8_lossy(&place).as_ref()).map_err(|e| tell(comm, &e))?
            }
        };
        write(&sink, tiles).map_err(|e| tell(comm, &e))?;
        if !root {
            sink.finish().map_err(|e| tell(comm, &e))?;
        }
        comm.barrier()?;
        if root {
            sink.finish().map_err(|e| tell(comm, &e))?;
        }
        comm.barrier()?;
        Ok(())
    }
}

/// Stops all ranks with an error of this one.
fn tell(comm: &Arc<dyn Comm>, error: &dyn std::fmt::Display) -> RunError {
    let message = error.to_string();
    comm.fail(&message);
    RunError::Failed { rank: comm.rank(), message }
}

fn write(sink: &Sink, tiles: &[Tile]) -> Result<(), RunError> {
    for tile in tiles.iter().filter(|t| t.primary) {
        sink.write(&tile.region, tile.elements.tile()).map_err(unfit)?;
    }
    Ok(())
}

/// The whole array from the tiles of this process, and of the others if there are any.
fn assemble(tiles: &[Tile], comm: Option<&Arc<dyn Comm>>) -> Result<Array, RunError> {
    let (dims, dtype) = (tiles[0].dims.clone(), tiles[0].elements.dtype());
    let sink = Sink::in_memory(dims.clone(), dtype).map_err(unfit)?;
    match comm {
        None => write(&sink, tiles)?,
        Some(comm) => {
            let mine = tiles.iter().find(|t| t.primary);
            let bytes = mine.map(|t| t.elements.tile().bytes().to_vec()).unwrap_or_default();
            let place = mine.map(|t| (t.region.start().to_vec(), t.region.dims().to_vec()));
            let place = serde_json::to_vec(&place).unwrap_or_default();
            let (places, all) = (comm.all_gather_bytes(&place)?, comm.all_gather_bytes(&bytes)?);
            for (place, bytes) in places.iter().zip(&all) {
                let place: Option<(Vec<usize>, Vec<usize>)> =
                    serde_json::from_slice(place).unwrap_or_default();
                let Some((start, len)) = place else { continue };
                let mut elements = Elements::zeros(dtype, len.iter().product());
                elements.tile_mut().bytes().copy_from_slice(bytes);
                sink.write(&Region::new(start, len), elements.tile()).map_err(unfit)?;
            }
        }
    }
    sink.finish().map_err(unfit)?;
    sink.memory().ok_or_else(|| RunError::Unfit("a part was not assembled".into()))
}
