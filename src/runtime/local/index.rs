//! Rows of a basis by number, and unit vectors.

use super::Arg;
use super::typed::{get, put as put_element, zero};
use crate::elements::{Slice, SliceMut};
use adjoin_passes::calls::View;
use num_complex::Complex64;

/// The integer that an index stands for; some valid index if it is none.
pub(super) fn of(k: Slice<'_>, below: usize) -> usize {
    let k = get(k, 0).re.round();
    // What is negative or not a number becomes zero.
    (k as usize).min(below.saturating_sub(1))
}

/// Row `k`.
pub(super) fn take(rows: Slice<'_>, k: usize, mut y: SliceMut<'_>) {
    let n = y.len();
    y.convert_from(part(rows, k, n));
}

/// The first argument with row `k` replaced by the third.
pub(super) fn put(args: &[Arg<'_>], k: usize, y: &mut SliceMut<'_>) {
    if let Some(rows) = args[0] {
        // Only a basis of one row is as long as what replaces it, and then nothing is left of it.
        if args[2].is_none() {
            return;
        }
        y.convert_from(rows);
    }
    if let Some(x) = args[2] {
        let n = x.len();
        let mut row = y.part(k * n..(k + 1) * n);
        row.convert_from(x);
    }
}

/// One at the global index `k`, zero elsewhere.
pub(super) fn one_hot(k: usize, out: &View, mut y: SliceMut<'_>) {
    zero(y.reborrow());
    let (mut rest, mut position, mut stride) = (k, 0, 1);
    for (held, &n) in out.held.iter().zip(&out.dims).rev() {
        let index = rest % n.max(1);
        rest /= n.max(1);
        if !held.contains(&index) {
            return;
        }
        position += (index - held.start) * stride;
        stride *= held.len();
    }
    put_element(&mut y, position, Complex64::ONE);
}

fn part(rows: Slice<'_>, k: usize, n: usize) -> Slice<'_> {
    rows.range(k * n..(k + 1) * n)
}
