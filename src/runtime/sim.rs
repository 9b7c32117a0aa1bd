//! The back end `sim`: all ranks in one thread, with real kernels and real operators.
//!
//! Buffers begin as what is not a number, so that a read of what nobody wrote is seen.
//! Sums run in the order of ranks and in the precision that travels, as between rank threads.

use super::boxes::Packing;
use super::error::RunError;
use super::exec::{check, region};
use super::local::{Functions, LocalNode};
use super::memory::Memory;
use super::tiles::{Application, Tiles, apply};
use crate::data::{Array, Source};
use crate::elements::{Slice, SliceMut};
use crate::ops::{Operator, Patch, PatchMut, completed};
use adjoin_kernels::host::Acc;
use adjoin_passes::Dtype;
use adjoin_passes::calls::{Buffer, Calls, Port, Slab, View};
use adjoin_passes::interpret::{Arithmetic, CallError, Memories, Place, allocate, run};
use adjoin_passes::ir::{Op, Plan};
use adjoin_passes::lower::lower_all;
use num_complex::Complex64;
use std::sync::Arc;

/// What a block starts from.
#[derive(Clone, Debug, Default)]
pub struct Given {
    inputs: Vec<(String, Source)>,
    states: Vec<(String, Source)>,
    slots: Vec<(String, Complex64)>,
}

/// What a block leaves behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The parts of the result, in order.
    pub outputs: Vec<Array>,
    /// The numbers for the driver.
    pub controls: Vec<(String, Vec<Complex64>)>,
    /// The state variables.
    pub states: Vec<(String, Array)>,
}

impl Given {
    /// Nothing.
    pub fn new() -> Self {
        Given::default()
    }

    /// Adds an input.
    pub fn input(mut self, name: impl Into<String>, source: impl Into<Source>) -> Self {
        self.inputs.push((name.into(), source.into()));
        self
    }

    /// Adds the value of a state variable.
    pub fn state(mut self, name: impl Into<String>, source: impl Into<Source>) -> Self {
        self.states.push((name.into(), source.into()));
        self
    }

    /// Adds the value of a slot.
    pub fn slot(mut self, name: impl Into<String>, value: impl Into<Complex64>) -> Self {
        self.slots.push((name.into(), value.into()));
        self
    }

    /// The inputs by name.
    pub fn inputs(&self) -> &[(String, Source)] {
        &self.inputs
    }

    /// The state variables by name.
    pub fn states(&self) -> &[(String, Source)] {
        &self.states
    }

    /// The slots by name.
    pub fn slots(&self) -> &[(String, Complex64)] {
        &self.slots
    }
}

/// Runs a block of a plan on simulated ranks.
///
/// States that are not given keep what is not a number; all inputs and slots have to be given.
/// An error if ranks that hold the same element end up with different values of it.
pub fn simulate(
    plan: &Plan,
    operators: &[Arc<dyn Operator>],
    functions: &Functions,
    given: &Given,
    block: &str,
) -> Result<Outcome, RunError> {
    check(plan, &completed(plan, operators), plan.mesh.ranks()).map_err(RunError::Unbindable)?;
    let calls = lower_all(plan);
    simulate_calls(plan, &calls, operators, functions, given, block)
}

/// Runs a block of given calls of a plan on simulated ranks.
pub fn simulate_calls(
    plan: &Plan,
    calls: &[Calls],
    operators: &[Arc<dyn Operator>],
    functions: &Functions,
    given: &Given,
    block: &str,
) -> Result<Outcome, RunError> {
    let found = plan.blocks.iter().position(|b| b.name == block);
    let known = plan.blocks.iter().map(|b| b.name.as_str());
    let index = found.ok_or_else(|| RunError::unknown("block", block, known))?;
    let mut sim = Sim::new(plan, calls, operators, functions, given.slots())?;
    let mut memories = allocate(&sim, calls);
    for (rank, memory) in calls.iter().zip(&mut memories) {
        for port in &rank.states {
            if let Some(source) = find(given.states(), &port.name) {
                load(memory, port, source)?;
            }
        }
        for port in &rank.blocks[index].inputs {
            let names = given.inputs().iter().map(|(name, _)| name.as_str());
            let missing = || RunError::unknown("given input", &port.name, names);
            load(memory, port, find(given.inputs(), &port.name).ok_or_else(missing)?)?;
        }
    }
    run(&mut sim, calls, index, &mut memories).map_err(|error| match error {
        CallError::Failed { rank, message } => RunError::Failed { rank, message },
        CallError::Mismatch { .. } => RunError::Unbindable(error.to_string()),
    })?;
    collect(calls, index, &memories)
}

