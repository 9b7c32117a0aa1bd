//! The interpreter of calls: all ranks in one thread, over any arithmetic.
//!
//! With real kernels it is the back end `sim`; over a finite field it is the certificate; with
//! no numbers at all it is the matching check.
//! Counts are static and receives name their sender, so one synchronous simulation decides
//! whether the calls can deadlock.
//!
//! | rule | what it says |
//! |---|---|
//! | `same blocks` | all ranks have equally many blocks |
//! | `one order` | a rank starts its transfers by ascending tags |
//! | `one wait` | each transfer is started once and then waited for once |
//! | `same collective` | members of a group agree on the kind of a transfer and its tag |
//! | `same type` | and on the types of what they exchange |
//! | `same count` | what one sends is as long as what the other expects |
//! | `same group` | both ends name the same ranks, themselves among them |
//! | `no deadlock` | nobody waits for what never starts |
//! | `inside its buffer` | boxes lie in their buffers |
//! | `passes` | where values only pass, regions over elements write before they read |
//! | `whole packets` | a collective has a packet for every member, an exchange none for itself |
//! | `own output`, `in flight` | no memory is used for two things at once |

mod world;

use crate::calls::{Buffer, Call, Calls, Kernel, Slab, View};
use crate::ir::{LeafId, Op};
use std::ops::Range;
use thiserror::Error;
use world::{World, mismatch};

/// What the interpreter computes with.
pub trait Arithmetic {
    /// Elements of one type.
    type Memory: Clone + Default;

    /// Memory for a buffer.
    fn allocate(&self, buffer: &Buffer) -> Self::Memory;

    /// A leaf or its adjoint on the tile of a rank; overwrites the outputs.
    fn kernel(
        &mut self,
        place: &Place<'_>,
        inputs: &[(&View, &Self::Memory)],
        outputs: &mut [(&View, Self::Memory)],
    ) -> Result<(), String>;

    /// A node that needs no communication.
    fn local(
        &mut self,
        op: &Op,
        args: &[(&View, &Self::Memory)],
        out: (&View, &mut Self::Memory),
    ) -> Result<(), String>;

    /// Fills a view with zeros.
    fn clear(&self, view: &View, memory: &mut Self::Memory);

    /// Appends the elements of a box to a message.
    fn pack(&self, memory: &Self::Memory, slab: &Slab, message: &mut Self::Memory);

    /// Writes the elements of a message from `begin` on to a box, or adds them.
    fn unpack(
        &self,
        message: &Self::Memory,
        begin: usize,
        slab: &Slab,
        memory: &mut Self::Memory,
        add: bool,
    );

    /// Adds one message to another.
    fn sum(&self, into: &mut Self::Memory, other: &Self::Memory);
}

/// Which leaf, where.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The rank.
    pub rank: usize,
    /// The leaf.
    pub leaf: LeafId,
    /// Which of the rank's tiles.
    pub index: usize,
    /// Whether the adjoint is applied.
    pub adjoint: bool,
    /// For each factor the indices of that tile.
    pub tile: &'a [Range<usize>],
}

/// Why calls do not match, or could not be interpreted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// A named rule of matching is broken.
    #[error("{rule}: rank {rank}: {message}")]
    Mismatch {
        /// The rule.
        rule: &'static str,
        /// The rank where it was seen.
        rank: usize,
        /// What is wrong.
        message: String,
    },
    /// Local arithmetic failed.
    #[error("rank {rank}: {message}")]
    Failed {
        /// The rank.
        rank: usize,
        /// Why.
        message: String,
    },
}

/// The memory of all ranks.
pub type Memories<A> = Vec<Vec<<A as Arithmetic>::Memory>>;

/// Memory for all ranks.
pub fn allocate<A: Arithmetic>(arithmetic: &A, calls: &[Calls]) -> Memories<A> {
    calls.iter().map(|c| c.buffers.iter().map(|b| arithmetic.allocate(b)).collect()).collect()
}

