//! Convolution along the middle axis of `[outer, n, inner]`:
//! `y[o, i, c] (+)= Σⱼ h[i + offset - j] x[o, j, c]`, adjoint
//! `z[o, j, c] (+)= Σᵢ conj(h[i + offset - j]) y[o, i, c]`.
//!
//! Both sides are windows of axes that may have different lengths; what a window lacks counts as
//! zero in what is read and is left out of what is written.
//! Long filters go by Fourier transforms, where that is quicker.
//! A filter may be one for all places or a [`Bank`] with one for each outer and inner index.

mod direct;

mod fourier;

mod choice;

mod bank;

use super::crew::{self, Divided};
use super::index::Window;
use super::{Acc, Scalar};
pub use bank::Bank;
use choice::Sums;

/// The coefficients of a convolution, and its scratch.
#[derive(Clone)]
pub struct Filter<S: Scalar> {
    /// What rows of `y` read of `x`, for each hand.
    forward: Vec<Sums<S>>,
    /// What rows of `z` read of `y`, likewise.
    adjoint: Vec<Sums<S>>,
}

impl<S: Scalar> Filter<S> {
    /// The filter `h` whose element `offset` is the one that leaves samples where they are.
    pub fn new(h: &[S], offset: usize) -> Filter<S> {
        let low = offset as isize - h.len() as isize + 1;
        let backwards = h.iter().rev().copied().collect();
        let conj = h.iter().map(|v| v.conj()).collect();
        let (forward, adjoint) = (Sums::new(low, backwards), Sums::new(-(offset as isize), conj));
        let hands = crew::threads();
        Filter { forward: vec![forward; hands], adjoint: vec![adjoint; hands] }
    }

    /// `y (+)= A x` for the rows of `y`'s window from those of `x`'s.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn apply(&mut self, inner: usize, from: (Window, &[S]), to: (Window, &mut [S]), acc: Acc) {
        sweep(&mut self.forward, inner, from, to, acc);
    }

    /// `z (+)= Aᴴ y` for the rows of `z`'s window from those of `y`'s.
    ///
    /// # Panics
    ///
    /// If the arrays are no windows with the same outer extent.
    pub fn adjoint(
        &mut self,
        inner: usize,
        to: (Window, &[S]),
        from: (Window, &mut [S]),
        acc: Acc,
    ) {
        sweep(&mut self.adjoint, inner, to, from, acc);
    }
}

fn sweep<S: Scalar>(
    sums: &mut [Sums<S>],
    inner: usize,
    (from, x): (Window, &[S]),
    (to, y): (Window, &mut [S]),
    acc: Acc,
) {
    let (from_size, to_size) = planes(inner, (from, x.len()), (to, y.len()));
    if from_size == 0 || to_size == 0 {
        return acc.prepare(y);
    }
    let outer = y.len() / to_size;
    let hands = crew::hands(sums[0].work(to.len) * inner * outer).min(sums.len());
    if hands > 1 && outer < hands {
        return planes_together(sums, inner, (from, x), (to, y), acc);
    }
    let many = if inner == 1 { sums[0].together(from, to).unwrap_or(1) } else { 1 };
    let y = Divided::new(y);
    crew::with(&mut sums[..hands], |hand, sums| {
        let own = crew::part(outer, many, hands, hand);
        let mut k = own.start;
        while k < own.end {
            let n = if k + many <= own.end { many } else { 1 };
            let x = &x[k * from_size..(k + n) * from_size];
            // SAFETY: hands have different planes.
            let y = unsafe { y.part(k * to_size..(k + n) * to_size) };
            if n > 1 {
                sums.lines((from, x), (to, y), acc);
            } else {
                sums.plane(inner, (from, x), (to, y), acc);
            }
            k += n;
        }
    });
}

/// Plane by plane, of which each hand makes some rows, if they do not depend on those beside them.
fn planes_together<S: Scalar>(
    sums: &mut [Sums<S>],
    inner: usize,
    (from, x): (Window, &[S]),
    (to, y): (Window, &mut [S]),
    acc: Acc,
) {
    /// Rows that are summed together.
    const UNIT: usize = 8;
    let hands = if sums[0].has_rows(to.len) { sums.len() } else { 1 };
    for (x, y) in x.chunks_exact(from.len * inner).zip(y.chunks_exact_mut(to.len * inner)) {
        let y = Divided::new(y);
        crew::with(&mut sums[..hands], |hand, sums| {
            let rows = crew::part(to.len, UNIT, hands, hand);
            // SAFETY: hands have different rows.
            let y = unsafe { y.part(rows.start * inner..rows.end * inner) };
            if hands == 1 {
                return sums.plane(inner, (from, x), (to, y), acc);
            }
            let to = Window { start: to.start + rows.start, len: rows.len() };
            sums.rows(inner, (from, x), (to, y), acc);
        });
    }
}