fn find<'a, T>(list: &'a [(String, T)], name: &str) -> Option<&'a T> {
    list.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn load(memory: &mut [SimMemory], port: &Port, source: &Source) -> Result<(), RunError> {
    let unfit = |error: crate::data::DataError| RunError::Unfit(error.to_string());
    let view = &port.view;
    let source = source.reshape(view.dims.clone()).map_err(unfit)?;
    let elements = source.read_elements(&region(view), view.dtype).map_err(unfit)?;
    let bytes = elements.slice().bytes();
    let first = view.offset * view.dtype.size();
    let tile = &mut memory[view.buffer].elements.bytes_mut()[first..];
    tile[..bytes.len()].copy_from_slice(bytes);
    Ok(())
}

fn collect(calls: &[Calls], index: usize, memories: &Memories<Sim>) -> Result<Outcome, RunError> {
    let mut out = Outcome::default();
    let blocks: Vec<_> = calls.iter().map(|rank| &rank.blocks[index]).collect();
    for k in 0..blocks[0].outputs.len() {
        let ports: Vec<_> = blocks.iter().map(|block| &block.outputs[k]).collect();
        out.outputs.push(assemble(&format!("part {k} of the result"), &ports, memories)?);
    }
    for k in 0..calls[0].states.len() {
        let ports: Vec<_> = calls.iter().map(|rank| &rank.states[k]).collect();
        let name = &calls[0].states[k].name;
        out.states.push((name.clone(), assemble(name, &ports, memories)?));
    }
    for k in 0..blocks[0].controls.len() {
        let ports: Vec<_> = blocks.iter().map(|block| &block.controls[k]).collect();
        let name = &ports[0].name;
        let values = assemble(name, &ports, memories)?.cast(Dtype::C128);
        let values = values.and_then(Array::into_vec::<Complex64>);
        let values = values.map_err(|error| RunError::Unfit(error.to_string()))?;
        out.controls.push((name.clone(), values));
    }
    Ok(out)
}

/// The whole array of which each rank holds a tile.
fn assemble(what: &str, ports: &[&Port], memories: &Memories<Sim>) -> Result<Array, RunError> {
    let View { dims, dtype, .. } = &ports[0].view;
    let unfit = |error: crate::data::DataError| RunError::Unfit(error.to_string());
    let mut array = Array::zeros(dims.clone(), *dtype).map_err(unfit)?;
    let mut owner: Vec<Option<usize>> = vec![None; array.len()];
    let mut whole = array.elements_mut().slice_mut();
    let (bytes, size) = (whole.bytes(), dtype.size());
    for (rank, port) in ports.iter().enumerate() {
        let tile = &memories[rank][port.view.buffer].elements.bytes()[port.view.offset * size..];
        for i in 0..port.view.len() {
            let at = port.view.global(i);
            let (to, from) = (&mut bytes[at * size..][..size], &tile[i * size..][..size]);
            match owner[at] {
                None => to.copy_from_slice(from),
                Some(other) if to != from => {
                    return Err(RunError::Unbindable(format!(
                        "ranks {other} and {rank} disagree about element {at} of {what}"
                    )));
                }
                Some(_) => {}
            }
            owner[at].get_or_insert(rank);
        }
    }
    Ok(array)
}

/// Real kernels for the interpreter of calls.
pub struct Sim<'a> {
    plan: &'a Plan,
    functions: &'a Functions,
    tiles: Vec<Tiles>,
    slots: Vec<Complex64>,
}

/// A buffer, or a message between ranks.
#[derive(Clone, Default)]
pub struct SimMemory {
    elements: Memory,
    dtype: Option<Dtype>,
    message: Vec<Complex64>,
    /// Which elements of the message are in single precision.
    single: Vec<bool>,
}

impl<'a> Sim<'a> {
    /// For all ranks of a plan; tiles are built when they are first applied.
    pub fn new(
        plan: &'a Plan,
        calls: &[Calls],
        operators: &[Arc<dyn Operator>],
        functions: &'a Functions,
        slots: &[(String, Complex64)],
    ) -> Result<Self, RunError> {
        let value = |slot: &adjoin_passes::ir::Slot| {
            let missing = || RunError::Unfit(format!("slot `{}` has no value yet", slot.name));
            find(slots, &slot.name).copied().ok_or_else(missing)
        };
        let slots = plan.slots.iter().map(value).collect::<Result<_, _>>()?;
        let operators = completed(plan, operators);
        let tiles = calls.iter().map(|rank| Tiles::new(&operators, rank.rank)).collect();
        Ok(Sim { plan, functions, tiles, slots })
    }
}

impl SimMemory {
    fn dtype(&self) -> Dtype {
        self.dtype.unwrap_or(Dtype::F64)
    }

    fn slice(&self, view: &View) -> Slice<'_> {
        self.elements.part(view)
    }

    fn slice_mut(&mut self, view: &View) -> SliceMut<'_> {
        self.elements.part_mut(view)
    }
}

