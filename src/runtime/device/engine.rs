//! Work on host memory: what the devices of this process have in common.

use super::elements::Elements;
use super::region::Region;
use super::store::Store;
use super::{Part, Piece, Task, Work};
use crate::runtime::boxes::{Moves, Packing};
use crate::runtime::local::LocalNode;
use crate::runtime::memory::Memory;
use crate::runtime::tiles::{self, SharedTile};
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::star::Sums;
use adjoin_passes::Dtype;
use adjoin_passes::calls::{Buffer, Slab, View};

/// Buffers and prepared work.
#[derive(Default)]
pub(super) struct Engine {
    store: Store,
    dtypes: Vec<Dtype>,
    lens: Vec<usize>,
    jobs: Vec<Job>,
}

enum Job {
    Local(LocalNode),
    Kernel { tile: SharedTile, adjoint: bool, inputs: Vec<View>, outputs: Vec<View> },
    Region(Region),
    Normal { tile: SharedTile, inputs: Vec<View>, outputs: Vec<View>, sums: Sums },
    Elements(Elements),
    Copy(Moves),
    Pack(Packing),
    Unpack(Packing, Acc),
}

/// The buffers that work reads and writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Touches {
    pub(super) reads: Vec<usize>,
    pub(super) writes: Vec<usize>,
}

impl Touches {
    /// Whether the order of the two matters.
    pub(super) fn conflicts(&self, other: &Touches) -> bool {
        let meets = |a: &[usize], b: &[usize]| a.iter().any(|x| b.contains(x));
        meets(&self.writes, &other.writes)
            || meets(&self.writes, &other.reads)
            || meets(&self.reads, &other.writes)
    }

    pub(super) fn of(work: &Work) -> Touches {
        let views = |views: &[View]| views.iter().map(|v| v.buffer).collect();
        let slabs = |slabs: &[Slab]| slabs.iter().map(|s| s.buffer).collect();
        match work {
            Work::Local(node) => {
                Touches { reads: views(node.args()), writes: vec![node.out().buffer] }
            }
            Work::Kernel { inputs, outputs, .. } | Work::Normal { inputs, outputs, .. } => {
                Touches { reads: views(inputs), writes: views(outputs) }
            }
            Work::Region { parts, sums, .. } => Touches::of_region(parts, sums),
            Work::Elements { pieces } => Touches::of_elements(pieces),
            Work::Copy { clear, moves } => {
                let cleared = clear.iter().map(|view| view.buffer);
                Touches {
                    reads: moves.iter().map(|(from, _)| from.buffer).collect(),
                    writes: moves.iter().map(|(_, to)| to.buffer).chain(cleared).collect(),
                }
            }
            Work::Pack { slabs: from } => Touches { reads: slabs(from), writes: Vec::new() },
            Work::Unpack { slabs: to, .. } => Touches { reads: Vec::new(), writes: slabs(to) },
        }
    }
}

impl Engine {
    pub(super) fn allocate(&mut self, buffer: &Buffer) -> Result<usize, String> {
        let len = if buffer.passing { 0 } else { buffer.len };
        self.store.memories.push(Memory::elements(buffer.dtype, len)?);
        self.store.passing.push(buffer.passing);
        self.store.reserve_places();
        self.dtypes.push(buffer.dtype);
        self.lens.push(buffer.len);
        Ok(self.store.memories.len() - 1)
    }

    pub(super) fn prepare(&mut self, work: Work) -> Result<Task, String> {
        let job = match work {
            Work::Local(node) => {
                self.ready_local(&node)?;
                if Elements::are_worth(&node) {
                    Job::Elements(Elements::alone(node, &self.store))
                } else {
                    Job::Local(node)
                }
            }
            Work::Kernel { tile, adjoint, inputs, outputs } => {
                self.ready_kernel(&inputs, &outputs)?;
                Job::Kernel { tile, adjoint, inputs, outputs }
            }
            Work::Normal { tile, inputs, outputs, sums } => {
                self.ready_kernel(&inputs, &outputs)?;
                Job::Normal { tile, inputs, outputs, sums }
            }
            Work::Region { panels, parts, sums } => {
                for part in &parts {
                    match part {
                        Part::Kernel { inputs, outputs, .. } => {
                            self.ready_kernel(inputs, outputs)?;
                        }
                        Part::Rows(node) => self.ready_local(node)?,
                    }
                }
                sums.iter().try_for_each(|node| self.ready_local(node))?;
                Job::Region(Region::new(panels, parts, sums)?)
            }
            Work::Elements { pieces } => {
                pieces.iter().try_for_each(|piece| self.ready_piece(piece))?;
                let elements = Elements::new(pieces, &self.store);
                elements.make_room(&mut self.store)?;
                Job::Elements(elements)
            }
            Work::Copy { clear, moves } => {
                clear.iter().try_for_each(|view| self.check_whole(view))?;
                moves.iter().flat_map(|(a, b)| [a, b]).try_for_each(|s| self.check_slab(s))?;
                Job::Copy(Moves::new(clear.as_ref(), &moves, &self.dtypes)?)
            }
            Work::Pack { slabs } => {
                slabs.iter().try_for_each(|slab| self.check_slab(slab))?;
                Job::Pack(Packing::pack(&slabs, &self.dtypes))
            }
            Work::Unpack { slabs, add } => {
                slabs.iter().try_for_each(|slab| self.check_slab(slab))?;
                let acc = if add { Acc::Add } else { Acc::Set };
                let packing = Packing::unpack(&slabs, &self.dtypes);
                if add && packing.is_mixed() {
                    return Err("elements of both precisions are added to what is there".into());
                }
                Job::Unpack(packing, acc)
            }
        };
        self.jobs.push(job);
        Ok(Task(self.jobs.len() - 1))
    }

