//! A star and its adjoint: `z (+)= AᵀA x`, without keeping what lies between.
//!
//! If sums may be taken in any order and each arm is alone in its part, `AᵀA` is a star too, whose
//! arms reach twice as far: `Σ DᵀD` has no products of different arms.
//! It is applied in one sweep that reads `x` once, with coefficients that are computed in double
//! precision before.
//! Otherwise both are applied block by block, so that what lies between stays in a cache.
//! For a block of `z` those rows of `y` are computed that it reads, each part only as far as its own
//! arms reach; so a few rows are computed for several blocks, and each of them alike.
//! Blocks far from all ends are done by one pair of sweeps, at other places.

use super::super::crew::{self, Divided};
use super::super::{Acc, Real};
use super::sweep::{Side, Sweep, Way};
use super::{Arm, Held};
use std::ops::Range;

/// In which order an operator and its adjoint may be summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// As if one was applied after the other.
    Kept,
    /// In any.
    Free,
}

/// Bytes of `y` for a block, about.
const SCRATCH: usize = 1 << 18;

/// The boxes of an apply of both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NormalBoxes {
    pub x: Vec<Range<usize>>,
    pub y: Vec<Range<usize>>,
    pub z: Vec<Range<usize>>,
    pub group: usize,
    pub sums: Sums,
}

/// How a star and its adjoint are applied.
pub(super) enum Normal<R> {
    /// As one star.
    One(Sweep<R>),
    /// Block by block.
    Blocks(Blocks<R>),
}

impl<R: Real> Normal<R> {
    pub fn new(arms: &[Arm<R>], parts: usize, boxes: &NormalBoxes) -> Self {
        let alone = |arm: &Arm<R>| arms.iter().filter(|other| other.part == arm.part).count() == 1;
        if boxes.sums == Sums::Kept || !arms.iter().all(alone) {
            return Normal::Blocks(Blocks::new(arms, parts, boxes));
        }
        let NormalBoxes { x, y, z, group, .. } = boxes;
        let side = Side::Both(y);
        let way = Way { side, from: x, to: z, held: z, group: *group, ahead: 0 };
        Normal::One(Sweep::new(arms, 1, way))
    }

    /// `z (+)= AᵀA x`
    pub fn run(&mut self, x: &[R], z: &mut [R], acc: Acc) {
        match self {
            Normal::One(sweep) => sweep.run(x, z, acc),
            Normal::Blocks(blocks) => blocks.run(x, z, acc),
        }
    }
}

/// The way over boxes block by block.
pub(super) struct Blocks<R> {
    dims: Vec<Cuts>,
    /// For each combination of kinds, the last dim counting fastest.
    alike: Vec<Block<R>>,
    /// For each hand the elements of `y` for a block.
    scratch: Vec<Vec<R>>,
    room: usize,
}

/// A dim of `z` in pieces.
struct Cuts {
    /// The distance between neighbours in `x` and in `z`.
    strides: [usize; 2],
    pieces: Vec<Cut>,
    /// The first and the last cut of each kind.
    kinds: Vec<[usize; 2]>,
}

struct Cut {
    z: Range<usize>,
    kind: usize,
}

/// What is done for a block.
struct Block<R> {
    /// The elements of a part of `y`.
    part: usize,
    /// For each part.
    forward: Vec<Sweep<R>>,
    adjoint: Sweep<R>,
}

impl<R: Real> Blocks<R> {
    pub fn new(arms: &[Arm<R>], parts: usize, boxes: &NormalBoxes) -> Self {
        let each = size_of::<R>() * boxes.group * parts;
        let lens: Vec<usize> = boxes.z.iter().map(Range::len).collect();
        let block = block(lens, SCRATCH / each.max(1));
        let cuts = (0..boxes.z.len()).map(|d| Cuts::new(arms, boxes, d, block[d]));
        let (dims, alike) = (cuts.collect::<Vec<_>>(), Vec::new());
        let mut normal = Blocks { dims, alike, scratch: Vec::new(), room: 0 };
        let combinations = normal.dims.iter().map(|dim| dim.kinds.len()).product();
        for combination in 0..combinations {
            let block = normal.block(arms, parts, boxes, combination);
            normal.room = normal.room.max(parts * block.part);
            normal.alike.push(block);
        }
        normal
    }

