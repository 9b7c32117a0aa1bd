//! A filter for each place: `y[o, i, c] (+)= Σⱼ h[o, i + offset - j, c] x[o, j, c]`.

use super::super::index::Window;
use super::super::{Acc, Scalar};
use super::planes;

/// A filter for each outer and inner index: `h[o, m, c]` in the place of `h[m]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank<S> {
    h: Vec<S>,
    len: usize,
    inner: usize,
    offset: usize,
}

impl<S: Scalar> Bank<S> {
    /// The filters `h`, an array `[outer, len, inner]`.
    ///
    /// # Panics
    ///
    /// If `h` does not consist of such filters.
    pub fn new(h: Vec<S>, len: usize, inner: usize, offset: usize) -> Bank<S> {
        assert!(h.is_empty() || h.len().is_multiple_of(len * inner), "filters of {len} elements");
        Bank { h, len, inner, offset }
    }

    /// `y (+)= A x`; each inner index stands for `group` neighbouring elements.
    pub fn apply(
        &self,
        group: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        self.sweep(false, group, (from, x), (to, y), acc);
    }

    /// `z (+)= Aᴴ y`; each inner index stands for `group` neighbouring elements.
    pub fn adjoint(
        &self,
        group: usize,
        (to, y): (Window, &[S]),
        (from, z): (Window, &mut [S]),
        acc: Acc,
    ) {
        self.sweep(true, group, (to, y), (from, z), acc);
    }

    fn sweep(
        &self,
        adjoint: bool,
        group: usize,
        (from, x): (Window, &[S]),
        (to, y): (Window, &mut [S]),
        acc: Acc,
    ) {
        acc.prepare(y);
        let row = self.inner * group;
        let (from_size, to_size) = planes(row, (from, x.len()), (to, y.len()));
        if from_size == 0 || to_size == 0 {
            return;
        }
        let filters = self.h.chunks_exact(self.len * self.inner);
        let sides = x.chunks_exact(from_size).zip(y.chunks_exact_mut(to_size));
        for (h, (x, y)) in filters.zip(sides) {
            for (i, out) in y.chunks_exact_mut(row).enumerate() {
                for (m, h) in h.chunks_exact(self.inner).enumerate() {
                    let shift = self.offset as isize - m as isize;
                    let shift = if adjoint { -shift } else { shift };
                    let read = (to.start + i).checked_add_signed(shift);
                    if let Some(at) = read.and_then(|j| from.local(j)) {
                        multiply(h, adjoint, group, &x[at * row..][..row], out);
                    }
                }
            }
        }
    }
}

/// `y[c] += h[c] x[c]` for groups of elements.
fn multiply<S: Scalar>(h: &[S], conj: bool, group: usize, x: &[S], y: &mut [S]) {
    if group == 1 {
        let terms = y.iter_mut().zip(h).zip(x);
        return terms.for_each(|((y, h), &x)| *y += h.conj_if(conj) * x);
    }
    for ((h, x), y) in h.iter().zip(x.chunks_exact(group)).zip(y.chunks_exact_mut(group)) {
        let h = h.conj_if(conj);
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += h * x);
    }
}
