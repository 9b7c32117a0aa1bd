//! How a star goes over a pair of boxes: runs of contiguous elements, in pieces of like terms.
//!
//! A *run* is what is contiguous on both sides: the last dim that has an arm, or in which the boxes
//! differ, with all dims after it.
//! Indices of a dim that have the same terms are a *class*; the classes of the dims before the run
//! tell the pieces of it, so that a run costs a look into a table.
//! Where a run has one long piece, what is before and after it is computed in whole registers too,
//! with factors for each element (`run.rs`).

mod classes;
mod run;

pub(super) use classes::Side;

use super::super::crew::{self, Divided};
use super::super::simd::versions;
use super::super::vectors::Vector;
use super::super::{Acc, Real};
use super::Arm;
use classes::{ArmTerm, Class, Classes, Shape, Stretch};
use run::{Ends, Runs, along, line};
use std::ops::Range;

/// The boxes of a sweep.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub side: Side<'a>,
    /// What is read.
    pub from: &'a [Range<usize>],
    /// What is written, and the box in whose memory that lies.
    pub to: &'a [Range<usize>],
    pub held: &'a [Range<usize>],
    pub group: usize,
    /// How many elements of the source the whole may be moved ahead.
    pub ahead: usize,
}

/// The way over one pair of boxes.
pub(super) struct Sweep<R> {
    /// The dims before the run but the last of them, and that one.
    outer: Vec<Dim>,
    rows: Dim,
    /// The elements of a run, and of each part of the target with what is between the parts.
    run: usize,
    part: usize,
    parts: usize,
    /// Where in the source and in the target the first run begins.
    origin: isize,
    start: usize,
    source: usize,
    ahead: usize,
    /// For each combination of classes and each part.
    programs: Vec<Program>,
    pieces: Vec<Piece>,
    ends: Vec<Ends<R>>,
    distances: Vec<isize>,
    factors: Vec<R>,
}

/// A dim before the run.
struct Dim {
    /// The distance between neighbours in the source and in the target.
    stride: isize,
    step: usize,
    /// For each index of the target what its class adds to the number of a combination.
    classes: Vec<usize>,
}

/// How a run is done: by its pieces, or by its ends and the piece between them.
struct Program {
    pieces: Range<usize>,
    ends: Option<usize>,
}

/// Elements of a run that have the same terms.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    len: usize,
    first_term: usize,
    terms: usize,
}

impl<R: Real> Sweep<R> {
    pub fn new(arms: &[Arm<R>], parts: usize, way: Way<'_>) -> Self {
        let Way { side, from, to, held, group, ahead } = way;
        let (to_parts, from_parts) = match side {
            Side::Forward => (parts, 1),
            Side::Adjoint => (1, parts),
            Side::Both(_) => (1, 1),
        };
        let dims: Vec<_> = (0..to.len()).map(|d| Classes::of(arms, d, from, to, side)).collect();
        let same = |d: usize| from[d] == to[d] && held[d] == to[d];
        let differs = (0..to.len()).rev().find(|&d| !same(d)).unwrap_or(0);
        let run = arms.iter().map(|arm| arm.axis).max().unwrap_or(0).max(differs);
        let (strides, steps) = (strides(from, group), strides(held, group));
        let lengths = |d: usize| to[d].len();
        let inner = (run + 1..to.len()).map(lengths).product::<usize>() * group;
        let place = |of: &[Range<usize>], strides: &[isize]| -> isize {
            let dims = 0..to.len().min(run + 1);
            dims.map(|d| (to[d].start as isize - of[d].start as isize) * strides[d]).sum()
        };
        let volume = |held: &[Range<usize>]| held.iter().map(Range::len).product::<usize>() * group;
        let mut sweep = Sweep {
            outer: Vec::new(),
            rows: Dim { stride: 0, step: 0, classes: vec![0] },
            run: inner * to.get(run).map_or(1, Range::len),
            part: volume(held),
            parts: to_parts,
            origin: place(from, &strides),
            start: usize::try_from(place(held, &steps)).unwrap_or(0),
            source: from_parts * volume(from),
            ahead,
            programs: Vec::new(),
            pieces: Vec::new(),
            ends: Vec::new(),
            distances: Vec::new(),
            factors: Vec::new(),
        };
        if volume(to) == 0 {
            return sweep;
        }
        let shape = Shape { arms, run, inner, strides, from_part: volume(from), side };
        let combinations = sweep.combinations(&dims[..run], &shape.strides, &steps);
        for numbers in combinations {
            sweep.program(&shape, &dims, to, &numbers);
        }
        sweep
    }

