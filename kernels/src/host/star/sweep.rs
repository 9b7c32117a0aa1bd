//! How a star goes over a pair of boxes: runs of contiguous elements, in pieces of like terms.
//!
//! A *run* is what is contiguous on both sides: the last dim that has an arm, or in which the boxes
//! differ, with all dims after it.
//! Indices of a dim that have the same terms are a *class*; the classes of the dims before the run
//! tell the pieces of it, so that a run costs a look into a table.

use super::super::crew::{self, Divided};
use super::super::simd::versions;
use super::super::stencil::Term;
use super::super::vectors::Vector;
use super::super::{Acc, Real};
use super::{Arm, Boxes};
use std::array::from_fn;
use std::ops::Range;

/// The way over one pair of boxes.
pub(super) struct Sweep<R> {
    /// The dims before the run but the last of them, and that one.
    outer: Vec<Dim>,
    rows: Dim,
    /// The elements of a run, and of each part of the target.
    run: usize,
    part: usize,
    parts: usize,
    /// Where in the source the first run of the target begins.
    origin: isize,
    source: usize,
    /// For each combination of classes and each part, its pieces.
    programs: Vec<Range<usize>>,
    pieces: Vec<Piece>,
    distances: Vec<isize>,
    factors: Vec<R>,
}

/// A dim before the run.
struct Dim {
    /// The distance between neighbours in the source.
    stride: isize,
    /// For each index of the target what its class adds to the number of a combination.
    classes: Vec<usize>,
}

/// Elements of a run that have the same terms.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    len: usize,
    first_term: usize,
    terms: usize,
    /// Whether other pieces may be computed like this one before they are computed rightly: what
    /// that reads is there, and the registers of a whole run are aligned.
    covers: bool,
}

/// Indices of a dim that have the same terms.
#[derive(PartialEq)]
struct Class<R> {
    /// Whether the source has the index.
    inside: bool,
    /// For each arm along the dim its terms.
    terms: Vec<Vec<Term<R>>>,
}

/// Neighbouring indices of one class.
struct Stretch {
    indices: Range<usize>,
    class: usize,
}

/// The classes of a dim, and where they are.
struct Classes<R> {
    kinds: Vec<Class<R>>,
    stretches: Vec<Stretch>,
}

