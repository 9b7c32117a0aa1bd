//! One rank's list of calls: what a back end will do, pure data.
//!
//! A call names buffers, boxes in them, peers and tags; nothing is left to decide.
//! The interpreter ([`crate::interpret`]) and every run time walk the same lists.

use crate::dtype::Dtype;
use crate::ir::{LeafId, Op, Over};
use crate::placement::Region;
use serde::{Deserialize, Serialize};
use std::ops::{Not, Range};

/// Everything that one rank does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// The rank.
    pub rank: usize,
    /// The memory that it needs.
    pub buffers: Vec<Buffer>,
    /// The groups of ranks within which it communicates; group 0 is everybody.
    pub groups: Vec<Vec<usize>>,
    /// The range of each factor that a tile covers: for each leaf the tile that this rank owns, then
    /// those that reach into its ghost cells and those of interiors and rims.
    pub tiles: Vec<Vec<Range<usize>>>,
    /// The state variables.
    pub states: Vec<Port>,
    /// The blocks, as in the plan.
    pub blocks: Vec<CallBlock>,
}

/// Memory for values of one element type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// The element type.
    pub dtype: Dtype,
    /// How many elements.
    pub len: usize,
    /// Whether its values pass: regions make and use them, and nobody else does, so that a run time
    /// needs room for the elements that are done at a time only, and none between a stencil and its
    /// adjoint if it applies both at once.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub passing: bool,
}

/// The calls of one block, and what goes in and out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallBlock {
    /// Its name.
    pub name: String,
    /// Parts that the caller hands in.
    pub inputs: Vec<Port>,
    /// In the order in which they run.
    pub calls: Vec<Call>,
    /// Parts of the result, in order.
    pub outputs: Vec<Port>,
    /// Numbers for the driver.
    pub controls: Vec<Port>,
}

/// A part that enters or leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Its name, if it has one.
    pub name: String,
    /// Where it is on this rank.
    pub view: View,
    /// Whether this rank is the one that writes its tile: replicated parts are written once.
    pub primary: bool,
}

/// A part in a buffer, or some of its rows: the box that is held, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The buffer.
    pub buffer: usize,
    /// The element of the buffer with which the box begins.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: usize,
    /// The element type.
    pub dtype: Dtype,
    /// The global shape.
    pub dims: Vec<usize>,
    /// The global indices that are held, ghost cells included.
    pub held: Region,
}

/// A box inside a row-major array in a buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slab {
    /// The buffer.
    pub buffer: usize,
    /// The element of the buffer with which the array begins.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: usize,
    /// The extents of the array.
    pub extents: Vec<usize>,
    /// The box, in local indices.
    pub region: Region,
}

/// What goes to or comes from one member of a group, packed in this order: double precision first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Index into the group.
    pub peer: usize,
    /// The pieces.
    pub slabs: Vec<Slab>,
}

/// How many reals of each precision a message has; a complex element is two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reals {
    /// Those in double precision, with which it begins.
    pub double: usize,
    /// Those in single precision, which follow.
    pub single: usize,
}

/// How a transfer is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// One packet of the same size out and in; the sum of all members'.
    AllReduce,
    /// One packet out for each member; the sum of those meant for this one comes in.
    ReduceScatter,
    /// One packet out; every member's comes in.
    AllGather,
    /// One packet out and in for each member, possibly empty.
    AllToAll,
    /// Messages between some pairs, matched by tag.
    Exchange,
}

/// One communication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// How.
    pub kind: Kind,
    /// Within which group: an index into [`Calls::groups`].
    pub group: usize,
    /// The tag of its messages, the same on all ranks and different for each transfer of a block.
    pub tag: u32,
    /// What leaves.
    pub sends: Vec<Packet>,
    /// What arrives.
    pub recvs: Vec<Packet>,
    /// Whether arriving elements are added to what is there.
    pub add: bool,
}

