//! Sums of stencils along the axes of a box, in one sweep: `y[p] (+)= Σ S x` over the arms of part
//! `p`, adjoint `x (+)= Σ Sᵀ y[p]` over all arms.
//!
//! Both sides hold boxes of the same indices, `y` one after the other for each part.
//! That of `x` has the ghost cells that the rows of `y` read, and may have more; the adjoint sums
//! what the rows of `y` contribute to every element of it, ghosts included.
//! Every element is a sum of all its terms in the order of arms and rows, wherever boxes end.

mod sweep;
mod normal;

pub use normal::Sums;

use super::stencil::Stencil;
use super::{Acc, Real};
use normal::{Normal, NormalBoxes};
use std::ops::Range;
use sweep::{Side, Sweep, Way};

/// A stencil along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm<R> {
    /// The part of `y` to which it belongs.
    pub part: usize,
    /// The axis.
    pub axis: usize,
    /// The rows along the axis.
    pub stencil: Stencil<R>,
}

/// Stencils that are applied together.
pub struct Star<R> {
    parts: usize,
    /// In the order of the axes.
    arms: Vec<Arm<R>>,
    /// How it is done for boxes that have been seen.
    sweeps: Vec<(Boxes, Sweep<R>)>,
    normals: Vec<(NormalBoxes, Normal<R>)>,
}

/// The boxes of an apply.
#[derive(Clone, Debug, PartialEq)]
struct Boxes {
    adjoint: bool,
    x: Vec<Range<usize>>,
    y: Vec<Range<usize>>,
    group: usize,
}

/// A box of indices and its elements, of which each index has a group of neighbours.
pub type Held<'a, T> = (&'a [Range<usize>], T);

/// For how many boxes it is remembered how things are done.
const SEEN: usize = 8;

impl<R: Real> Star<R> {
    /// The sum of stencils for each of so many parts.
    pub fn new(parts: usize, mut arms: Vec<Arm<R>>) -> Self {
        arms.sort_by_key(|arm| arm.axis);
        Star { parts, arms, sweeps: Vec::new(), normals: Vec::new() }
    }

    /// `y (+)= A x`
    ///
    /// # Panics
    ///
    /// If a row of `y` reads what the box of `x` lacks.
    pub fn forward(
        &mut self,
        (from, x): Held<'_, &[R]>,
        (to, y): Held<'_, &mut [R]>,
        group: usize,
        acc: Acc,
    ) {
        self.sweep(false, from, to, group).run(x, y, acc);
    }

    /// `x (+)= Aᵀ y`
    pub fn adjoint(
        &mut self,
        (to, y): Held<'_, &[R]>,
        (from, x): Held<'_, &mut [R]>,
        group: usize,
        acc: Acc,
    ) {
        self.sweep(true, from, to, group).run(y, x, acc);
    }