impl<R: Real> Sweep<R> {
    pub fn new(arms: &[Arm<R>], parts: usize, boxes: &Boxes) -> Self {
        let Boxes { adjoint, x, y, group } = boxes;
        let (from, to) = if *adjoint { (y, x) } else { (x, y) };
        let (to_parts, from_parts) = if *adjoint { (1, parts) } else { (parts, 1) };
        let dims: Vec<_> =
            (0..to.len()).map(|d| Classes::of(arms, d, from, to, *adjoint)).collect();
        let differs = (0..to.len()).rev().find(|&d| from[d] != to[d]).unwrap_or(0);
        let run = arms.iter().map(|arm| arm.axis).max().unwrap_or(0).max(differs);
        let strides = strides(from, *group);
        let lengths = |d: usize| to[d].len();
        let inner = (run + 1..to.len()).map(lengths).product::<usize>() * group;
        let place = |d: usize| (to[d].start as isize - from[d].start as isize) * strides[d];
        let volume = |held: &[Range<usize>]| held.iter().map(Range::len).product::<usize>() * group;
        let mut sweep = Sweep {
            outer: Vec::new(),
            rows: Dim { stride: 0, classes: vec![0] },
            run: inner * to.get(run).map_or(1, Range::len),
            part: volume(to),
            parts: to_parts,
            origin: (0..to.len().min(run + 1)).map(place).sum(),
            source: from_parts * volume(from),
            programs: Vec::new(),
            pieces: Vec::new(),
            distances: Vec::new(),
            factors: Vec::new(),
        };
        if sweep.part == 0 || sweep.source == 0 {
            return sweep;
        }
        let shape = Shape { arms, run, inner, strides, from_part: volume(from), adjoint: *adjoint };
        let combinations = sweep.combinations(&dims[..run], &shape.strides);
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
    ) -> Vec<Vec<(usize, &'c Class<R>)>> {
        let mut all = vec![vec![]];
        let mut outer: Vec<Dim> = Vec::new();
        for (d, classes) in dims.iter().enumerate() {
            // The last dim counts fastest.
            outer.iter_mut().flat_map(|o| &mut o.classes).for_each(|c| *c *= classes.kinds.len());
            let of = |s: &Stretch| std::iter::repeat_n(s.class, s.indices.len());
            outer.push(Dim {
                stride: strides[d],
                classes: classes.stretches.iter().flat_map(of).collect(),
            });
            let longer = |known: Vec<(usize, &'c Class<R>)>| {
                let each = classes.kinds.iter().enumerate();
                each.map(move |kind| known.iter().copied().chain([kind]).collect())
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        self.rows = outer.pop().unwrap_or(Dim { stride: 0, classes: vec![0] });
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
            for stretch in &along.stretches {
                let class = (shape.run, &along.kinds[stretch.class]);
                let terms = shape.terms(part, outer, class);
                let local = stretch.indices.start - to[shape.run].start;
                let elements = local * shape.inner..(local + stretch.indices.len()) * shape.inner;
                let present = |elements: &Range<usize>| {
                    terms.iter().all(|(distance, _)| {
                        let lowest = bases.0 + elements.start as isize + distance;
                        let highest = bases.1 + elements.end as isize + distance;
                        lowest >= 0 && highest <= self.source as isize
                    })
                };
                assert!(present(&elements), "the box of x has what the rows of y read");
                let covers = 2 * elements.len() > self.run && present(&(0..self.run));
                self.piece(elements, &terms, covers);
            }
            // What covers others comes before them.
            self.pieces[first..].sort_by_key(|piece| !piece.covers);
            self.programs.push(first..self.pieces.len());
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
        bases
    }

    fn piece(&mut self, elements: Range<usize>, terms: &[Term<R>], covers: bool) {
        let first_term = self.distances.len();
        self.distances.extend(terms.iter().map(|term| term.0));
        self.factors.extend(terms.iter().map(|term| term.1));
        self.pieces.push(Piece {
            start: elements.start,
            len: elements.len(),
            first_term,
            terms: terms.len(),
            covers,
        });
    }

    /// `target (+)= …`
    pub fn run(&self, source: &[R], target: &mut [R], acc: Acc) {
        assert_eq!(source.len(), self.source, "the elements of the source");
        assert_eq!(target.len(), self.parts * self.part, "the elements of the target");
        if self.programs.is_empty() {
            return acc.prepare(target);
        }
        let work = 2 * (source.len() + target.len()) * size_of::<R>();
        let (target, set) = (Divided::new(target), acc == Acc::Set);
        let hands = crew::hands(work);
        crew::each(hands, |hand| {
            let own = crew::part(self.part, self.unit(hands), hands, hand);
            sweep(self, source, &target, own, set);
        });
    }

    /// Of how many elements hands get multiples: whole runs, if there are some for each.
    fn unit(&self, hands: usize) -> usize {
        /// Elements of some cache lines.
        const SOME: usize = 128;
        if self.part / self.run >= 2 * hands { self.run } else { SOME }
    }
}

/// What terms follow from.
struct Shape<'a, R> {
    arms: &'a [Arm<R>],
    run: usize,
    /// The elements of each index of the run's dim.
    inner: usize,
    strides: Vec<isize>,
    /// The elements of a part of the source.
    from_part: usize,
    adjoint: bool,
}

impl<R: Real> Shape<'_, R> {
    /// The terms of a part of the target where the dims have these classes: the distance from the
    /// same place in the source, and the coefficient.
    fn terms(
        &self,
        part: usize,
        outer: &[(usize, &Class<R>)],
        (run, along): (usize, &Class<R>),
    ) -> Vec<Term<R>> {
        let classes = || outer.iter().map(|o| o.1).chain([along]);
        let mut seen = vec![0; run + 1];
        let mut terms = Vec::new();
        for arm in self.arms {
            let d = arm.axis;
            let nth = seen[d];
            seen[d] += 1;
            let reached = classes().enumerate().all(|(e, class)| e == d || class.inside);
            if !reached || (!self.adjoint && arm.part != part) {
                continue;
            }
            let base = if self.adjoint { (arm.part * self.from_part) as isize } else { 0 };
            let own = classes().nth(d).map_or(&[][..], |class| &class.terms[nth]);
            terms.extend(own.iter().map(|&(offset, c)| (base + offset * self.strides[d], c)));
        }
        terms
    }
}

