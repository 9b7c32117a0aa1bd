//! Devices: one rank's memory, and the stream of work on it.
//!
//! Work is prepared once and launched many times.
//! Launched work runs some time later, as if in the order of launches: work that reads or writes
//! what earlier work writes, or writes what earlier work reads, runs after it.
//! The host sees nothing of a device's memory: bytes go in with [`Device::feed`], and come out
//! with [`Device::fetch`] after an event that was recorded after the launch of the packing.
//!
//! ```
//! use adjoin::Dtype;
//! use adjoin::runtime::device::{Device, Host, Work};
//! use adjoin_passes::calls::{Buffer, Slab};
//! let mut device = Host::new();
//! let buffer = device.allocate(&Buffer::new(Dtype::F64, 2))?;
//! let whole = Slab { buffer, offset: 0, extents: vec![2], region: vec![0..2] };
//! let load = device.prepare(Work::Unpack { slabs: vec![whole.clone()], add: false })?;
//! let read = device.prepare(Work::Pack { slabs: vec![whole] })?;
//! device.feed(load, &[7; 16]).unwrap();
//! device.launch(read).unwrap();
//! let event = device.record();
//! device.wait(event).unwrap();
//! let mut bytes = [0; 16];
//! device.fetch(read, &mut bytes);
//! assert_eq!(bytes, [7; 16]);
//! # Ok::<(), String>(())
//! ```

mod engine;
mod store;
mod region;
mod shared;
mod tape;
mod elements;
mod host;
mod shadow;

pub use host::Host;
pub use shadow::Shadow;

use super::local::LocalNode;
use crate::ops::{Elementwise, LocalOperator, Panels};
use adjoin_kernels::host::star::Sums;
use adjoin_passes::calls::{Buffer, Slab, View};
use std::sync::{Arc, Mutex};

/// The memory of one program on one rank, and the work on it.
///
/// In the steady state, that is in `launch`, `feed`, `record`, `wait` and `fetch`, a device for
/// production allocates nothing.
pub trait Device: Send {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// A new buffer; buffers are numbered from zero. What is in it is unspecified.
    /// One whose values pass is only for [`Work::Elements`].
    fn allocate(&mut self, buffer: &Buffer) -> Result<usize, String>;

    /// Gets work ready to be launched; views and boxes name buffers by number.
    fn prepare(&mut self, work: Work) -> Result<Task, String>;

    /// Appends work to the stream.
    fn launch(&mut self, task: Task) -> Result<(), Fault>;

    /// Appends an unpacking of these bytes to the stream; they may be changed on return.
    fn feed(&mut self, task: Task, bytes: &[u8]) -> Result<(), Fault>;

    /// The moment at which all work launched so far is done.
    fn record(&mut self) -> Event;

    /// Returns when the moment has come, or with the fault of work before it.
    fn wait(&mut self, event: Event) -> Result<(), Fault>;

    /// Copies what a packing has packed.
    ///
    /// Its launch comes before an event that was waited for, and nothing was launched since that
    /// writes what it reads; else the bytes are unspecified.
    fn fetch(&mut self, task: Task, into: &mut [u8]);

    /// Bytes of the buffers, and of what was allocated for transfers.
    fn bytes(&self) -> usize;
}