    fn sweep(
        &mut self,
        adjoint: bool,
        x: &[Range<usize>],
        y: &[Range<usize>],
        group: usize,
    ) -> &Sweep<R> {
        let known = self.sweeps.iter().position(|(boxes, _)| {
            (boxes.adjoint, boxes.group) == (adjoint, group) && boxes.x == x && boxes.y == y
        });
        let at = known.unwrap_or_else(|| {
            if self.sweeps.len() == SEEN {
                self.sweeps.remove(0);
            }
            let boxes = Boxes { adjoint, x: x.to_vec(), y: y.to_vec(), group };
            let (side, from, to) =
                if adjoint { (Side::Adjoint, y, x) } else { (Side::Forward, x, y) };
            let way = Way { side, from, to, held: to, group, ahead: 0 };
            let sweep = Sweep::new(&self.arms, self.parts, way);
            self.sweeps.push((boxes, sweep));
            self.sweeps.len() - 1
        });
        &self.sweeps[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::crew::Crew;
    use crate::host::testing::{assert_close, assert_dots, values};
    use std::sync::Arc;

    /// Seven interior terms, rows of their own at both ends, one of them empty.
    fn wild<R: Real>(n: usize, seed: u64) -> Stencil<R> {
        let c: Vec<R> = values(seed, 16);
        let interior = (0..7).map(|k| (k as isize - 2, c[k])).collect();
        let head = vec![vec![(0, c[7]), (3, c[8])], vec![], vec![(-2, c[9])]];
        let tail = vec![vec![(-1, c[10])], vec![(1, c[11]), (-3, c[12])], vec![], vec![(3, c[13])]];
        Stencil::new(n, interior, head, tail)
    }

    fn second<R: Real>(n: usize) -> Stencil<R> {
        let c = |v| R::nearest(v);
        Stencil::new(n, vec![(-1, c(1.0)), (0, c(-2.0)), (1, c(1.0))], vec![vec![]], vec![vec![]])
    }

    fn arm<R: Real>(part: usize, axis: usize, stencil: Stencil<R>) -> Arm<R> {
        Arm { part, axis, stencil }
    }

    fn volume(held: &[Range<usize>]) -> usize {
        held.iter().map(Range::len).product()
    }

    /// The indices of a box, row-major.
    fn indices(held: &[Range<usize>]) -> Vec<Vec<usize>> {
        held.iter().fold(vec![vec![]], |all, range| {
            let longer = |at: &Vec<usize>| {
                let at = at.clone();
                range.clone().map(move |i| at.iter().copied().chain([i]).collect())
            };
            all.iter().flat_map(longer).collect()
        })
    }

    /// The matrix between two boxes, entry by entry.
    fn dense<R: Real>(
        arms: &[Arm<R>],
        parts: usize,
        x: &[Range<usize>],
        y: &[Range<usize>],
    ) -> Vec<Vec<R>> {
        let columns = volume(x);
        let place = |at: &[usize]| {
            let inside = at.iter().zip(x).all(|(i, range)| range.contains(i));
            let local = |p: usize, (i, r): (&usize, &Range<usize>)| p * r.len() + i - r.start;
            inside.then(|| at.iter().zip(x).fold(0, local))
        };
        let mut rows = Vec::new();
        for part in 0..parts {
            for index in indices(y) {
                let mut row = vec![R::ZERO; columns];
                for arm in arms.iter().filter(|arm| arm.part == part) {
                    for &(offset, c) in arm.stencil.row(index[arm.axis]) {
                        let mut read = index.clone();
                        read[arm.axis] = read[arm.axis].wrapping_add_signed(offset);
                        if let Some(at) = place(&read) {
                            row[at] += c;
                        }
                    }
                }
                rows.push(row);
            }
        }
        rows
    }

    fn apply<R: Real>(matrix: &[Vec<R>], x: &[R], group: usize) -> Vec<R> {
        let mut y = vec![R::ZERO; matrix.len() * group];
        for (i, row) in matrix.iter().enumerate() {
            for (j, &c) in row.iter().enumerate() {
                (0..group).for_each(|g| y[i * group + g] += c * x[j * group + g]);
            }
        }
        y
    }

    fn transposed<R: Real>(matrix: &[Vec<R>], columns: usize) -> Vec<Vec<R>> {
        (0..columns).map(|j| matrix.iter().map(|row| row[j]).collect()).collect()
    }

    fn compare<R: Real>(parts: usize, arms: &[Arm<R>], boxes: &Boxes) {
        let Boxes { x: from, y: to, group, .. } = boxes;
        let matrix = dense(arms, parts, from, to);
        let mut star = Star::new(parts, arms.to_vec());
        let x: Vec<R> = values(1, volume(from) * group);
        let u: Vec<R> = values(2, parts * volume(to) * group);
        let old: Vec<R> = values(3, u.len());
        let (mut y, mut sum) = (old.clone(), old.clone());
        star.forward((from, &x), (to, &mut y), *group, Acc::Set);
        assert_close(&y, &apply(&matrix, &x, *group));
        star.forward((from, &x), (to, &mut sum), *group, Acc::Add);
        let want: Vec<R> = y.iter().zip(&old).map(|(&a, &b)| a + b).collect();
        assert_close(&sum, &want);
        let old: Vec<R> = values(4, x.len());
        let (mut z, mut sum) = (old.clone(), old.clone());
        star.adjoint((to, &u), (from, &mut z), *group, Acc::Set);
        assert_close(&z, &apply(&transposed(&matrix, volume(from)), &u, *group));
        assert_dots(&x, &y, &u, &z);
        star.adjoint((to, &u), (from, &mut sum), *group, Acc::Add);
        let want: Vec<R> = z.iter().zip(&old).map(|(&a, &b)| a + b).collect();
        assert_close(&sum, &want);
    }

    fn stars_match_matrices<R: Real>() {
        let n = [9, 8, 19];
        let crosses: [(usize, Vec<Arm<R>>); 5] = [
            (1, vec![arm(0, 0, wild(n[0], 7))]),
            (1, vec![arm(0, 2, wild(n[2], 7))]),
            (1, vec![arm(0, 0, second(n[0])), arm(0, 1, second(n[1])), arm(0, 2, second(n[2]))]),
            (1, vec![arm(0, 1, wild(n[1], 8)), arm(0, 0, wild(n[0], 9))]),
            (3, (0..3).map(|a| arm(a, a, wild(n[a], 10 + a as u64))).collect()),
        ];
        let whole: [Range<usize>; 3] = [0..9, 0..8, 0..19];
        let inner = [4..7, 0..8, 5..17];
        let (thin, empty) = ([6..7, 2..5, 0..19], [3..3, 0..8, 0..19]);
        for (parts, arms) in &crosses {
            for (y, group) in [(&whole, 1), (&inner, 1), (&thin, 2), (&empty, 1), (&inner, 3)] {
                let mut x = y.clone();
                for arm in arms {
                    let (low, high) = arm.stencil.reach();
                    let own = y[arm.axis].clone();
                    x[arm.axis] = own.start.saturating_sub(low)..(own.end + high).min(n[arm.axis]);
                }
                let boxes = Boxes { adjoint: false, x: x.to_vec(), y: y.to_vec(), group };
                compare(*parts, arms, &boxes);
                compare(*parts, arms, &Boxes { x: whole.to_vec(), ..boxes });
            }
        }
    }

    #[test]
    fn stars_match_matrices_of_both_precisions() {
        stars_match_matrices::<f32>();
        stars_match_matrices::<f64>();
    }

    #[test]
    fn long_axes_have_many_alike_rows() {
        let arms = vec![arm(0, 0, wild::<f64>(400, 3))];
        for y in [0..400, 17..311, 399..400, 0..1_usize] {
            let x = y.start.saturating_sub(4)..(y.end + 4).min(400);
            compare(1, &arms, &Boxes { adjoint: false, x: vec![x], y: vec![y], group: 2 });
        }
    }

    /// Long rows of few terms have loops of their own.
    fn rows_of_any_number_of_terms<R: Real>() {
        for terms in 1..=9_usize {
            let (n, low) = ([3, 130], terms / 2);
            let c: Vec<R> = values(terms as u64, terms);
            let interior = (0..terms).map(|k| (k as isize - low as isize, c[k])).collect();
            let ends = |rows: usize| vec![vec![]; rows];
            let stencil = Stencil::new(n[1], interior, ends(low), ends(terms - 1 - low));
            let whole = [0..n[0], 0..n[1]];
            for columns in [0..130, 5..104, 40..97_usize] {
                let y = vec![0..n[0], columns];
                let boxes = Boxes { adjoint: false, x: whole.to_vec(), y, group: 1 };
                compare(1, &[arm(0, 1, stencil.clone())], &boxes);
            }
        }
    }

    #[test]
    fn rows_may_have_any_number_of_terms() {
        rows_of_any_number_of_terms::<f32>();
        rows_of_any_number_of_terms::<f64>();
    }

    #[test]
    fn bits_do_not_depend_on_boxes() {
        let n = [9, 40];
        let arms = || vec![arm(0, 0, second::<f32>(n[0])), arm(0, 1, wild(n[1], 5))];
        let whole = [0..n[0], 0..n[1]];
        let mut star = Star::new(1, arms());
        let x: Vec<f32> = values(1, n[0] * n[1]);
        let mut all = vec![0.0; x.len()];
        star.forward((&whole, &x), (&whole, &mut all), 1, Acc::Set);
        for (rows, columns) in [(0..3, 0..40), (2..9, 7..8), (4..5, 3..36)] {
            let part = [rows, columns];
            let mut y = vec![0.0; volume(&part)];
            star.forward((&whole, &x), (&part, &mut y), 1, Acc::Set);
            let want = indices(&part).into_iter().map(|at| all[at[0] * n[1] + at[1]]);
            assert!(want.zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    /// Blocks of all kinds: many, few, cut along rows, and ends in the middle of a box.
    fn normals_match_both<R: Real>(n: [usize; 3], group: usize) {
        let crosses: [(usize, Vec<Arm<R>>); 4] = [
            (1, vec![arm(0, 1, wild(n[1], 8)), arm(0, 0, wild(n[0], 9))]),
            (1, (0..3).map(|a| arm(0, a, second(n[a]))).collect()),
            (3, (0..3).map(|a| arm(a, a, second(n[a]))).collect()),
            (3, (0..3).map(|a| arm(a, a, wild(n[a], 10 + a as u64))).collect()),
        ];
        let whole = [0..n[0], 0..n[1], 0..n[2]];
        let inner = [n[0] / 3..n[0] - 5, 0..n[1], 1..n[2] - 1];
        for (parts, arms) in crosses {
            let mut star = Star::new(parts, arms);
            for (rows, to) in [(&whole, &whole), (&inner, &whole), (&inner, &inner)] {
                let x: Vec<R> = values(1, volume(&whole) * group);
                let mut y = vec![R::ZERO; parts * volume(rows) * group];
                let mut want: Vec<R> = values(2, volume(to) * group);
                let mut z = want.clone();
                star.forward((&whole, &x), (rows, &mut y), group, Acc::Set);
                for (acc, threads) in [(Acc::Add, 1), (Acc::Set, 3), (Acc::Add, 2)] {
                    let old = z.clone();
                    star.adjoint((rows, &y), (to, &mut want), group, acc);
                    let crew = Arc::new(Crew::new(threads, false).unwrap().sharing_from(1));
                    let _entered = crew.enter();
                    star.normal((&whole, &x), rows, (to, &mut z), group, (acc, Sums::Kept));
                    assert!(z == want, "{rows:?} {to:?} {acc:?} {threads}");
                    let mut free = old.clone();
                    star.normal((&whole, &x), rows, (to, &mut free), group, (acc, Sums::Free));
                    assert_close(&free, &want);
                }
            }
        }
    }

    #[test]
    fn normals_are_both_applied() {
        normals_match_both::<f32>([9, 8, 19], 2);
        normals_match_both::<f64>([70, 12, 40], 1);
        normals_match_both::<f32>([41, 101, 33], 1);
        normals_match_both::<f64>([8, 9, 1700], 2);
    }

    /// Boxes that end where the source ends, thin and empty ones, and bits that do not depend on
    /// them.
    #[test]
    fn normals_read_no_more_than_their_rows() {
        let n = [9, 8, 20];
        let arms: Vec<_> = (0..3).map(|a| arm(a, a, wild::<f32>(n[a], 20 + a as u64))).collect();
        let mut star = Star::new(3, arms);
        let whole = n.map(|n| 0..n);
        let x: Vec<f32> = values(1, volume(&whole));
        let mut all = vec![0.0; x.len()];
        let free = (Acc::Set, Sums::Free);
        star.normal((&whole, &x), &whole, (&whole, &mut all), 1, free);
        let place = |at: &[usize]| (at[0] * n[1] + at[1]) * n[2] + at[2];
        for z in [0..2, 4..5, 3..9, 7..7_usize] {
            // Rows reach two below and four above.
            let rows = z.start.saturating_sub(4)..(z.end + 3).min(n[0]);
            let from = rows.start.saturating_sub(3)..(rows.end + 4).min(n[0]);
            let [z, rows, from] = [z, rows, from].map(|own| [own, 0..n[1], 0..n[2]]);
            let held: Vec<f32> = indices(&from).iter().map(|at| x[place(at)]).collect();
            let mut part = vec![0.0; volume(&z)];
            star.normal((&from, &held), &rows, (&z, &mut part), 1, free);
            let want = indices(&z).into_iter().map(|at| all[place(&at)]);
            assert!(want.zip(&part).all(|(a, b)| a.to_bits() == b.to_bits()), "{z:?}");
        }
    }

    #[test]
    #[should_panic(expected = "the box of x has what the rows of y read")]
    fn missing_ghosts_are_noticed() {
        let mut star = Star::new(1, vec![arm(0, 0, second::<f64>(8))]);
        let (held, x, mut y) = (std::slice::from_ref(&(2..6)), [0.0; 4], [0.0; 4]);
        star.forward((held, &x), (held, &mut y), 1, Acc::Set);
    }
}