/// Elements of one outer index on both sides.
fn planes(inner: usize, from: (Window, usize), to: (Window, usize)) -> (usize, usize) {
    let (from_size, to_size) = (from.0.len * inner, to.0.len * inner);
    assert_eq!(from.1 * to_size, to.1 * from_size, "arrays with the same outer extent");
    for (len, size) in [(from.1, from_size), (to.1, to_size)] {
        assert!((size == 0 && len == 0) || len.is_multiple_of(size), "whole windows");
    }
    (from_size, to_size)
}

#[cfg(test)]
mod checks {
    use super::direct::Taps;
    use super::fourier::Fourier;
    use super::*;
    use crate::host::crew::Crew;
    use crate::host::testing::{assert_close, assert_dots, values};
    use std::ops::Range;
    use std::sync::Arc;

    /// Lengths of both axes, of the filter, its offset, and the windows of both sides.
    type Shape = ([usize; 4], Range<usize>, Range<usize>);

    fn shapes() -> Vec<Shape> {
        vec![
            ([7, 7, 3, 1], 0..7, 0..7),
            ([7, 7, 3, 1], 1..6, 2..5),
            ([40, 40, 19, 4], 0..40, 0..40),
            ([40, 40, 19, 18], 3..30, 20..40),
            ([9, 31, 31, 5], 0..9, 0..31),
            ([9, 31, 31, 5], 4..7, 11..30),
            ([5, 5, 4, 0], 0..5, 2..2),
            ([5, 5, 1, 0], 3..3, 0..5),
            ([300, 300, 30, 11], 0..300, 0..300),
            ([700, 700, 520, 300], 2..700, 0..691),
        ]
    }

    fn window(range: &Range<usize>) -> Window {
        Window { start: range.start, len: range.len() }
    }

    /// `h[i + offset - j]`, if there is one.
    fn tap(i: usize, j: usize, offset: usize, len: usize) -> Option<usize> {
        (i + offset).checked_sub(j).filter(|&m| m < len)
    }