impl<R: Real> Classes<R> {
    /// The classes of dim `d` of a target. Far from the ends of the axis and of the source's box
    /// all indices are alike.
    fn of(
        arms: &[Arm<R>],
        d: usize,
        from: &[Range<usize>],
        to: &[Range<usize>],
        adjoint: bool,
    ) -> Self {
        let arms: Vec<_> = arms.iter().filter(|arm| arm.axis == d).collect();
        let class = |at: usize| Class {
            inside: from[d].contains(&at),
            terms: arms.iter().map(|arm| arm.terms(at, &from[d], adjoint)).collect(),
        };
        let margin = arms.iter().map(|arm| arm.stencil.margin()).max().unwrap_or(1);
        let ends = arms.iter().flat_map(|arm| [0, arm.stencil.n()]);
        let ends: Vec<usize> = ends.chain([from[d].start, from[d].end]).collect();
        let mut out = Classes { kinds: Vec::<Class<R>>::new(), stretches: Vec::<Stretch>::new() };
        let mut at = to[d].start;
        while at < to[d].end {
            let near = ends.iter().any(|&end| at.abs_diff(end) <= margin);
            let ahead = ends.iter().map(|end| end.saturating_sub(margin)).filter(|&s| s > at).min();
            let next = if near { at + 1 } else { ahead.unwrap_or(usize::MAX).min(to[d].end) };
            out.push(class(at), at..next);
            at = next;
        }
        out
    }

    fn push(&mut self, class: Class<R>, indices: Range<usize>) {
        let known = self.kinds.iter().position(|kind| *kind == class);
        let class = known.unwrap_or_else(|| {
            self.kinds.push(class);
            self.kinds.len() - 1
        });
        match self.stretches.last_mut().filter(|last| last.class == class) {
            Some(last) => last.indices.end = indices.end,
            None => self.stretches.push(Stretch { indices, class }),
        }
    }
}

impl<R: Real> Arm<R> {
    /// Of one index of the target, as offsets in the source.
    fn terms(&self, at: usize, from: &Range<usize>, adjoint: bool) -> Vec<Term<R>> {
        if adjoint {
            self.stencil.column(at, from).collect()
        } else {
            self.stencil.row(at).to_vec()
        }
    }
}

/// The distance between neighbours along each dim.
fn strides(held: &[Range<usize>], group: usize) -> Vec<isize> {
    let after = |d: usize| held[d + 1..].iter().map(Range::len).product::<usize>() * group;
    (0..held.len()).map(|d| after(d) as isize).collect()
}

versions! {
    /// Sweeps over some elements of each part of the target run by run; nobody else has them.
    fn sweep {R: Real} {R}
    (plan: &Sweep<R>, source: &[R], target: &Divided<'_, R>, own: Range<usize>, set: bool) {
        let rows = plan.rows.classes.len();
        let planes = own.start / (rows * plan.run)..own.end.div_ceil(rows * plan.run);
        for plane in planes {
            let (mut base, mut class, mut rest) = (plan.origin, 0, plane);
            for dim in plan.outer.iter().rev() {
                let index = rest % dim.classes.len();
                rest /= dim.classes.len();
                base += index as isize * dim.stride;
                class += dim.classes[index];
            }
            let origin = plane * rows * plan.run;
            let first = own.start.saturating_sub(origin) / plan.run;
            let last = (own.end - origin).div_ceil(plan.run).min(rows);
            base += first as isize * plan.rows.stride;
            let mut at = origin + first * plan.run;
            for row in &plan.rows.classes[first..last] {
                let whole = own.start <= at && at + plan.run <= own.end;
                for part in 0..plan.parts {
                    let program = &plan.programs[(class + row) * plan.parts + part];
                    for piece in &plan.pieces[program.clone()] {
                        let terms = piece.first_term..piece.first_term + piece.terms;
                        let all = set && piece.covers;
                        let (start, len) = if all { (0, plan.run) } else { (piece.start, piece.len) };
                        let (start, len) = if whole {
                            (start, len)
                        } else {
                            let inside = |place: usize| (at + place).clamp(own.start, own.end) - at;
                            (inside(start), inside(start + len) - inside(start))
                        };
                        let to = part * plan.part + at + start;
                        let from = base + start as isize;
                        // SAFETY: All that the terms of a piece read is in the source, for
                        // every run of its combination: the program was checked when it was
                        // written. Nobody else has these elements of the target. The machine is
                        // the caller's care.
                        unsafe {
                            let y = target.part(to..to + len);
                            let x = source.as_ptr().wrapping_offset(from);
                            let distances = &plan.distances[terms.clone()];
                            sum::<V, R>(x, distances, &plan.factors[terms], y, set);
                        }
                    }
                }
                base += plan.rows.stride;
                at += plan.run;
            }
        }
    }
}