    /// Numbers the combinations of classes of the dims before the run, and lists them.
    fn combinations<'c>(
        &mut self,
        dims: &'c [Classes<R>],
        strides: &[isize],
        steps: &[isize],
    ) -> Vec<Vec<(usize, &'c Class<R>)>> {
        let mut all = vec![vec![]];
        let mut outer: Vec<Dim> = Vec::new();
        for (d, classes) in dims.iter().enumerate() {
            // The last dim counts fastest.
            outer.iter_mut().flat_map(|o| &mut o.classes).for_each(|c| *c *= classes.kinds.len());
            let of = |s: &Stretch| std::iter::repeat_n(s.class, s.indices.len());
            outer.push(Dim {
                stride: strides[d],
                step: steps[d] as usize,
                classes: classes.stretches.iter().flat_map(of).collect(),
            });
            let longer = |known: Vec<(usize, &'c Class<R>)>| {
                let each = classes.kinds.iter().enumerate();
                each.map(move |kind| known.iter().copied().chain([kind]).collect())
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        self.rows = outer.pop().unwrap_or(Dim { stride: 0, step: 0, classes: vec![0] });
        self.outer = outer;
        all
    }

    /// Writes the pieces of a run of one combination, for each part.
    fn program(
        &mut self,
        shape: &Shape<'_, R>,
        dims: &[Classes<R>],
        to: &[Range<usize>],
        outer: &[(usize, &Class<R>)],
    ) {
        let bases = self.bases(shape, dims, outer);
        for part in 0..self.parts {
            let first = self.pieces.len();
            let along = &dims[shape.run];
            let mut all = Vec::new();
            for stretch in &along.stretches {
                let class = (shape.run, &along.kinds[stretch.class]);
                let terms = shape.terms(part, outer, class);
                let local = stretch.indices.start - to[shape.run].start;
                let elements = local * shape.inner..(local + stretch.indices.len()) * shape.inner;
                let present = |&(_, (distance, _)): &ArmTerm<R>| {
                    let lowest = bases.0 + elements.start as isize + distance;
                    let highest = bases.1 + elements.end as isize + distance;
                    lowest >= 0 && highest <= self.source as isize
                };
                assert!(terms.iter().all(present), "the box of x has what the rows of y read");
                self.piece(&elements, &terms);
                all.push((elements, terms));
            }
            let ends = Ends::of(self.run, &all).map(|ends| {
                self.ends.push(ends);
                self.ends.len() - 1
            });
            self.programs.push(Program { pieces: first..self.pieces.len(), ends });
        }
    }

    /// The first and the last place in the source at which runs of a combination begin.
    fn bases(
        &self,
        shape: &Shape<'_, R>,
        dims: &[Classes<R>],
        outer: &[(usize, &Class<R>)],
    ) -> (isize, isize) {
        let mut bases = (self.origin, self.origin);
        for (d, &(class, _)) in outer.iter().enumerate() {
            let mine = dims[d].stretches.iter().filter(|s| s.class == class);
            let start = dims[d].stretches.first().map_or(0, |s| s.indices.start);
            let first = mine.clone().map(|s| s.indices.start - start).min().unwrap_or(0);
            let last = mine.map(|s| s.indices.end - 1 - start).max().unwrap_or(0);
            bases.0 += first as isize * shape.strides[d];
            bases.1 += last as isize * shape.strides[d];
        }
        (bases.0, bases.1 + self.ahead as isize)
    }

    fn piece(&mut self, elements: &Range<usize>, terms: &[ArmTerm<R>]) {
        let first_term = self.distances.len();
        self.distances.extend(terms.iter().map(|(_, term)| term.0));
        self.factors.extend(terms.iter().map(|(_, term)| term.1));
        self.pieces.push(Piece {
            start: elements.start,
            len: elements.len(),
            first_term,
            terms: terms.len(),
        });
    }

    /// `target (+)= …`
    pub fn run(&self, source: &[R], target: &mut [R], acc: Acc) {
        let work = 2 * (source.len() + target.len()) * size_of::<R>();
        let (target, hands) = (Divided::new(target), crew::hands(work));
        crew::each(hands, |hand| {
            let own = crew::part(self.elements(), self.unit(hands), hands, hand);
            // SAFETY: nobody else has this hand's elements.
            unsafe { self.run_at((source, 0), (&target, 0), own, acc) };
        });
    }

    /// [`Sweep::run`] of some elements of each part, counted run by run, with everything so far
    /// ahead in the source, and in the target.
    ///
    /// # Safety
    ///
    /// Nobody else has those elements of the target.
    pub unsafe fn run_at(
        &self,
        (source, ahead): (&[R], usize),
        (target, later): (&Divided<'_, R>, usize),
        own: Range<usize>,
        acc: Acc,
    ) {
        assert_eq!(source.len(), self.source, "the elements of the source");
        assert!(target.has(self.parts * self.part), "the elements of the target");
        assert!(ahead <= self.ahead && own.end <= self.elements(), "terms read what is there");
        let places = (self.origin + ahead as isize, self.start + later);
        sweep(self, source, target, (places, own), acc == Acc::Set);
    }

    /// The elements of a part that are written.
    pub fn elements(&self) -> usize {
        if self.programs.is_empty() {
            return 0;
        }
        let outer = self.outer.iter().map(|dim| dim.classes.len()).product::<usize>();
        outer * self.rows.classes.len() * self.run
    }

    /// Of how many elements hands get multiples: whole runs, if there are some for each.
    fn unit(&self, hands: usize) -> usize {
        /// Elements of some cache lines.
        const SOME: usize = 128;
        if self.elements() >= 2 * hands * self.run { self.run } else { SOME }
    }
}

/// The distance between neighbours along each dim.
fn strides(held: &[Range<usize>], group: usize) -> Vec<isize> {
    let after = |d: usize| held[d + 1..].iter().map(Range::len).product::<usize>() * group;
    (0..held.len()).map(|d| after(d) as isize).collect()
}

/// Where the first run begins in the source and in the target, and the elements to be written.
type Place = ((isize, usize), Range<usize>);

versions! {
    /// Sweeps over some elements of each part of the target run by run; nobody else has them.
    fn sweep {R: Real} {R}
    (plan: &Sweep<R>, source: &[R], target: &Divided<'_, R>, place: Place, set: bool) {
        let (places, own) = place;
        let plane_len = plan.rows.classes.len() * plan.run;
        if own.is_empty() {
            return;
        }
        for plane in own.start / plane_len..own.end.div_ceil(plane_len) {
            let (mut place, mut class, mut rest) = (places, 0, plane);
            for dim in plan.outer.iter().rev() {
                let index = rest % dim.classes.len();
                rest /= dim.classes.len();
                place = dim.moved(place, index);
                class += dim.classes[index];
            }
            let first = plane * plane_len;
            let inside = own.start.max(first) - first..own.end.min(first + plane_len) - first;
            let whole = inside.start.div_ceil(plan.run)..inside.end / plan.run;
            for (class, runs) in plan.rows.stretches(class) {
                let runs = runs.start.max(whole.start)..runs.end.min(whole.end);
                for (first, count) in groups(runs) {
                    let place = plan.rows.moved(place, first);
                    for part in 0..plan.parts {
                        let runs = plan.runs_of(part, source, target, place, count);
                        let program = &plan.programs[class * plan.parts + part];
                        // SAFETY: All that the terms of a piece read is in the source, for every
                        // run of its combination: the program was checked when it was written.
                        // The targets are there, and nobody else has them. The machine is the
                        // caller's care.
                        unsafe { plan.whole::<V>(program, runs, count, set) }
                    }
                }
            }
            for (row, elements) in cuts(&inside, plan.run).into_iter().flatten() {
                let place = plan.rows.moved(place, row);
                for part in 0..plan.parts {
                    let run = plan.runs_of(part, source, target, place, 1);
                    let number = (class + plan.rows.classes[row]) * plan.parts + part;
                    // SAFETY: As above.
                    unsafe { plan.some::<V>(&plan.programs[number], run, &elements, set) }
                }
            }
        }
    }
}

impl<R: Real> Sweep<R> {
    /// So many runs of a part from this place on.
    fn runs_of(
        &self,
        part: usize,
        source: &[R],
        target: &Divided<'_, R>,
        (base, at): (isize, usize),
        count: usize,
    ) -> Runs<R> {
        let (step, stride) = (self.rows.step, self.rows.stride);
        let first = part * self.part + at;
        assert!(target.has(first + (count - 1) * step + self.run), "runs of the target");
        let x = source.as_ptr().wrapping_offset(base);
        Runs { x, y: target.place(first).cast_mut(), pitch: (stride, step), len: self.run }
    }

    /// So many whole runs.
    ///
    /// # Safety
    ///
    /// All that their terms read is there, nobody else has the targets, and the machine has the
    /// instructions of `V`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // The loops around it are compiled for several instruction sets.
    unsafe fn whole<V: Vector<R>>(
        &self,
        program: &Program,
        runs: Runs<R>,
        count: usize,
        set: bool,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            if let Some(ends) = program.ends {
                return along::<V, R>(&self.ends[ends], runs, count, set);
            }
            for run in 0..count {
                self.some::<V>(program, runs.piece(run, 0, self.run), &(0..self.run), set);
            }
        }
    }

    /// Some elements of a run.
    ///
    /// # Safety
    ///
    /// As for [`Sweep::whole`].
    #[inline(always)]
    #[allow(clippy::inline_always)] // As above.
    unsafe fn some<V: Vector<R>>(
        &self,
        program: &Program,
        run: Runs<R>,
        elements: &Range<usize>,
        set: bool,
    ) {
        for piece in &self.pieces[program.pieces.clone()] {
            let start = piece.start.clamp(elements.start, elements.end);
            let end = (piece.start + piece.len).clamp(elements.start, elements.end);
            let terms = piece.first_term..piece.first_term + piece.terms;
            let terms = (&self.distances[terms.clone()], &self.factors[terms]);
            // SAFETY: the caller's contract.
            unsafe { line::<V, R>(run.piece(0, start, end - start), terms, set) };
        }
    }
}

/// Of some elements of a plane those in runs that are not whole: which runs, and what of them.
fn cuts(inside: &Range<usize>, run: usize) -> [Option<(usize, Range<usize>)>; 2] {
    let of = |row: usize| {
        let (first, last) = (row * run, row * run + run);
        (row, inside.start.max(first) - first..inside.end.min(last) - first)
    };
    let (start, end) = (inside.start / run, inside.end / run);
    let head = !inside.start.is_multiple_of(run);
    let tail = !inside.end.is_multiple_of(run) && (!head || start != end);
    [head.then(|| of(start)), tail.then(|| of(end))]
}

/// Runs are done so many at a time, part after part.
const GROUP: usize = 8;

/// The first of each group of runs, and how many are in it.
fn groups(runs: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    runs.clone().step_by(GROUP).map(move |first| (first, GROUP.min(runs.end - first)))
}

impl Dim {
    /// Neighbouring indices with the same combination, which begins with the class of other dims.
    fn stretches(&self, class: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let mut at = 0;
        self.classes.chunk_by(|a, b| a == b).map(move |alike| {
            let first = at;
            at += alike.len();
            (class + alike[0], first..at)
        })
    }

    /// The places in source and target of another index.
    fn moved(&self, (base, at): (isize, usize), index: usize) -> (isize, usize) {
        (base + index as isize * self.stride, at + index * self.step)
    }
}
