//! A device for tests: its work runs as late as allowed, in a random order of those allowed.
//!
//! A missing event, a wrong list of what work reads and writes, or host code that looks at a
//! buffer without a copy gives other results here than on the host.

use super::engine::{Engine, Touches};
use super::{Device, Event, Fault, Task, Work};
use crate::runtime::memory::Memory;
use adjoin_passes::calls::Buffer;

/// Separate memory and a queue of launched work.
pub struct Shadow {
    engine: Engine,
    touches: Vec<Touches>,
    /// What packings have packed, as far as the host can know.
    packed: Vec<Memory>,
    queue: Vec<Launched>,
    launches: u64,
    random: u64,
}

struct Launched {
    number: u64,
    task: Task,
    bytes: Memory,
}

impl Shadow {
    /// Without buffers; `seed` decides about orders.
    pub fn new(seed: u64) -> Self {
        Shadow {
            engine: Engine::default(),
            touches: Vec::new(),
            packed: Vec::new(),
            queue: Vec::new(),
            launches: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    fn enqueue(&mut self, task: Task, bytes: Memory) {
        self.launches += 1;
        self.queue.push(Launched { number: self.launches, task, bytes });
    }

    /// Marsaglia's xorshift.
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// Whether nothing launched before has to be done first.
    fn is_ready(&self, at: usize) -> bool {
        let task = self.queue[at].task;
        let free = |earlier: &Launched| {
            let (one, two) = (&self.touches[earlier.task.0], &self.touches[task.0]);
            earlier.task != task && !one.conflicts(two)
        };
        self.queue[..at].iter().all(free)
    }

    fn run(&mut self, at: usize) -> Result<(), Fault> {
        let Launched { task, bytes, .. } = self.queue.remove(at);
        self.engine.unpack(task, bytes.bytes());
        self.engine.pack(task, self.packed[task.0].bytes_mut());
        self.engine.run(task).map_err(|message| Fault { task, message })
    }
}

impl Device for Shadow {
    fn name(&self) -> &'static str {
        "shadow"
    }

    fn allocate(&mut self, buffer: &Buffer) -> Result<usize, String> {
        self.engine.allocate(buffer)
    }

    fn prepare(&mut self, work: Work) -> Result<Task, String> {
        self.touches.push(Touches::of(&work));
        let packs = matches!(work, Work::Pack { .. });
        let task = self.engine.prepare(work)?;
        let bytes = if packs { self.engine.message_bytes(task) } else { 0 };
        self.packed.push(Memory::new(bytes)?);
        Ok(task)
    }

    fn launch(&mut self, task: Task) -> Result<(), Fault> {
        self.packed[task.0].poison();
        self.enqueue(task, Memory::default());
        Ok(())
    }

    fn feed(&mut self, task: Task, bytes: &[u8]) -> Result<(), Fault> {
        let mut copy = Memory::new(bytes.len()).map_err(|message| Fault { task, message })?;
        copy.bytes_mut().copy_from_slice(bytes);
        self.enqueue(task, copy);
        Ok(())
    }

    fn record(&mut self) -> Event {
        Event(self.launches)
    }

    fn wait(&mut self, event: Event) -> Result<(), Fault> {
        while self.queue.iter().any(|launched| Event(launched.number) <= event) {
            let ready: Vec<_> = (0..self.queue.len()).filter(|&at| self.is_ready(at)).collect();
            let at = ready[self.random(ready.len())];
            self.run(at)?;
        }
        Ok(())
    }

    fn fetch(&mut self, task: Task, into: &mut [u8]) {
        into.copy_from_slice(self.packed[task.0].bytes());
    }

    fn bytes(&self) -> usize {
        self.engine.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adjoin_passes::Dtype;
    use adjoin_passes::calls::Slab;

    fn whole(buffer: usize) -> Slab {
        Slab { buffer, offset: 0, extents: vec![1], region: std::iter::once(0..1).collect() }
    }

    /// A load, a copy and a packing.
    fn chain(device: &mut Shadow) -> (Task, Task, Task) {
        for _ in 0..2 {
            device.allocate(&Buffer::new(Dtype::F64, 1)).unwrap();
        }
        let load = Work::Unpack { slabs: vec![whole(0)], add: false };
        let copy = Work::Copy { clear: None, moves: vec![(whole(0), whole(1))] };
        let read = Work::Pack { slabs: vec![whole(1)] };
        let mut prepare = |work| device.prepare(work).unwrap();
        (prepare(load), prepare(copy), prepare(read))
    }

    #[test]
    fn what_was_not_waited_for_is_not_there() {
        let mut device = Shadow::new(1);
        let (load, copy, read) = chain(&mut device);
        device.feed(load, &1.0_f64.to_ne_bytes()).unwrap();
        device.launch(copy).unwrap();
        device.launch(read).unwrap();
        let mut bytes = [0; 8];
        device.fetch(read, &mut bytes);
        assert!(f64::from_ne_bytes(bytes).is_nan());
        let event = device.record();
        device.wait(event).unwrap();
        device.fetch(read, &mut bytes);
        assert_eq!(f64::from_ne_bytes(bytes), 1.0);
    }

    #[test]
    fn every_order_keeps_the_chain() {
        for seed in 0..50 {
            let mut device = Shadow::new(seed);
            let (load, copy, read) = chain(&mut device);
            for round in 0..3_i32 {
                device.feed(load, &f64::from(round).to_ne_bytes()).unwrap();
                device.launch(copy).unwrap();
            }
            device.launch(read).unwrap();
            let event = device.record();
            device.wait(event).unwrap();
            let mut bytes = [0; 8];
            device.fetch(read, &mut bytes);
            assert_eq!(f64::from_ne_bytes(bytes), 2.0);
        }
    }
}