/// `y (+)= Σ factors[k] x[distances[k] ..]`
///
/// # Safety
///
/// `y.len()` reals can be read from each place, and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // The loops around it are compiled for several instruction sets.
unsafe fn sum<V: Vector<R>, R: Real>(
    x: *const R,
    distances: &[isize],
    factors: &[R],
    y: &mut [R],
    set: bool,
) {
    /// Terms that are summed at once; their factors stay in registers.
    const MOST: usize = 8;
    if y.len() < V::LANES {
        for (j, y) in y.iter_mut().enumerate() {
            let mut sum = if set { R::ZERO } else { *y };
            for (&distance, &factor) in distances.iter().zip(factors) {
                // SAFETY: `j` is less than `y.len()`.
                sum = unsafe { V::one(factor, *x.wrapping_offset(distance).add(j), sum) };
            }
            *y = sum;
        }
        return;
    }
    if distances.is_empty() && set {
        y.fill(R::ZERO);
    }
    let mut set = set;
    for (distances, factors) in distances.chunks(MOST).zip(factors.chunks(MOST)) {
        let terms = (distances, factors);
        // SAFETY: the caller's contract.
        unsafe {
            match distances.len() {
                8 => several::<V, R, 8>(x, terms, y, set),
                7 => several::<V, R, 7>(x, terms, y, set),
                6 => several::<V, R, 6>(x, terms, y, set),
                5 => several::<V, R, 5>(x, terms, y, set),
                4 => several::<V, R, 4>(x, terms, y, set),
                3 => several::<V, R, 3>(x, terms, y, set),
                2 => several::<V, R, 2>(x, terms, y, set),
                _ => several::<V, R, 1>(x, terms, y, set),
            }
        }
        set = false;
    }
}

/// [`sum`] of `K` terms.
///
/// # Safety
///
/// As for [`sum`]; and `y` has a register's reals.
#[inline(always)]
#[allow(clippy::inline_always)] // The loops around it are compiled for several instruction sets.
unsafe fn several<V: Vector<R>, R: Real, const K: usize>(
    x: *const R,
    (distances, factors): (&[isize], &[R]),
    y: &mut [R],
    set: bool,
) {
    let n = y.len();
    let out = y.as_mut_ptr();
    let from: [*const R; K] = from_fn(|k| x.wrapping_offset(distances[k]));
    // SAFETY: All loads and stores end at `n` elements at most.
    unsafe {
        let zero = V::splat(R::ZERO);
        let mut c = [zero; K];
        for k in 0..K {
            c[k] = V::splat(factors[k]);
        }
        // The last register may overlap the one before, and begins with what was there.
        let last = n - V::LANES;
        let mut kept = if set { zero } else { V::load(out.add(last)) };
        let mut at = 0;
        while at + 2 * V::LANES <= n {
            let next = at + V::LANES;
            let (mut one, mut two) =
                if set { (zero, zero) } else { (V::load(out.add(at)), V::load(out.add(next))) };
            for k in 0..K {
                one = c[k].fused(V::load(from[k].add(at)), one);
                two = c[k].fused(V::load(from[k].add(next)), two);
            }
            one.store(out.add(at));
            two.store(out.add(next));
            at += 2 * V::LANES;
        }
        if at + V::LANES <= n {
            let mut sum = if set { zero } else { V::load(out.add(at)) };
            for k in 0..K {
                sum = c[k].fused(V::load(from[k].add(at)), sum);
            }
            sum.store(out.add(at));
            at += V::LANES;
        }
        if at < n {
            for k in 0..K {
                kept = c[k].fused(V::load(from[k].add(last)), kept);
            }
            kept.store(out.add(last));
        }
    }
}
