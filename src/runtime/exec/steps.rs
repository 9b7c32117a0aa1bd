//! The steady state: what a block does when it runs.

use super::{Program, fail};
use crate::runtime::comm::{CommError, Prepared};
use crate::runtime::device::{Fault, Task};
use crate::runtime::error::RunError;
use crate::trace;

/// One step of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Work of the device.
    Launch(Task),
    /// A transfer begins.
    Start(usize),
    /// A transfer ends.
    Wait(usize),
    /// A transfer begins and ends.
    Transfer(usize),
}

/// A prepared transfer, and the work at both ends of it.
pub(super) struct Transport {
    pub(super) call: Box<dyn Prepared>,
    pub(super) pack: Task,
    pub(super) unpack: Task,
}

/// Why a step failed.
pub(super) enum Trouble {
    Work(Fault),
    Comm(CommError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Work(fault)
    }
}

impl From<CommError> for Trouble {
    fn from(error: CommError) -> Self {
        Trouble::Comm(error)
    }
}

impl Program {
    /// Runs a block; all ranks run the same blocks in the same order.
    pub fn run(&mut self, block: &str) -> Result<(), RunError> {
        let block = self.block(block)?;
        if self.unset > 0 {
            self.check_slots()?;
        }
        let here = self.traced.as_ref().is_some_and(|t| trace::is_on() == Some(t.trace));
        let done = if here { self.traced_steps(block) } else { self.steps(block) };
        done.map_err(|trouble| self.stop(trouble))
    }

    pub(super) fn steps(&mut self, block: usize) -> Result<(), Trouble> {
        for k in 0..self.blocks[block].steps.len() {
            self.step(block, k)?;
        }
        self.fetch_controls(block)
    }

    #[inline]
    pub(super) fn step(&mut self, block: usize, k: usize) -> Result<(), Trouble> {
        match self.blocks[block].steps[k] {
            Step::Launch(task) => self.device.launch(task)?,
            Step::Start(transfer) => {
                self.pack(block, transfer)?;
                self.blocks[block].transports[transfer].call.start()?;
            }
            Step::Wait(transfer) => {
                self.blocks[block].transports[transfer].call.wait()?;
                self.unpack(block, transfer)?;
            }
            Step::Transfer(transfer) => {
                self.pack(block, transfer)?;
                self.blocks[block].transports[transfer].call.run()?;
                self.unpack(block, transfer)?;
            }
        }
        Ok(())
    }

    fn pack(&mut self, block: usize, transfer: usize) -> Result<(), Trouble> {
        let Transport { call, pack, .. } = &mut self.blocks[block].transports[transfer];
        self.device.launch(*pack)?;
        let packed = self.device.record();
        self.device.wait(packed)?;
        self.device.fetch(*pack, call.send());
        Ok(())
    }

    fn unpack(&mut self, block: usize, transfer: usize) -> Result<(), Trouble> {
        let Transport { call, unpack, .. } = &self.blocks[block].transports[transfer];
        Ok(self.device.feed(*unpack, call.recv())?)
    }

    pub(super) fn fetch_controls(&mut self, block: usize) -> Result<(), Trouble> {
        let controls = &mut self.blocks[block].controls;
        let Some(read) = controls.read else { return Ok(()) };
        self.device.launch(read)?;
        let packed = self.device.record();
        self.device.wait(packed)?;
        self.device.fetch(read, bytemuck::cast_slice_mut(&mut controls.values));
        Ok(())
    }

    /// Returns when all work of this rank is done.
    pub fn synchronise(&mut self) -> Result<(), RunError> {
        self.finish_work().map_err(|trouble| self.stop(trouble))
    }

    pub(super) fn finish_work(&mut self) -> Result<(), Trouble> {
        let now = self.device.record();
        Ok(self.device.wait(now)?)
    }

    pub(super) fn launch(&mut self, task: Task) -> Result<(), RunError> {
        self.device.launch(task).map_err(|fault| self.stop(Trouble::Work(fault)))
    }

    pub(super) fn feed(&mut self, task: Task, bytes: &[u8]) -> Result<(), RunError> {
        self.device.feed(task, bytes).map_err(|fault| self.stop(Trouble::Work(fault)))
    }

    /// Tells all ranks, unless they know.
    #[cold]
    fn stop(&self, trouble: Trouble) -> RunError {
        match trouble {
            Trouble::Work(Fault { task, message }) => {
                self.fail(format!("{}: {message}", self.labels[task.0]))
            }
            Trouble::Comm(error @ CommError::Failed { .. }) => error.into(),
            Trouble::Comm(error) => fail(self.comm.as_ref(), error.to_string()),
        }
    }
}