/// What a device does.
pub enum Work {
    /// A local node.
    Local(LocalNode),
    /// A tile of an operator, or its adjoint; overwrites the outputs.
    Kernel {
        /// The tile.
        tile: Arc<Mutex<Box<dyn LocalOperator>>>,
        /// Whether the adjoint is applied.
        adjoint: bool,
        /// The parts that go in.
        inputs: Vec<View>,
        /// The parts that come out.
        outputs: Vec<View>,
    },
    /// A tile and its adjoint with nodes of single rows between them, panel by panel; then sums.
    /// Kernels have one part on either side.
    Region {
        /// The tile.
        panels: Arc<dyn Panels>,
        /// What each panel does, in order.
        parts: Vec<Part>,
        /// What follows the last panel.
        sums: Vec<LocalNode>,
    },
    /// A tile and then its adjoint, without what lies between; overwrites the outputs.
    Normal {
        /// The tile, which has this.
        tile: Arc<Mutex<Box<dyn LocalOperator>>>,
        /// The parts that go in.
        inputs: Vec<View>,
        /// The parts that come out.
        outputs: Vec<View>,
        /// In which order they are summed.
        sums: Sums,
    },
    /// Updates, sums and weights of vectors of one length, some elements after the others.
    Elements {
        /// What is done to each range of elements, in order.
        pieces: Vec<Piece>,
    },
    /// Copies boxes: reads all, then fills `clear` with zeros, then writes all.
    Copy {
        /// What is filled with zeros.
        clear: Option<View>,
        /// From where to where.
        moves: Vec<(Slab, Slab)>,
    },
    /// Boxes one after the other, for the host.
    Pack {
        /// The boxes.
        slabs: Vec<Slab>,
    },
    /// Bytes from the host to boxes.
    Unpack {
        /// The boxes.
        slabs: Vec<Slab>,
        /// Whether elements are added to what is there.
        add: bool,
    },
}

/// What a panel of a region does.
pub enum Part {
    /// The tile's panel, or its adjoint's.
    Kernel {
        /// Whether the adjoint is applied.
        adjoint: bool,
        /// The parts that go in.
        inputs: Vec<View>,
        /// The parts that come out; the first panel overwrites them.
        outputs: Vec<View>,
    },
    /// A local node on the rows of the panel: arguments that are held as its result is are
    /// divided, others are not.
    Rows(LocalNode),
}

/// What is done to some elements.
pub enum Piece {
    /// A local node: arguments that are held as its result is are divided, others are not.
    Update(LocalNode),
    /// An inner product of vectors of one type.
    Sum(LocalNode),
    /// A tile that is applied element by element.
    Weights {
        /// The tile.
        tile: Arc<dyn Elementwise>,
        /// Whether the adjoint is applied.
        adjoint: bool,
        /// How many numbers of a batch each element has.
        columns: usize,
        /// What goes in.
        input: View,
        /// What comes out.
        output: View,
    },
}

impl Piece {
    /// How many elements are done at a time, or a multiple of it.
    fn unit(&self) -> usize {
        match self {
            Piece::Update(node) | Piece::Sum(node) => node.unit(),
            Piece::Weights { columns, .. } => *columns,
        }
    }

    /// How many arguments it has.
    fn arguments(&self) -> usize {
        match self {
            Piece::Update(node) | Piece::Sum(node) => node.args().len(),
            Piece::Weights { .. } => 1,
        }
    }

    /// Bytes that it reads and writes.
    fn traffic(&self) -> usize {
        match self {
            Piece::Update(node) | Piece::Sum(node) => elements::traffic(node),
            Piece::Weights { output, .. } => 3 * output.len() * output.dtype.size(),
        }
    }

    /// Whether all elements must be done in their order: sums of columns go from row to row.
    fn is_ordered(&self) -> bool {
        match self {
            Piece::Sum(node) => !node.is_single(),
            Piece::Update(_) | Piece::Weights { .. } => false,
        }
    }

    /// The buffers that it reads and writes.
    fn buffers(&self) -> Vec<usize> {
        let views: Vec<&View> = match self {
            Piece::Update(node) | Piece::Sum(node) => {
                node.args().iter().chain([node.out()]).collect()
            }
            Piece::Weights { input, output, .. } => vec![input, output],
        };
        views.iter().map(|view| view.buffer).collect()
    }

    /// One of the vectors.
    fn vector(&self) -> &View {
        match self {
            Piece::Update(node) => node.out(),
            Piece::Sum(node) => &node.args()[0],
            Piece::Weights { output, .. } => output,
        }
    }
}

/// Prepared work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task(pub usize);

/// A moment of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event(pub u64);

/// Work that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which work.
    pub task: Task,
    /// Why.
    pub message: String,
}
