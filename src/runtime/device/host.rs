//! The host: launched work runs at once, on the rank's thread.

use super::engine::Engine;
use super::{Device, Event, Fault, Task, Work};
use adjoin_passes::calls::Buffer;

/// Main memory, and the rank's own thread.
#[derive(Default)]
pub struct Host {
    engine: Engine,
}

impl Host {
    /// Without buffers.
    pub fn new() -> Self {
        Host::default()
    }
}

impl Device for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn allocate(&mut self, buffer: &Buffer) -> Result<usize, String> {
        self.engine.allocate(buffer)
    }

    fn prepare(&mut self, work: Work) -> Result<Task, String> {
        self.engine.prepare(work)
    }

    fn launch(&mut self, task: Task) -> Result<(), Fault> {
        self.engine.run(task).map_err(|message| Fault { task, message })
    }

    fn feed(&mut self, task: Task, bytes: &[u8]) -> Result<(), Fault> {
        self.engine.unpack(task, bytes);
        Ok(())
    }

    fn record(&mut self) -> Event {
        Event(0)
    }

    fn wait(&mut self, _: Event) -> Result<(), Fault> {
        Ok(())
    }

    /// Nothing has changed since the launch, so that boxes are packed where they are wanted.
    fn fetch(&mut self, task: Task, into: &mut [u8]) {
        self.engine.pack(task, into);
    }

    fn bytes(&self) -> usize {
        self.engine.bytes()
    }
}
