//! Consecutive pieces of a region over elements as one loop over memory.
//!
//! Pieces on vectors of one type that a [`Step`] can be are on a tape together, if there are
//! several; what passes from one of them to the other ones alone has room for a tile in each hand.

use super::Piece;
use super::shared::Shared;
use super::store::Store;
use crate::elements::{Slice, each};
use crate::ops::Elementwise;
use adjoin_kernels::host::Scalar;
use adjoin_kernels::host::crew::Divided;
use adjoin_kernels::host::tape::{self, Place, Step, Sum, Tile};
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use num_complex::{Complex32, Complex64};
use std::ops::Range;
use std::sync::Arc;

/// A tape, and where its elements are.
pub(super) struct Tape {
    dtype: Dtype,
    steps: tape::Tape,
    /// The numbers by which it scales, and where they are.
    numbers: Vec<Complex64>,
    scales: Vec<View>,
    places: Vec<Source>,
    /// Which pieces are sums.
    sums: Vec<usize>,
}

/// Elements that steps read or write.
enum Source {
    Vector(View),
    Weights(Arc<dyn Elementwise>),
    /// What passes through this buffer, in room for a tile.
    Room(usize),
}

/// What a hand needs for any of the tapes of a region.
#[derive(Default)]
pub(super) struct Scratch {
    places: Vec<Place>,
    sums: Vec<Sum>,
    rooms: Vec<Tile>,
}

// SAFETY: pointers are followed only while a tape runs, by the hand that has just written them.
unsafe impl Send for Scratch {}

impl Scratch {
    /// Makes room, so that no run allocates.
    pub(super) fn reserve(&mut self, tape: &Tape) {
        let Scratch { places, sums, rooms } = self;
        let passing = tape.places.iter().filter(|source| matches!(source, Source::Room(_)));
        let most = rooms.len().max(passing.count());
        rooms.resize(most, Tile::EMPTY);
        places.reserve(tape.places.len());
        sums.resize(sums.len().max(tape.sums.len()), Sum::EMPTY);
    }
}

/// The type of the elements of a piece that can be a step.
pub(super) fn dtype(piece: &Piece) -> Option<Dtype> {
    match piece {
        Piece::Update(node) => node.step(0, |_| 0).map(|_| node.out().dtype),
        Piece::Sum(node) => node.is_single().then(|| node.args()[0].dtype),
        Piece::Weights { tile, columns, input, output, .. } => {
            let weights = tile.weights().filter(|_| *columns == 1)?;
            let fits = weights.len() == output.len() && weights.dtype() == output.dtype;
            (fits && input.dtype == output.dtype).then_some(output.dtype)
        }
    }
}

impl Tape {
    /// Some of a region's pieces, all of which have this type; `is_near` tells which buffers no
    /// others use.
    pub(super) fn new(
        dtype: Dtype,
        pieces: &[Piece],
        some: Range<usize>,
        is_near: impl Fn(&View) -> bool,
    ) -> Self {
        let sums = some.clone().filter(|&k| matches!(pieces[k], Piece::Sum(_))).collect();
        let mut made = Made { is_near, places: Vec::new(), scales: Vec::new(), sums: 0 };
        let steps: Vec<Step> = pieces[some].iter().filter_map(|piece| made.step(piece)).collect();
        let Made { places, scales, .. } = made;
        let is_room = |place: usize| matches!(places[place], Source::Room(_));
        let steps = tape::Tape::new(&steps, is_room);
        let numbers = vec![Complex64::ZERO; scales.len()];
        Tape { dtype, steps, numbers, scales, places, sums }
    }

    /// The vectors that are not in rooms of its own.
    pub(super) fn vectors(&self) -> impl Iterator<Item = &View> {
        self.places.iter().filter_map(|source| match source {
            Source::Vector(view) => Some(view),
            Source::Weights(_) | Source::Room(_) => None,
        })
    }

    /// Takes the numbers as they are now.
    pub(super) fn set_numbers(&mut self, store: &Store) {
        for (number, view) in self.numbers.iter_mut().zip(&self.scales) {
            let there = store.memories[view.buffer].part(view);
            *number = each!(Slice, there, x => x[0].to_c128());
        }
    }