impl Arithmetic for Sim<'_> {
    type Memory = SimMemory;

    fn allocate(&self, buffer: &Buffer) -> SimMemory {
        let elements = Memory::elements(buffer.dtype, buffer.len).unwrap_or_default();
        SimMemory { elements, dtype: Some(buffer.dtype), ..SimMemory::default() }
    }

    fn kernel(
        &mut self,
        place: &Place<'_>,
        inputs: &[(&View, &SimMemory)],
        outputs: &mut [(&View, SimMemory)],
    ) -> Result<(), String> {
        let leaf = place.leaf.0 as usize;
        let name = &self.plan[place.leaf].name;
        let application = Application {
            leaf,
            index: place.index,
            adjoint: place.adjoint,
            factors: place.tile,
            inputs: &inputs.iter().map(|(view, _)| *view).collect::<Vec<_>>(),
            outputs: &outputs.iter().map(|(view, _)| *view).collect::<Vec<_>>(),
        };
        let tile = self.tiles[place.rank].get(&application);
        let Some(tile) = tile.map_err(|why| format!("building {name}: {why}"))? else {
            for (view, memory) in outputs {
                self.clear(view, memory);
            }
            return Ok(());
        };
        let x: Vec<_> =
            inputs.iter().map(|(v, m)| Patch { data: m.slice(v), held: &v.held }).collect();
        let mut y: Vec<_> = outputs
            .iter_mut()
            .map(|(v, m)| PatchMut { held: &v.held, data: m.slice_mut(v) })
            .collect();
        let adjoint = if place.adjoint { ".H" } else { "" };
        apply(&tile, place.adjoint, &x, &mut y)
            .map_err(|why| format!("applying {name}{adjoint}: {why}"))
    }

    fn local(
        &mut self,
        op: &Op,
        args: &[(&View, &SimMemory)],
        (out, memory): (&View, &mut SimMemory),
    ) -> Result<(), String> {
        // The interpreter has copied the result's buffer, so that no argument stands there.
        let elsewhere = |view: &View| View { buffer: out.buffer + 1, ..view.clone() };
        let mut views: Vec<_> = args.iter().map(|(view, _)| elsewhere(view)).collect();
        let mut slices: Vec<_> = args.iter().map(|(view, m)| Some(m.slice(view))).collect();
        if matches!(op, Op::Slot(_)) {
            slices.push(Some(Slice::C128(&self.slots)));
            views.push(elsewhere(out));
        }
        let mut node = LocalNode::new(op, &views, out, self.functions)?;
        node.run(&slices, memory.slice_mut(out))
    }

    fn clear(&self, view: &View, memory: &mut SimMemory) {
        let size = view.dtype.size();
        let span = view.span();
        memory.elements.bytes_mut()[span.start * size..span.end * size].fill(0);
    }

    fn pack(&self, memory: &SimMemory, slab: &Slab, message: &mut SimMemory) {
        let local = Slab { buffer: 0, ..slab.clone() };
        let dtype = memory.dtype();
        let packing = Packing::pack([&local], &[dtype]);
        let mut bytes = Memory::elements(dtype, slab.len()).unwrap_or_default();
        packing.gather(std::slice::from_ref(&memory.elements), bytes.bytes_mut());
        message.message.extend(bytes.slice(dtype, slab.len()).widest());
        message.single.resize(message.message.len(), !dtype.is_double());
    }

    fn unpack(
        &self,
        message: &SimMemory,
        begin: usize,
        slab: &Slab,
        memory: &mut SimMemory,
        add: bool,
    ) {
        let local = Slab { buffer: 0, ..slab.clone() };
        let dtype = memory.dtype();
        let packing = Packing::unpack([&local], &[dtype]);
        let mut bytes = Memory::elements(dtype, slab.len()).unwrap_or_default();
        let packed = &message.message[begin..begin + slab.len()];
        bytes.slice_mut(dtype, slab.len()).convert_from(packed.into());
        let acc = if add { Acc::Add } else { Acc::Set };
        packing.scatter(bytes.bytes(), std::slice::from_mut(&mut memory.elements), acc);
    }

    fn sum(&self, into: &mut SimMemory, other: &SimMemory) {
        for ((a, b), single) in into.message.iter_mut().zip(&other.message).zip(&into.single) {
            *a += b;
            if *single {
                *a = Complex64::new(f64::from(a.re as f32), f64::from(a.im as f32));
            }
        }
    }
}

impl Outcome {
    /// The control number of this name.
    pub fn control(&self, name: &str) -> Option<&[Complex64]> {
        find(&self.controls, name).map(Vec::as_slice)
    }

    /// The state variable of this name.
    pub fn state(&self, name: &str) -> Option<&Array> {
        find(&self.states, name)
    }
}