    pub fn windows_match_the_definition<S: Scalar>() {
        for ([_, _, len, offset], from, to) in shapes() {
            let sizes = [(1, 1), (37, 1), (2, 3), (1, 16), (2, 53), (1, 100), (0, 2), (2, 0)];
            for (outer, inner) in sizes {
                let h: Vec<S> = values(1, len);
                let x: Vec<S> = values(2, outer * from.len() * inner);
                let u: Vec<S> = values(3, outer * to.len() * inner);
                let mut filter = Filter::new(&h, offset);
                let (from, to) = (window(&from), window(&to));
                let mut y: Vec<S> = values(4, u.len());
                let mut want = y.clone();
                for (n, slot) in want.iter_mut().enumerate() {
                    let (o, i, c) = (n / (to.len * inner), n / inner % to.len, n % inner);
                    for j in 0..from.len {
                        if let Some(m) = tap(to.start + i, from.start + j, offset, len) {
                            *slot += h[m] * x[(o * from.len + j) * inner + c];
                        }
                    }
                }
                filter.apply(inner, (from, &x), (to, &mut y), Acc::Add);
                assert_close(&y, &want);
                filter.apply(inner, (from, &x), (to, &mut y), Acc::Set);
                let (mut z, mut sum): (Vec<S>, Vec<S>) = (values(5, x.len()), values(6, x.len()));
                filter.adjoint(inner, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
                let want: Vec<S> = sum.iter().zip(&z).map(|(&p, &q)| p + q).collect();
                filter.adjoint(inner, (to, &u), (from, &mut sum), Acc::Add);
                assert_close(&sum, &want);
            }
        }
    }

    /// With blocks that are shorter and longer than the rows, and that end with them.
    pub fn transforms_give_the_sums_term_by_term<S: Scalar>() {
        for ([_, _, len, offset], from, to) in shapes() {
            let (from, to) = (window(&from), window(&to));
            for (inner, nfft) in [(1, len), (3, len + 1), (19, len + to.len), (1, 2 * len + 3)] {
                let h: Vec<S> = values(1, len);
                let x: Vec<S> = values(2, from.len * inner);
                let taps = Taps::new(offset as isize - len as isize + 1, h);
                let start: Vec<S> = values(3, to.len * inner);
                for acc in [Acc::Set, Acc::Add] {
                    let (mut y, mut want) = (start.clone(), start.clone());
                    let mut padded = Vec::new();
                    taps.plane(inner, (from, &x), (to, &mut want), &mut padded, acc);
                    Fourier::new(&taps, nfft).plane(inner, (from, &x), (to, &mut y), acc);
                    assert_close(&y, &want);
                }
            }
        }
    }

    /// Rows and columns that are computed alone, and in blocks of any size.
    pub fn bits_of_terms_do_not_depend_on_windows<S: Scalar>() {
        for terms in [13, 19] {
            let (n, h): (usize, Vec<S>) = (45, values(1, terms));
            let taps = Taps::new(-6, h);
            let (all, mut room) = (window(&(0..n)), Vec::new());
            for inner in [1, 3, 16, 37, 100] {
                let x: Vec<S> = values(2, n * inner);
                let mut whole = vec![S::ZERO; n * inner];
                taps.plane(inner, (all, &x), (all, &mut whole), &mut room, Acc::Set);
                for rows in [0..1, 0..8, 3..20, 30..45, 44..45] {
                    let mut y: Vec<S> = vec![S::ONE; rows.len() * inner];
                    let to = (window(&rows), &mut y[..]);
                    taps.plane(inner, (all, &x), to, &mut room, Acc::Set);
                    assert_eq!(y, whole[rows.start * inner..rows.end * inner]);
                }
                let column: Vec<S> = (0..n).map(|i| x[i * inner + inner / 2]).collect();
                let mut y = vec![S::ZERO; n];
                taps.plane(1, (all, &column), (all, &mut y), &mut room, Acc::Set);
                assert!((0..n).all(|i| y[i] == whole[i * inner + inner / 2]));
            }
        }
    }

    /// Lines that are turned into columns, with some that are left, by one thread and by two.
    pub fn bits_of_lines_do_not_depend_on_others<S: Scalar>() {
        let (outer, h): (usize, Vec<S>) = (37, values(1, 21));
        for (from, to) in [(0..45, 0..45), (3..40, 9..61), (20..36, 0..32)] {
            let (from, to) = (window(&from), window(&to));
            let mut filter = Filter::new(&h, 7);
            let x: Vec<S> = values(2, outer * from.len);
            for acc in [Acc::Set, Acc::Add] {
                let mut want: Vec<S> = values(3, outer * to.len);
                let (mut y, mut shared) = (want.clone(), want.clone());
                for (x, y) in x.chunks_exact(from.len).zip(want.chunks_exact_mut(to.len)) {
                    filter.apply(1, (from, x), (to, y), acc);
                }
                filter.apply(1, (from, &x), (to, &mut y), acc);
                assert_eq!(y, want);
                let crew = Arc::new(Crew::new(2, false).unwrap().sharing_from(1));
                let _entered = crew.enter();
                Filter::new(&h, 7).apply(1, (from, &x), (to, &mut shared), acc);
                assert_eq!(shared, want);
            }
        }
    }

    pub fn a_bank_is_a_filter_for_each_place<S: Scalar>() {
        for ([_, _, len, offset], from, to) in shapes() {
            for (outer, inner, group) in [(1, 1, 1), (2, 3, 1), (3, 2, 4), (0, 2, 1)] {
                let h: Vec<S> = values(1, outer * len * inner);
                let (from, to, row) = (window(&from), window(&to), inner * group);
                let x: Vec<S> = values(2, outer * from.len * row);
                let u: Vec<S> = values(3, outer * to.len * row);
                let mut want = vec![S::ZERO; u.len()];
                for (o, c) in (0..outer).flat_map(|o| (0..row).map(move |c| (o, c))) {
                    let own = |m: usize| h[(o * len + m) * inner + c / group];
                    let mut filter = Filter::new(&(0..len).map(own).collect::<Vec<S>>(), offset);
                    let column = |j: usize| x[(o * from.len + j) * row + c];
                    let line: Vec<S> = (0..from.len).map(column).collect();
                    let mut out = vec![S::ZERO; to.len];
                    filter.apply(1, (from, &line), (to, &mut out), Acc::Set);
                    for (i, v) in out.into_iter().enumerate() {
                        want[(o * to.len + i) * row + c] = v;
                    }
                }
                let bank = Bank::new(h, len, inner, offset);
                let (mut y, mut z): (Vec<S>, Vec<S>) = (values(4, u.len()), values(5, x.len()));
                bank.apply(group, (from, &x), (to, &mut y), Acc::Set);
                assert_close(&y, &want);
                bank.adjoint(group, (to, &u), (from, &mut z), Acc::Set);
                assert_dots(&x, &y, &u, &z);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(
        windows_match_the_definition
        transforms_give_the_sums_term_by_term
        bits_of_terms_do_not_depend_on_windows
        bits_of_lines_do_not_depend_on_others
        a_bank_is_a_filter_for_each_place
    );

    #[test]
    fn long_filters_of_many_rows_are_transformed() {
        use super::choice::samples;
        assert_eq!(samples(5, 100_000, false), None);
        assert_eq!(samples(41, 256, false), None);
        let block = samples(1000, 100_000, false).unwrap();
        assert!((2000..100_000).contains(&block));
        // One block is enough for what is read.
        assert!(samples(1500, 2000, true).is_some_and(|n| (3500..=4096).contains(&n)));
        assert_eq!(samples(0, 5, false), None);
    }
}