    /// Does all steps to some elements; where values pass through buffers, to those that begin with
    /// a hand's own. `sums` has the sums of all blocks of all pieces, each piece its own range.
    ///
    /// # Safety
    /// Nobody else writes any of these elements of the vectors of a region, nor the sums of their
    /// blocks; and they begin with a block.
    pub(super) unsafe fn run(
        &self,
        scratch: &mut Scratch,
        shared: &Shared<'_>,
        (some, own): (&Range<usize>, usize),
        pieces: &[Piece],
        (sums, parts): (&Divided<'_, Complex64>, &[Range<usize>]),
    ) {
        let Scratch { places, sums: targets, rooms } = scratch;
        let (size, numbers) = (self.dtype.size(), &self.numbers);
        let mut rooms = rooms.iter_mut();
        places.clear();
        places.extend(self.places.iter().map(|source| match source {
            Source::Vector(view) => {
                Place { start: shared.start(view, some.clone(), own), stride: size }
            }
            Source::Weights(tile) => {
                let weights = tile.weights().filter(|weights| weights.dtype() == self.dtype);
                let start = weights.expect("weights").range(some.clone()).bytes().as_ptr();
                Place { start: start.cast_mut(), stride: size }
            }
            Source::Room(_) => Place { start: rooms.next().expect("a room").start(), stride: 0 },
        }));
        for (target, &k) in targets.iter_mut().zip(&self.sums) {
            if let Piece::Sum(node) = &pieces[k] {
                let (first, blocks) = node.blocks_of(some);
                let first = parts[k].start + first;
                // SAFETY: the caller's duty.
                target.set_next(unsafe { sums.part(first..first + blocks) }.as_mut_ptr());
            }
        }
        let n = some.len();
        // SAFETY: places have as many elements of this type, which their pieces have been checked
        // for, and there are sums of all blocks; the rest is the caller's duty.
        unsafe {
            match self.dtype {
                Dtype::F32 => self.steps.run::<f32>(numbers, places, n, targets),
                Dtype::F64 => self.steps.run::<f64>(numbers, places, n, targets),
                Dtype::C64 => self.steps.run::<Complex32>(numbers, places, n, targets),
                Dtype::C128 => self.steps.run::<Complex64>(numbers, places, n, targets),
            }
        }
    }
}

/// Steps while they are made from pieces: what they have named so far.
struct Made<F> {
    is_near: F,
    places: Vec<Source>,
    scales: Vec<View>,
    sums: usize,
}

impl<F: Fn(&View) -> bool> Made<F> {
    fn step(&mut self, piece: &Piece) -> Option<Step> {
        match piece {
            Piece::Update(node) => {
                let a = self.scales.len();
                self.scales.extend(node.number().cloned());
                node.step(a, |view| self.vector(view))
            }
            Piece::Sum(node) => {
                let [x, y] = [0, 1].map(|k| self.vector(&node.args()[k]));
                self.sums += 1;
                Some(Step::Dot { real: node.is_real(), x, y, sum: self.sums - 1 })
            }
            Piece::Weights { tile, adjoint, input, output, .. } => {
                let (x, y) = (self.vector(input), self.vector(output));
                let start = |tile: &dyn Elementwise| tile.weights().map(|w| w.bytes().as_ptr());
                let same = |source: &Source| match source {
                    Source::Weights(other) => start(&**other) == start(&**tile),
                    Source::Vector(_) | Source::Room(_) => false,
                };
                let d = self.place(same, || Source::Weights(tile.clone()));
                Some(Step::Weigh { conj: *adjoint, d, x, y })
            }
        }
    }

    fn vector(&mut self, view: &View) -> usize {
        let near = (self.is_near)(view);
        let same = |source: &Source| match source {
            Source::Vector(other) => (other.buffer, other.offset) == (view.buffer, view.offset),
            Source::Room(buffer) => *buffer == view.buffer,
            Source::Weights(_) => false,
        };
        self.place(same, || {
            if near { Source::Room(view.buffer) } else { Source::Vector(view.clone()) }
        })
    }

    /// The place that is the same, or a new one.
    fn place(&mut self, same: impl Fn(&Source) -> bool, new: impl FnOnce() -> Source) -> usize {
        self.places.iter().position(same).unwrap_or_else(|| {
            self.places.push(new());
            self.places.len() - 1
        })
    }
}
