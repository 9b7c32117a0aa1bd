//! Programs: one rank's calls bound to a communicator, to a device and to tiles of operators.
//!
//! Binding allocates every buffer, splits the communicators, prepares every transfer and builds
//! the rank's tiles.
//! Running a block then walks a list of steps: it allocates nothing, sends no metadata and takes
//! no decision.
//! If a rank cannot go on, all ranks stop with the same message.

mod bind;
mod hash;
mod ports;
mod region;
mod steps;
mod traced;

pub use bind::Binding;
pub(crate) use bind::check;
pub use ports::TileView;
pub(crate) use ports::region;

use super::comm::{Comm, Traffic};
use super::device::{Device, Task};
use super::error::RunError;
use super::memory::Memory;
use adjoin_passes::calls::View;
use adjoin_passes::ir::Plan;
use num_complex::Complex64;
use std::sync::Arc;
use steps::{Step, Transport};

/// What one rank runs.
pub struct Program {
    comm: Arc<dyn Comm>,
    device: Box<dyn Device>,
    blocks: Vec<BoundBlock>,
    states: Vec<BoundPort>,
    slots: Vec<BoundSlot>,
    /// The slots that have no value yet.
    unset: usize,
    /// What each task does, for messages.
    labels: Vec<String>,
    /// Room for a part on its way between the device and the host.
    mirror: Memory,
    staging: usize,
    traced: Option<Traced>,
}

/// Where what a program does is noted.
struct Traced {
    /// The trace in which it is registered.
    trace: u64,
    /// The kinds of spans of each block.
    blocks: Vec<TracedBlock>,
}

/// The kinds of spans of a block, by their numbers in the trace.
struct TracedBlock {
    block: usize,
    /// That of each call, and its steps.
    calls: Vec<(usize, std::ops::Range<usize>)>,
    controls: usize,
}

struct BoundBlock {
    name: String,
    inputs: Vec<BoundPort>,
    outputs: Vec<BoundPort>,
    steps: Vec<Step>,
    /// The call that each step belongs to.
    sources: Vec<usize>,
    transports: Vec<Transport>,
    controls: Controls,
}

/// A part that enters or leaves, and how it does.
struct BoundPort {
    name: String,
    view: View,
    primary: bool,
    load: Task,
    read: Task,
}

struct BoundSlot {
    name: String,
    complex: bool,
    is_set: bool,
    load: Task,
}

/// The numbers for the driver, fetched at the end of a block.
struct Controls {
    read: Option<Task>,
    names: Vec<(String, std::ops::Range<usize>)>,
    values: Vec<f64>,
}

impl Program {
    /// What a plan needs to become a program.
    pub fn of(plan: &Plan) -> Binding<'_> {
        Binding::new(plan)
    }

    /// Sets a number that the plan reads at run time.
    pub fn set_slot(&mut self, name: &str, value: Complex64) -> Result<(), RunError> {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.name == name) else {
            let known = self.slots.iter().map(|slot| slot.name.as_str());
            return Err(RunError::unknown("slot", name, known));
        };
        if value.im != 0.0 && !slot.complex {
            return Err(RunError::Unfit(format!("slot `{name}` is real and cannot be {value}")));
        }
        self.unset -= usize::from(!slot.is_set);
        slot.is_set = true;
        let load = slot.load;
        self.feed(load, &bytemuck::cast::<_, [u8; 16]>([value.re, value.im]))
    }

    /// The names of the slots.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    /// The names of the blocks.
    pub fn blocks(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|block| block.name.as_str())
    }

    /// A number that a block left for the driver: a complex one is two, batches follow each other.
    ///
    /// It is that of the block's last run, and not a number before the first.
    pub fn control(&self, block: &str, name: &str) -> Result<&[f64], RunError> {
        let controls = &self.blocks[self.block(block)?].controls;
        let Some((_, range)) = controls.names.iter().find(|(known, _)| known == name) else {
            let known = controls.names.iter().map(|(known, _)| known.as_str());
            return Err(RunError::unknown("control", name, known));
        };
        Ok(&controls.values[range.clone()])
    }

    /// The names of the numbers that a block leaves, in a list that is reused.
    pub fn control_names(&self, block: &str, names: &mut Vec<String>) -> Result<(), RunError> {
        let controls = &self.blocks[self.block(block)?].controls;
        names.truncate(controls.names.len());
        let known = names.len();
        for (name, (own, _)) in names.iter_mut().zip(&controls.names) {
            name.clone_from(own);
        }
        names.extend(controls.names[known..].iter().map(|(name, _)| name.clone()));
        Ok(())
    }

    /// What this rank has communicated, by all that shares its communicator.
    pub fn counters(&self) -> Traffic {
        self.comm.counters().traffic()
    }

    /// Bytes of this rank's buffers and of the staging of its transfers; tiles not included.
    pub fn peak_bytes(&self) -> usize {
        self.device.bytes() + self.staging
    }

    /// An error if a number that the plan reads has not been set.
    fn check_slots(&self) -> Result<(), RunError> {
        match self.slots.iter().find(|slot| !slot.is_set) {
            Some(slot) if self.unset > 0 => {
                Err(RunError::Unfit(format!("slot `{}` has no value yet", slot.name)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The communicator of all ranks.
    pub fn comm(&self) -> &Arc<dyn Comm> {
        &self.comm
    }

    fn block(&self, name: &str) -> Result<usize, RunError> {
        let found = self.blocks.iter().position(|block| block.name == name);
        found.ok_or_else(|| RunError::unknown("block", name, self.blocks()))
    }

    /// Stops all ranks because this one cannot go on.
    #[cold]
    fn fail(&self, message: String) -> RunError {
        fail(self.comm.as_ref(), message)
    }
}

/// Stops all ranks of a communicator, whose first failure they all get.
#[cold]
fn fail(comm: &dyn Comm, message: String) -> RunError {
    comm.fail(&message);
    // Another rank may have been first.
    match comm.barrier() {
        Err(error) => error.into(),
        Ok(()) => RunError::Failed { rank: comm.rank(), message },
    }
}