/// Runs one block on all ranks.
pub fn run<A: Arithmetic>(
    arithmetic: &mut A,
    calls: &[Calls],
    block: usize,
    memories: &mut Memories<A>,
) -> Result<(), CallError> {
    let mut world = World::new(calls, block);
    loop {
        let mut moved = false;
        for rank in 0..calls.len() {
            while world.step(arithmetic, rank, memories)? {
                moved = true;
            }
        }
        if world.done() {
            return world.leftovers();
        }
        if !moved {
            return Err(world.deadlock());
        }
    }
}

/// Whether calls of all ranks match: the interpreter with no numbers at all.
pub fn matching(calls: &[Calls]) -> Result<(), CallError> {
    let mut memories = allocate(&Nothing, calls);
    let blocks = calls.first().map_or(0, |c| c.blocks.len());
    for rank in calls {
        if rank.blocks.len() != blocks {
            return Err(mismatch("same blocks", rank.rank, "has another number of blocks"));
        }
        crate::bounds::check(rank)?;
    }
    (0..blocks).try_for_each(|block| run(&mut Nothing, calls, block, &mut memories))
}

fn local<A: Arithmetic>(
    arithmetic: &mut A,
    calls: &Calls,
    call: &Call,
    memory: &mut [A::Memory],
) -> Result<(), String> {
    match call {
        Call::Kernel(Kernel { leaf, tile, adjoint, inputs, outputs }) => {
            let factors = &calls.tiles[*tile];
            let place = Place {
                rank: calls.rank,
                leaf: *leaf,
                index: *tile,
                adjoint: *adjoint,
                tile: factors,
            };
            let mut results: Vec<_> =
                outputs.iter().map(|v| (v, memory[v.buffer].clone())).collect();
            let inputs: Vec<_> = inputs.iter().map(|v| (v, &memory[v.buffer])).collect();
            arithmetic.kernel(&place, &inputs, &mut results)?;
            for (view, result) in results {
                memory[view.buffer] = result;
            }
        }
        Call::Local { op, args, out } => {
            let mut result = memory[out.buffer].clone();
            let args: Vec<_> = args.iter().map(|v| (v, &memory[v.buffer])).collect();
            arithmetic.local(op, &args, (out, &mut result))?;
            memory[out.buffer] = result;
        }
        Call::Region { calls: inner, .. } => {
            inner.iter().try_for_each(|call| local(arithmetic, calls, call, memory))?;
        }
        Call::Copy { clear, moves } => {
            let mut messages = Vec::new();
            for (from, _) in moves {
                let mut message = A::Memory::default();
                arithmetic.pack(&memory[from.buffer], from, &mut message);
                messages.push(message);
            }
            if let Some(view) = clear {
                arithmetic.clear(view, &mut memory[view.buffer]);
            }
            for ((_, to), message) in moves.iter().zip(&messages) {
                arithmetic.unpack(message, 0, to, &mut memory[to.buffer], false);
            }
        }
        Call::Start { .. } | Call::Wait { .. } => {}
    }
    Ok(())
}

/// The arithmetic of the matching check: no numbers.
struct Nothing;

impl Arithmetic for Nothing {
    type Memory = ();
    fn allocate(&self, _: &Buffer) {}
    fn kernel(
        &mut self,
        _: &Place<'_>,
        _: &[(&View, &())],
        _: &mut [(&View, ())],
    ) -> Result<(), String> {
        Ok(())
    }
    fn local(&mut self, _: &Op, _: &[(&View, &())], _: (&View, &mut ())) -> Result<(), String> {
        Ok(())
    }
    fn clear(&self, _: &View, (): &mut ()) {}
    fn pack(&self, (): &(), _: &Slab, (): &mut ()) {}
    fn unpack(&self, (): &(), _: usize, _: &Slab, (): &mut (), _: bool) {}
    fn sum(&self, (): &mut (), (): &()) {}
}
