//! Projections that drop the imaginary parts of some elements.

use super::Arg;
use crate::elements::SliceMut;
use adjoin_passes::calls::View;
use adjoin_passes::ir::Projection;
use num_complex::Complex;
use std::ops::Range;

/// `x` with real elements at some indices of a dim; `y` begins with an element of what is held.
pub(super) fn project(
    projection: &Projection,
    (out, first): (&View, usize),
    args: &[Arg<'_>],
    mut y: SliceMut<'_>,
) {
    if let Some(x) = args[0] {
        y.convert_from(x);
    }
    let held = &out.held[projection.dim];
    let inner: usize = out.held[projection.dim + 1..].iter().map(Range::len).product();
    let block = held.len() * inner;
    for own in projection.real.iter().filter(|&i| held.contains(i)).map(|i| i - held.start) {
        let runs = Runs { start: own * inner, len: inner, block, first };
        match &mut y {
            SliceMut::C64(y) => runs.drop_imaginary(y),
            SliceMut::C128(y) => runs.drop_imaginary(y),
            SliceMut::F32(_) | SliceMut::F64(_) => {}
        }
    }
}

/// The same elements of each block of an array, of which what is there begins with `first`.
struct Runs {
    start: usize,
    len: usize,
    block: usize,
    first: usize,
}

impl Runs {
    fn drop_imaginary<R: Default>(&self, y: &mut [Complex<R>]) {
        if self.block == 0 {
            return;
        }
        let end = self.first + y.len();
        for block in (self.first / self.block * self.block..end).step_by(self.block) {
            let from = (block + self.start).clamp(self.first, end) - self.first;
            let to = (block + self.start + self.len).clamp(self.first, end) - self.first;
            y[from..to].iter_mut().for_each(|z| z.im = R::default());
        }
    }
}