    fn block(
        &self,
        arms: &[Arm<R>],
        parts: usize,
        boxes: &NormalBoxes,
        combination: usize,
    ) -> Block<R> {
        let mut rest = combination;
        let (mut z, mut ahead) = (boxes.z.clone(), 0);
        for (d, dim) in self.dims.iter().enumerate().rev() {
            let [first, last] = dim.kinds[rest % dim.kinds.len()].map(|cut| &dim.pieces[cut].z);
            rest /= dim.kinds.len();
            ahead += (last.start - first.start) * dim.strides[0];
            z[d] = first.clone();
        }
        let (group, from) = (boxes.group, &boxes.x[..]);
        let whole = read(arms, &z, &boxes.y);
        let forward = |part| {
            let own: Vec<_> = arms.iter().filter(|arm| arm.part == part).cloned().collect();
            let own: Vec<_> = own.into_iter().map(|arm| Arm { part: 0, ..arm }).collect();
            let to = &read(&own, &z, &boxes.y)[..];
            Sweep::new(&own, 1, Way { side: Side::Forward, from, to, held: &whole, group, ahead })
        };
        let way =
            Way { side: Side::Adjoint, from: &whole, to: &z, held: &boxes.z, group, ahead: 0 };
        Block {
            part: whole.iter().map(Range::len).product::<usize>() * group,
            forward: (0..parts).map(forward).collect(),
            adjoint: Sweep::new(arms, parts, way),
        }
    }

    /// `z (+)= AᵀA x`
    pub fn run(&mut self, x: &[R], z: &mut [R], acc: Acc) {
        let hands = crew::hands(2 * (x.len() + z.len()) * size_of::<R>());
        if self.scratch.len() < hands {
            self.scratch.resize_with(hands, || vec![R::ZERO; self.room]);
        }
        let Blocks { dims, alike, scratch, .. } = self;
        let count = dims.iter().map(|dim| dim.pieces.len()).product();
        let (scratch, z) = (Divided::new(scratch), Divided::new(z));
        crew::each(hands, |hand| {
            for number in crew::part(count, 1, hands, hand) {
                let (kind, moved) = placed(dims, number);
                // SAFETY: nobody else has this hand's scratch, or this block of `z`.
                unsafe { alike[kind].run(scratch.one(hand), (x, moved[0]), (&z, moved[1]), acc) };
            }
        });
    }
}

/// The combination of kinds of a block, and how far it is after the first of them in `x` and `z`.
fn placed(dims: &[Cuts], number: usize) -> (usize, [usize; 2]) {
    let (mut rest, mut kind, mut kinds, mut moved) = (number, 0, 1, [0; 2]);
    for dim in dims.iter().rev() {
        let cut = &dim.pieces[rest % dim.pieces.len()];
        rest /= dim.pieces.len();
        kind += kinds * cut.kind;
        kinds *= dim.kinds.len();
        let first = &dim.pieces[dim.kinds[cut.kind][0]];
        let by = cut.z.start - first.z.start;
        moved = [moved[0] + by * dim.strides[0], moved[1] + by * dim.strides[1]];
    }
    (kind, moved)
}