/// An application of a tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kernel {
    /// Of which leaf.
    pub leaf: LeafId,
    /// Which of its tiles: an index into [`Calls::tiles`].
    pub tile: usize,
    /// Whether the adjoint is applied.
    pub adjoint: bool,
    /// The parts that go in.
    pub inputs: Vec<View>,
    /// The parts that come out.
    pub outputs: Vec<View>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// A leaf or its adjoint on its tile; the outputs are overwritten, ghosts included.
    Kernel(Kernel),
    /// A node that needs no communication; `out` may be one of the arguments.
    Local {
        /// What is done.
        op: Op,
        /// To what.
        args: Vec<View>,
        /// Where the result goes.
        out: View,
    },
    /// Kernels and local calls, which may run piece by piece.
    Region {
        /// What the pieces are.
        over: Over,
        /// Kernels and local calls, in an order in which they may also run whole.
        calls: Vec<Call>,
    },
    /// Copies boxes.
    Copy {
        /// Whether the target is filled with zeros before.
        clear: Option<View>,
        /// From where to where; both have the same number of elements.
        moves: Vec<(Slab, Slab)>,
    },
    /// Begins a communication: what leaves is read here.
    Start {
        /// The number by which `Wait` names it.
        id: u32,
        /// What is communicated.
        transfer: Transfer,
    },
    /// Ends a communication: what arrives is written here.
    Wait {
        /// Which.
        id: u32,
    },
}

impl Call {
    /// The calls that this one is made of: those of a region, else itself.
    pub fn inner(&self) -> &[Call] {
        match self {
            Call::Region { calls, .. } => calls,
            Call::Kernel(_)
            | Call::Local { .. }
            | Call::Copy { .. }
            | Call::Start { .. }
            | Call::Wait { .. } => std::slice::from_ref(self),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(offset: &usize) -> bool {
    *offset == 0
}

impl Buffer {
    /// Memory for so many elements, which stay until they are overwritten.
    pub fn new(dtype: Dtype, len: usize) -> Self {
        Buffer { dtype, len, passing: false }
    }
}

impl View {
    /// The elements of the buffer that are held.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }

    /// The number of elements held.
    pub fn len(&self) -> usize {
        crate::placement::volume(&self.held)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The extents of the local array.
    pub fn extents(&self) -> Vec<usize> {
        self.held.iter().map(Range::len).collect()
    }

    /// The box of these global indices, which must be held.
    pub fn slab(&self, region: &Region) -> Slab {
        let local = region.iter().zip(&self.held).map(|(r, h)| {
            debug_assert!(r.is_empty() || (h.start <= r.start && r.end <= h.end));
            r.start.saturating_sub(h.start)..r.end.saturating_sub(h.start)
        });
        let (buffer, offset, extents) = (self.buffer, self.offset, self.extents());
        Slab { buffer, offset, extents, region: local.collect() }
    }

    /// The global row-major index of the element at a position of the local array.
    pub fn global(&self, position: usize) -> usize {
        let mut rest = position;
        let (mut index, mut stride) = (0, 1);
        for (held, &n) in self.held.iter().zip(&self.dims).rev() {
            index += (held.start + rest % held.len().max(1)) * stride;
            rest /= held.len().max(1);
            stride *= n;
        }
        index
    }

    /// Everything that is held, as one flat box.
    pub fn flat(&self) -> Slab {
        let (buffer, offset, n) = (self.buffer, self.offset, self.len());
        Slab { buffer, offset, extents: vec![n], region: std::iter::once(0..n).collect() }
    }
}

impl Calls {
    /// How many reals of each precision a packet carries.
    pub fn reals(&self, packet: &Packet) -> Reals {
        let mut reals = Reals::default();
        for slab in &packet.slabs {
            let Some(Buffer { dtype, .. }) = self.buffers.get(slab.buffer) else { continue };
            let count = if dtype.is_complex() { 2 * slab.len() } else { slab.len() };
            if dtype.is_double() {
                reals.double += count;
            } else {
                reals.single += count;
            }
        }
        reals
    }
}

impl Reals {
    /// Whether there are some of both precisions.
    pub fn are_mixed(self) -> bool {
        self.double > 0 && self.single > 0
    }
}

impl Slab {
    /// The elements of the buffer from the first of the box to the last.
    pub fn span(&self) -> Range<usize> {
        if self.is_empty() {
            return self.offset..self.offset;
        }
        let at = |index: &dyn Fn(&Range<usize>) -> usize| {
            let dims = self.region.iter().zip(&self.extents);
            dims.fold(0, |flat, (r, n)| flat * n + index(r))
        };
        self.offset + at(&|r| r.start)..self.offset + at(&|r| r.end - 1) + 1
    }

    /// Whether both are the same elements in the same order, as boxes without gaps.
    pub fn is_where(&self, other: &Slab) -> bool {
        let span = self.span();
        self.buffer == other.buffer && span == other.span() && span.len() == self.len()
    }

    /// The number of elements in the box.
    pub fn len(&self) -> usize {
        crate::placement::volume(&self.region)
    }

    /// Whether the box is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Packet {
    /// The number of elements in the packet.
    pub fn len(&self) -> usize {
        self.slabs.iter().map(Slab::len).sum()
    }

    /// Whether the packet carries nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
