//! Regions over elements: all updates of some elements, then those of the next ones.
//!
//! Elements are few enough to stay in a cache until the last update has used them; consecutive
//! updates that can be steps of a tape are one loop over them (`tape.rs`).
//! Sums are made of the same blocks as without a region, so that results are the same, bit by bit.
//! Several hands take different elements; the sums of blocks are put together by one.

use super::Piece;
use super::engine::Touches;
use super::shared::Shared;
use super::store::{Store, reserve};
use super::tape::{self, Scratch, Tape};
use crate::elements::Slice;
use crate::runtime::local::{Arg, LocalNode};
use crate::runtime::memory::recycled;
use crate::runtime::tiles;
use adjoin_kernels::host::crew::{self, Divided};
use adjoin_passes::calls::View;
use num_complex::Complex64;
use std::mem;
use std::ops::Range;

/// Bytes of a vector that are done at a time: several vectors stay in the second cache, and
/// memory is read in stretches long enough to be fetched ahead.
const STRETCH: usize = 1 << 15;

/// A prepared region.
pub(super) struct Elements {
    pieces: Vec<Piece>,
    /// What is done to a stretch, in order.
    stages: Vec<Stage>,
    /// How many elements each vector has, of how many those that are done at a time are a multiple,
    /// and how many those are.
    len: usize,
    unit: usize,
    step: usize,
    /// What all hands do together, or nothing if only one can do it.
    work: usize,
    hands: Vec<Hand>,
    /// Sums of blocks, and for each piece which are its own.
    sums: Vec<Complex64>,
    rooms: Vec<Range<usize>>,
}

/// One of the pieces by itself, or several of them.
enum Stage {
    Piece(usize),
    Tape(Tape),
}

/// What one hand needs, and why it has stopped.
pub(super) struct Hand {
    args: Vec<Arg<'static>>,
    scratch: Scratch,
    fault: Option<String>,
    /// Its first element where values pass.
    own: usize,
}

impl Elements {
    /// A region of these pieces, with room for their sums.
    pub(super) fn new(pieces: Vec<Piece>, store: &Store) -> Self {
        let len = pieces.first().map_or(0, |piece| piece.vector().len());
        let widest = pieces.iter().map(|piece| piece.vector().dtype.size()).max();
        let unit = pieces.iter().map(Piece::unit).fold(1, lcm);
        let step = unit * (STRETCH / unit / widest.unwrap_or(1)).max(1);
        let mut sums = Vec::new();
        let room = |piece: &Piece| {
            let first = sums.len();
            if let Piece::Sum(node) = piece {
                sums.extend(node.room(len));
            }
            first..sums.len()
        };
        let rooms = pieces.iter().map(room).collect();
        let ordered = pieces.iter().any(Piece::is_ordered);
        let work = if ordered { 0 } else { pieces.iter().map(Piece::traffic).sum() };
        let stages = stages(&pieces, &store.passing);
        let most = pieces.iter().map(Piece::arguments).max().unwrap_or(0);
        let hand = |_| {
            let mut hand = Hand::new(most);
            for stage in &stages {
                match stage {
                    Stage::Tape(tape) => hand.scratch.reserve(tape),
                    Stage::Piece(_) => {}
                }
            }
            hand
        };
        let hands = (0..crew::threads()).map(hand).collect();
        Elements { pieces, stages, len, unit, step, work, hands, sums, rooms }
    }

    /// Room in a store for what passes from piece to piece: for each hand the elements that are
    /// done at a time.
    pub(super) fn make_room(&self, store: &mut Store) -> Result<(), String> {
        let elements = self.hands.len() * self.step.min(self.len);
        self.stages.iter().try_for_each(|stage| match stage {
            Stage::Piece(k) => match &self.pieces[*k] {
                Piece::Update(node) => store.widen(node.out(), elements),
                Piece::Weights { output, .. } => store.widen(output, elements),
                Piece::Sum(_) => Ok(()),
            },
            Stage::Tape(tape) => tape.vectors().try_for_each(|view| store.widen(view, elements)),
        })
    }

    /// Whether a node by itself is worth more than one hand.
    pub(super) fn are_worth(node: &LocalNode) -> bool {
        crew::threads() > 1 && node.is_divisible() && crew::hands(traffic(node)) > 1
    }

    /// A node by itself.
    pub(super) fn alone(node: LocalNode, store: &Store) -> Elements {
        let sum = node.is_sum();
        Elements::new(vec![if sum { Piece::Sum(node) } else { Piece::Update(node) }], store)
    }

    /// Runs all pieces on some elements after the others, and then ends the sums.
    pub(super) fn run(&mut self, store: &mut Store) -> Result<(), String> {
        for stage in &mut self.stages {
            if let Stage::Tape(tape) = stage {
                tape.set_numbers(store);
            }
        }
        self.sweep(store)?;
        for (piece, room) in self.pieces.iter().zip(&self.rooms) {
            if let Piece::Sum(node) = piece {
                store.finish(node, &self.sums[room.clone()]);
            }
        }
        Ok(())
    }

    /// A part of the elements by each hand that they are worth.
    fn sweep(&mut self, store: &mut Store) -> Result<(), String> {
        let hands = crew::hands(self.work).min(self.hands.len());
        let Elements { pieces, stages, rooms, len, unit, step, sums, .. } = self;
        let (len, unit, step) = (*len, *unit, *step);
        let (shared, sums) = (&store.share(), &Divided::new(sums));
        let region = &Common { pieces, stages, rooms, shared, sums };
        crew::with(&mut self.hands[..hands], |number, hand| {
            let own = crew::part(len, unit, hands, number);
            hand.own = number * step.min(len);
            let mut all = own.clone().step_by(step);
            // SAFETY: all hands run this on different elements, in whole blocks.
            hand.settle(|hand| unsafe {
                all.try_for_each(|start| hand.stretch(region, &(start..own.end.min(start + step))))
            });
        });
        self.hands[..hands].iter_mut().try_for_each(Hand::fault)
    }
}