impl<R: Real> Block<R> {
    /// What the block adds, or sets, so far ahead.
    ///
    /// # Safety
    ///
    /// Nobody else has the block's elements of `z`.
    unsafe fn run(
        &self,
        scratch: &mut [R],
        x: (&[R], usize),
        z: (&Divided<'_, R>, usize),
        acc: Acc,
    ) {
        let Block { part, forward, adjoint } = self;
        let y = &mut scratch[..forward.len() * part];
        for (p, forward) in forward.iter().enumerate() {
            let own = Divided::new(&mut y[p * part..(p + 1) * part]);
            // SAFETY: nobody else has the scratch.
            unsafe { forward.run_at(x, (&own, 0), 0..forward.elements(), Acc::Set) };
        }
        // SAFETY: the caller's contract.
        unsafe { adjoint.run_at((y, 0), z, 0..adjoint.elements(), acc) };
    }
}

/// The elements of a block along each dim: at most so many in all, if that goes; rows are kept
/// long, and dims before them not so thin that most of what is computed is computed again.
fn block(mut lens: Vec<usize>, most: usize) -> Vec<usize> {
    const LEAST: [(usize, usize); 3] = [(16, usize::MAX), (16, 512), (2, 2)];
    let last = lens.len().saturating_sub(1);
    for (outer, inner) in LEAST {
        for d in 0..lens.len() {
            let least = if d == last { inner } else { outer };
            while lens[d] >= least && lens.iter().product::<usize>() > most {
                lens[d] = lens[d].div_ceil(2);
            }
        }
    }
    lens
}

/// The rows of `y` that elements of a box of `z` read.
fn read<R: Real>(arms: &[Arm<R>], z: &[Range<usize>], y: &[Range<usize>]) -> Vec<Range<usize>> {
    let along = |(d, (z, y)): (usize, (&Range<usize>, &Range<usize>))| {
        let (low, high) = reach(arms, d);
        let start = z.start.saturating_sub(high).max(y.start);
        start..(z.end + low).min(y.end).max(start)
    };
    z.iter().zip(y).enumerate().map(along).collect()
}

/// How far arms along a dim reach.
fn reach<R: Real>(arms: &[Arm<R>], d: usize) -> (usize, usize) {
    let own = arms.iter().filter(|arm| arm.axis == d).map(|arm| arm.stencil.reach());
    own.fold((0, 0), |(low, high), (a, b)| (low.max(a), high.max(b)))
}

impl Cuts {
    fn new<R: Real>(arms: &[Arm<R>], boxes: &NormalBoxes, d: usize, block: usize) -> Self {
        let after = |held: &[Range<usize>]| {
            held[d + 1..].iter().map(Range::len).product::<usize>() * boxes.group
        };
        let own = || arms.iter().filter(|arm| arm.axis == d);
        let margin = own().map(|arm| arm.stencil.margin()).max().unwrap_or(1);
        let (low, high) = reach(arms, d);
        let room = margin + low + high;
        let lengths = own().flat_map(|arm| [0, arm.stencil.n()]);
        let (x, y, z) = (&boxes.x[d], &boxes.y[d], &boxes.z[d]);
        let ends: Vec<usize> = lengths.chain([x.start, x.end, y.start, y.end]).collect();
        let mut cuts = Cuts {
            strides: [after(&boxes.x), after(&boxes.z)],
            pieces: Vec::new(),
            kinds: Vec::new(),
        };
        let mut alike = None;
        for start in z.clone().step_by(block.max(1)) {
            let piece = start..z.end.min(start + block);
            let far = |&end: &usize| piece.start > end + room || piece.end + room < end;
            let inner = piece.len() == block && ends.iter().all(far);
            let at = cuts.pieces.len();
            let kind = alike.filter(|_| inner).unwrap_or_else(|| {
                cuts.kinds.push([at, at]);
                cuts.kinds.len() - 1
            });
            cuts.kinds[kind][1] = at;
            if inner {
                alike = Some(kind);
            }
            cuts.pieces.push(Cut { z: piece, kind });
        }
        cuts
    }
}

impl<R: Real> super::Star<R> {
    /// `z (+)= AᵀA x`, through the rows of this box of `y`: where sums are kept bit by bit what
    /// [`super::Star::forward`] and then [`super::Star::adjoint`] make.
    ///
    /// # Panics
    ///
    /// If a row reads what the box of `x` lacks.
    pub fn normal(
        &mut self,
        (from, x): Held<'_, &[R]>,
        rows: &[Range<usize>],
        (to, z): Held<'_, &mut [R]>,
        group: usize,
        (acc, sums): (Acc, Sums),
    ) {
        let known = self.normals.iter().position(|(boxes, _)| {
            let same = (boxes.group, boxes.sums) == (group, sums);
            same && boxes.x == from && boxes.y == rows && boxes.z == to
        });
        let at = known.unwrap_or_else(|| {
            if self.normals.len() == super::SEEN {
                self.normals.remove(0);
            }
            let (x, y, z) = (from.to_vec(), rows.to_vec(), to.to_vec());
            let boxes = NormalBoxes { x, y, z, group, sums };
            let normal = Normal::new(&self.arms, self.parts, &boxes);
            self.normals.push((boxes, normal));
            self.normals.len() - 1
        });
        self.normals[at].1.run(x, z, acc);
    }
}
