//! Consecutive pieces of a region over elements as one loop over memory.
//!
//! Pieces on vectors of one type that a [`Step`] can be are on a tape together, if there are
//! several; what passes from one of them to the other ones alone has room for a tile in each hand.

use super::Piece;
use super::shared::Shared;
use super::store::Store;
use crate::elements::{Element, Slice, each};
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
    steps: Steps,
    /// The number of each step that scales.
    numbers: Vec<Option<View>>,
    places: Vec<Source>,
    /// Which pieces are sums.
    sums: Vec<usize>,
}

/// Steps on elements of one type.
enum Steps {
    F32(Vec<Step<f32>>),
    F64(Vec<Step<f64>>),
    C64(Vec<Step<Complex32>>),
    C128(Vec<Step<Complex64>>),
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
        sums.reserve(tape.sums.len());
    }
}

/// The type of the elements of a piece that can be a step.
pub(super) fn dtype(piece: &Piece) -> Option<Dtype> {
    match piece {
        Piece::Update(node) => node.step::<f64>(|_| 0).map(|_| node.out().dtype),
        Piece::Sum(node) => (node.out().len() == 1).then_some(node.args()[0].dtype),
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
        let of = some.clone().map(|k| match &pieces[k] {
            Piece::Update(node) => node.number().cloned(),
            Piece::Sum(_) | Piece::Weights { .. } => None,
        });
        let numbers = of.collect();
        let sums = some.clone().filter(|&k| matches!(pieces[k], Piece::Sum(_))).collect();
        let (steps, places) = match dtype {
            Dtype::F32 => map(steps(&pieces[some], is_near), Steps::F32),
            Dtype::F64 => map(steps(&pieces[some], is_near), Steps::F64),
            Dtype::C64 => map(steps(&pieces[some], is_near), Steps::C64),
            Dtype::C128 => map(steps(&pieces[some], is_near), Steps::C128),
        };
        Tape { steps, numbers, places, sums }
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
        each!(Steps, &mut self.steps, steps => for (step, view) in steps.iter_mut().zip(&self.numbers) {
            if let Some(view) = view {
                let number = first(store.memories[view.buffer].part(view));
                step.set_number(Scalar::from_c128(number));
            }
        });
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
        let size = each!(Steps, &self.steps, steps => size_of_first(steps));
        let mut rooms = rooms.iter_mut();
        places.clear();
        places.extend(self.places.iter().map(|source| match source {
            Source::Vector(view) => {
                Place { start: shared.start(view, some.clone(), own), stride: size }
            }
            Source::Weights(tile) => {
                let weights = tile.weights().expect("weights").range(some.clone()).bytes();
                Place { start: weights.as_ptr().cast_mut(), stride: size }
            }
            Source::Room(_) => Place { start: rooms.next().expect("a room").start(), stride: 0 },
        }));
        targets.clear();
        for &k in &self.sums {
            if let Piece::Sum(node) = &pieces[k] {
                let (first, blocks) = node.blocks_of(some);
                let first = parts[k].start + first;
                // SAFETY: the caller's duty.
                targets.push(Sum::to(unsafe { sums.part(first..first + blocks) }.as_mut_ptr()));
            }
        }
        // SAFETY: places have as many elements of the type of the steps, which their pieces have
        // been checked for, and there are sums of all blocks; the rest is the caller's duty.
        each!(Steps, &self.steps, steps => unsafe {
            tape::run(steps, places, some.len(), targets);
        });
    }
}

/// The first of some elements in the widest type.
fn first(elements: Slice<'_>) -> Complex64 {
    each!(Slice, elements, x => x[0].to_c128())
}

fn size_of_first<S>(_: &[Step<S>]) -> usize {
    size_of::<S>()
}

fn map<S>(
    (steps, places): (Vec<Step<S>>, Vec<Source>),
    typed: impl Fn(Vec<Step<S>>) -> Steps,
) -> (Steps, Vec<Source>) {
    (typed(steps), places)
}

/// Pieces as steps, and where their elements are.
fn steps<S: Element>(
    pieces: &[Piece],
    is_near: impl Fn(&View) -> bool,
) -> (Vec<Step<S>>, Vec<Source>) {
    let (mut places, mut sums) = (Vec::new(), 0..);
    let mut steps = Vec::new();
    for piece in pieces {
        let mut vector = |view: &View| {
            let near = is_near(view);
            let same = |source: &Source| match source {
                Source::Vector(other) => (other.buffer, other.offset) == (view.buffer, view.offset),
                Source::Room(buffer) => *buffer == view.buffer,
                Source::Weights(_) => false,
            };
            let new =
                || if near { Source::Room(view.buffer) } else { Source::Vector(view.clone()) };
            place(&mut places, same, new)
        };
        steps.extend(match piece {
            Piece::Update(node) => node.step(vector),
            Piece::Sum(node) => {
                let (x, y) = (vector(&node.args()[0]), vector(&node.args()[1]));
                sums.next().map(|sum| Step::Dot { real: node.is_real(), x, y, sum })
            }
            Piece::Weights { tile, adjoint, input, output, .. } => {
                let (x, y) = (vector(input), vector(output));
                let start = |tile: &Arc<dyn Elementwise>| tile.weights().map(|w| w.bytes().as_ptr());
                let same = |source: &Source| {
                    matches!(source, Source::Weights(other) if start(other) == start(tile))
                };
                let d = place(&mut places, same, || Source::Weights(tile.clone()));
                Some(Step::Weigh { conj: *adjoint, d, x, y })
            }
        });
    }
    (steps, places)
}

/// The place that is the same, or a new one.
fn place(
    places: &mut Vec<Source>,
    same: impl Fn(&Source) -> bool,
    new: impl FnOnce() -> Source,
) -> usize {
    places.iter().position(same).unwrap_or_else(|| {
        places.push(new());
        places.len() - 1
    })
}