/// Which pieces are done together.
fn stages(pieces: &[Piece], passing: &[bool]) -> Vec<Stage> {
    let dtypes: Vec<_> = pieces.iter().map(tape::dtype).collect();
    let mut stages = Vec::new();
    let mut first = 0;
    for group in dtypes.chunk_by(|a, b| a.is_some() && a == b) {
        let some = first..first + group.len();
        first = some.end;
        match group {
            [Some(dtype), _, ..] => {
                let others = pieces[..some.start].iter().chain(&pieces[some.end..]);
                let others: Vec<_> = others.flat_map(Piece::buffers).collect();
                let near = |v: &View| passing[v.buffer] && !others.contains(&v.buffer);
                stages.push(Stage::Tape(Tape::new(*dtype, pieces, some, near)));
            }
            _ => stages.extend(some.map(Stage::Piece)),
        }
    }
    stages
}

/// What all hands see of a region.
struct Common<'a> {
    pieces: &'a [Piece],
    stages: &'a [Stage],
    rooms: &'a [Range<usize>],
    shared: &'a Shared<'a>,
    sums: &'a Divided<'a, Complex64>,
}

impl Hand {
    /// A hand for nodes of so many arguments at most.
    pub(super) fn new(arguments: usize) -> Hand {
        let mut hand = Hand { args: Vec::new(), scratch: Scratch::default(), fault: None, own: 0 };
        reserve(&mut hand.args, arguments);
        hand
    }

    /// Does its part, and keeps why it has stopped.
    pub(super) fn settle(&mut self, part: impl FnOnce(&mut Hand) -> Result<(), String>) {
        self.fault = part(self).err();
    }

    /// Why it has stopped, once.
    pub(super) fn fault(&mut self) -> Result<(), String> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// All pieces on some elements.
    ///
    /// # Safety
    /// Nobody else writes any of these elements of the vectors of a region, nor what is read whole,
    /// and of no sum of a block of them either.
    unsafe fn stretch(&mut self, region: &Common<'_>, some: &Range<usize>) -> Result<(), String> {
        let Common { pieces, stages, rooms, shared, sums } = *region;
        for stage in stages {
            // SAFETY: the caller's duty.
            unsafe {
                match stage {
                    Stage::Piece(k) => self.piece(&pieces[*k], shared, some, (sums, &rooms[*k]))?,
                    Stage::Tape(tape) => {
                        let elements = (some, self.own);
                        tape.run(&mut self.scratch, shared, elements, pieces, (sums, rooms));
                    }
                }
            }
        }
        Ok(())
    }

    /// A piece on some elements.
    ///
    /// # Safety
    /// As for [`Hand::stretch`].
    unsafe fn piece(
        &mut self,
        piece: &Piece,
        shared: &Shared<'_>,
        some: &Range<usize>,
        (sums, room): (&Divided<'_, Complex64>, &Range<usize>),
    ) -> Result<(), String> {
        // SAFETY: the caller's duty.
        unsafe {
            match piece {
                Piece::Update(node) => self.update(node, shared, some),
                Piece::Sum(node) => {
                    let part = |view: &View| shared.read(view, some.clone(), self.own);
                    let args = [part(&node.args()[0]), part(&node.args()[1])];
                    node.block_sums(args, some, |own| {
                        sums.part(room.start + own.start..room.start + own.end)
                    });
                    Ok(())
                }
                Piece::Weights { tile, adjoint, columns, input, output } => {
                    let x = shared.read(input, some.clone(), self.own);
                    let y = shared.write(output, some.clone(), self.own);
                    tiles::elements(&**tile, *adjoint, some.start / *columns, *columns, x, y)
                }
            }
        }
    }

    /// A local node on some elements of its result and of the arguments like it.
    ///
    /// # Safety
    /// As for [`Hand::stretch`].
    pub(super) unsafe fn update(
        &mut self,
        node: &LocalNode,
        shared: &Shared<'_>,
        some: &Range<usize>,
    ) -> Result<(), String> {
        let mut args: Vec<Arg<'_>> = recycled(mem::take(&mut self.args));
        for view in node.args() {
            let all = view.dims != node.out().dims;
            let part = if all { 0..view.len() } else { some.clone() };
            let present = view.buffer != node.out().buffer;
            // SAFETY: the caller's duty; what the result overwrites is not read.
            args.push(present.then(|| unsafe { shared.read(view, part, self.own) }));
        }
        // SAFETY: the caller's duty.
        let out = unsafe { shared.write(node.out(), some.clone(), self.own) };
        let result = node.run_some(some.start, &args, out);
        self.args = recycled::<Option<Slice<'_>>, _>(args);
        result
    }
}

/// Bytes that a node reads and writes.
pub(super) fn traffic(node: &LocalNode) -> usize {
    let bytes = |view: &View| view.len() * view.dtype.size();
    node.args().iter().chain([node.out()]).map(bytes).sum()
}

/// The least common multiple.
fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

impl Touches {
    /// What a region reads and writes as a whole.
    pub(super) fn of_elements(pieces: &[Piece]) -> Touches {
        let mut touches = Touches::default();
        let one = std::slice::from_ref;
        for piece in pieces {
            match piece {
                Piece::Update(node) | Piece::Sum(node) => touches.add(node.args(), one(node.out())),
                Piece::Weights { input, output, .. } => touches.add(one(input), one(output)),
            }
        }
        touches
    }
}
