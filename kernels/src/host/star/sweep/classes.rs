//! The terms of a star's rows: alike for whole classes of indices, but near the ends of axes and
//! boxes.

use super::super::super::Real;
use super::super::super::stencil::Term;
use super::super::Arm;
use std::ops::Range;

/// Which of a star's matrices is applied.
#[derive(Clone, Copy)]
pub(in super::super) enum Side<'a> {
    /// `A`
    Forward,
    /// `Aᵀ`
    Adjoint,
    /// `AᵀA` through these rows, of arms that are alone in their parts.
    Both(&'a [Range<usize>]),
}

/// A term, and to which arm it belongs.
pub(super) type ArmTerm<R> = (usize, Term<R>);

/// Indices of a dim that have the same terms.
#[derive(PartialEq)]
pub(super) struct Class<R> {
    /// Whether arms along other dims have rows here.
    pub inside: bool,
    /// For each arm along the dim its terms.
    pub terms: Vec<Vec<Term<R>>>,
}

/// Neighbouring indices of one class.
pub(super) struct Stretch {
    pub indices: Range<usize>,
    pub class: usize,
}

/// The classes of a dim, and where they are.
pub(super) struct Classes<R> {
    pub kinds: Vec<Class<R>>,
    pub stretches: Vec<Stretch>,
}

/// What terms follow from.
pub(super) struct Shape<'a, R> {
    pub arms: &'a [Arm<R>],
    pub run: usize,
    /// The elements of each index of the run's dim.
    pub inner: usize,
    pub strides: Vec<isize>,
    /// The elements of a part of the source.
    pub from_part: usize,
    pub side: Side<'a>,
}

impl<R: Real> Shape<'_, R> {
    /// The terms of a part of the target where the dims have these classes: the distance from the
    /// same place in the source, and the coefficient.
    pub fn terms(
        &self,
        part: usize,
        outer: &[(usize, &Class<R>)],
        (run, along): (usize, &Class<R>),
    ) -> Vec<ArmTerm<R>> {
        let classes = || outer.iter().map(|o| o.1).chain([along]);
        let mut seen = vec![0; run + 1];
        let mut terms: Vec<ArmTerm<R>> = Vec::new();
        for (number, arm) in self.arms.iter().enumerate() {
            let d = arm.axis;
            let nth = seen[d];
            seen[d] += 1;
            let reached = classes().enumerate().all(|(e, class)| e == d || class.inside);
            let (skipped, base) = match self.side {
                Side::Forward => (arm.part != part, 0),
                Side::Adjoint => (false, (arm.part * self.from_part) as isize),
                Side::Both(_) => (false, 0),
            };
            if !reached || skipped {
                continue;
            }
            let own = classes().nth(d).map_or(&[][..], |class| &class.terms[nth]);
            let term = |&(offset, c): &Term<R>| (number, (base + offset * self.strides[d], c));
            for (number, (distance, c)) in own.iter().map(term) {
                match terms.iter_mut().find(|(_, known)| known.0 == distance) {
                    Some((_, known)) => known.1 += c,
                    None => terms.push((number, (distance, c))),
                }
            }
        }
        terms
    }
}

impl<R: Real> Classes<R> {
    /// The classes of dim `d` of a target. Far from the ends of the axis and of the source's box
    /// all indices are alike.
    pub fn of(
        arms: &[Arm<R>],
        d: usize,
        from: &[Range<usize>],
        to: &[Range<usize>],
        side: Side<'_>,
    ) -> Self {
        let arms: Vec<_> = arms.iter().filter(|arm| arm.axis == d).collect();
        let rows = if let Side::Both(rows) = side { &rows[d] } else { &from[d] };
        let class = |at: usize| Class {
            inside: rows.contains(&at),
            terms: arms.iter().map(|arm| arm.terms(at, rows, side)).collect(),
        };
        let margin = arms.iter().map(|arm| arm.stencil.margin()).max().unwrap_or(1);
        let ends = arms.iter().flat_map(|arm| [0, arm.stencil.n()]);
        let ends: Vec<usize> = ends.chain([rows.start, rows.end]).collect();
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
    /// Of one index of the target, as offsets in the source; there are only these rows.
    fn terms(&self, at: usize, rows: &Range<usize>, side: Side<'_>) -> Vec<Term<R>> {
        match side {
            Side::Forward => self.stencil.row(at).to_vec(),
            Side::Adjoint => self.stencil.column(at, rows).collect(),
            Side::Both(_) => self.stencil.normal(at, rows),
        }
    }
}