    fn ready_local(&mut self, node: &LocalNode) -> Result<(), String> {
        node.args().iter().chain([node.out()]).try_for_each(|v| self.check_whole(v))?;
        self.ready_update(node)
    }

    fn ready_update(&mut self, node: &LocalNode) -> Result<(), String> {
        node.args().iter().chain([node.out()]).try_for_each(|v| self.check_view(v))?;
        self.store.reserve_local(node);
        Ok(())
    }

    fn ready_kernel(&mut self, inputs: &[View], outputs: &[View]) -> Result<(), String> {
        inputs.iter().chain(outputs).try_for_each(|view| self.check_whole(view))?;
        self.check_kernel(inputs, outputs)?;
        self.store.reserve_kernel(inputs, outputs);
        Ok(())
    }

    fn ready_piece(&mut self, piece: &Piece) -> Result<(), String> {
        match piece {
            Piece::Update(node) | Piece::Sum(node) => self.ready_update(node),
            Piece::Weights { input, output, .. } => {
                let one = std::slice::from_ref;
                self.check_kernel(one(input), one(output))
            }
        }
    }

    fn check_view(&self, view: &View) -> Result<(), String> {
        let (dtype, len) = (self.dtypes.get(view.buffer), self.lens.get(view.buffer));
        if dtype == Some(&view.dtype) && len.is_some_and(|&len| view.span().end <= len) {
            return Ok(());
        }
        Err(format!("a view of {} {} is not in buffer {}", view.len(), view.dtype, view.buffer))
    }

    /// Checks a view that is seen as a whole.
    fn check_whole(&self, view: &View) -> Result<(), String> {
        if self.store.passing.get(view.buffer) == Some(&true) {
            return Err(format!("buffer {} has room for some elements only", view.buffer));
        }
        self.check_view(view)
    }

    fn check_slab(&self, slab: &Slab) -> Result<(), String> {
        let whole = slab.offset + slab.extents.iter().product::<usize>();
        let passes = self.store.passing.get(slab.buffer) == Some(&true);
        let known = self.lens.get(slab.buffer).filter(|_| !passes);
        let fits = known.is_some_and(|&len| whole <= len || slab.is_empty());
        let inside = slab.region.iter().zip(&slab.extents).all(|(r, &n)| r.end <= n);
        if fits && slab.region.len() == slab.extents.len() && (inside || slab.is_empty()) {
            return Ok(());
        }
        Err(format!("a box {:?} is not in buffer {}", slab.region, slab.buffer))
    }

    fn check_kernel(&self, inputs: &[View], outputs: &[View]) -> Result<(), String> {
        inputs.iter().chain(outputs).try_for_each(|view| self.check_view(view))?;
        for (k, out) in outputs.iter().enumerate() {
            let others = inputs.iter().chain(&outputs[..k]);
            if others.into_iter().any(|view| view.buffer == out.buffer) {
                return Err("an operator's result is written where it is still read".into());
            }
        }
        Ok(())
    }

    /// The message of a packing; nothing for other work.
    pub(super) fn message_bytes(&self, task: Task) -> usize {
        match &self.jobs[task.0] {
            Job::Pack(packing) | Job::Unpack(packing, _) => packing.bytes(),
            Job::Local(_)
            | Job::Kernel { .. }
            | Job::Region(_)
            | Job::Normal { .. }
            | Job::Elements(_)
            | Job::Copy(_) => 0,
        }
    }

    /// Runs work that has no message.
    pub(super) fn run(&mut self, task: Task) -> Result<(), String> {
        match &mut self.jobs[task.0] {
            Job::Local(node) => self.store.local(node, None),
            Job::Kernel { tile, adjoint, inputs, outputs } => {
                self.store.kernel(inputs, outputs, |x, y| tiles::apply(tile, *adjoint, x, y))
            }
            Job::Region(region) => region.run(&mut self.store),
            Job::Normal { tile, inputs, outputs, sums } => {
                self.store.kernel(inputs, outputs, |x, z| tiles::normal(tile, x, z, *sums))
            }
            Job::Elements(elements) => elements.run(&mut self.store),
            Job::Copy(moves) => {
                moves.run(&mut self.store.memories);
                Ok(())
            }
            Job::Pack(_) | Job::Unpack(..) => Ok(()),
        }
    }

    /// Fills a message.
    pub(super) fn pack(&self, task: Task, message: &mut [u8]) {
        if let Job::Pack(packing) = &self.jobs[task.0] {
            packing.gather(&self.store.memories, message);
        }
    }

    /// Takes a message.
    pub(super) fn unpack(&mut self, task: Task, message: &[u8]) {
        if let Job::Unpack(packing, acc) = &self.jobs[task.0] {
            packing.scatter(message, &mut self.store.memories, *acc);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.store.memories.iter().map(Memory::len).sum()
    }
}
