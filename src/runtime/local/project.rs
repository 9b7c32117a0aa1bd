//! Projections that drop the imaginary parts of some elements.

use super::Arg;
use super::typed::convert;
use crate::elements::SliceMut;
use adjoin_passes::calls::View;
use adjoin_passes::ir::Projection;
use num_complex::Complex;

/// `x` with real elements at some indices of a dim.
pub(super) fn project(projection: &Projection, out: &View, args: &[Arg<'_>], mut y: SliceMut<'_>) {
    if let Some(x) = args[0] {
        convert(x, y.reborrow());
    }
    let held = &out.held[projection.dim];
    let inner: usize = out.held[projection.dim + 1..].iter().map(std::ops::Range::len).product();
    let own = projection.real.iter().filter(|&i| held.contains(i));
    for at in own.map(|i| (i - held.start) * inner) {
        match &mut y {
            SliceMut::C64(y) => drop_imaginary(y, at, inner, held.len() * inner),
            SliceMut::C128(y) => drop_imaginary(y, at, inner, held.len() * inner),
            SliceMut::F32(_) | SliceMut::F64(_) => {}
        }
    }
}

/// Makes `len` elements real in each block of so many.
fn drop_imaginary<R: Default>(y: &mut [Complex<R>], at: usize, len: usize, block: usize) {
    let blocks = y.chunks_mut(block.max(1));
    blocks.flat_map(|b| b.iter_mut().skip(at).take(len)).for_each(|z| z.im = R::default());
}
