//! Inner products, combinations of the rows of a basis, and reductions that are no sums.

use super::typed::{get, put, zero};
use crate::elements::{Element, Slice, SliceMut, each};
use adjoin_kernels::host::{Acc, Scalar, columns, combine as kernels, dot as dots_of};
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use adjoin_passes::ir::Reduction;
use num_complex::{Complex32, Complex64};

/// Rows that are combined in one sweep.
const ROWS: usize = 8;

/// `Σ conj(x) z` of each column; `sums` is as long as the result.
pub(super) fn dot(real: bool, x: Slice<'_>, z: Slice<'_>, y: SliceMut<'_>, sums: &mut [Complex64]) {
    match &mut *sums {
        [] => {}
        [sum] => *sum = inner(real, x, z),
        many => each!(Slice, x, typed => match same(typed, z) {
            Some(z) => columns::dot(typed, z, true, many),
            None => mixed(x, z, many),
        }),
    }
    finish(real, sums, y);
}

fn inner(real: bool, x: Slice<'_>, z: Slice<'_>) -> Complex64 {
    let sum = each!(Slice, x, x => same(x, z).map(|z| {
        if real { dots_of::dot_re(x, z).into() } else { dots_of::dot(x, z) }
    }));
    sum.unwrap_or_else(|| {
        let mut sum = [Complex64::ZERO];
        mixed(x, z, &mut sum);
        sum[0]
    })
}

/// How many blocks an inner product of so many elements has.
pub(super) fn blocks(real: bool, dtype: Dtype, elements: usize) -> usize {
    match dtype {
        Dtype::F32 => dots_of::blocks::<f32>(elements, real),
        Dtype::F64 => dots_of::blocks::<f64>(elements, real),
        Dtype::C64 => dots_of::blocks::<Complex32>(elements, real),
        Dtype::C128 => dots_of::blocks::<Complex64>(elements, real),
    }
}

/// The sums of the blocks of two vectors of one type.
pub(super) fn block_sums(real: bool, [x, z]: [Slice<'_>; 2], sums: &mut [Complex64]) {
    each!(Slice, x, x => if let Some(z) = same(x, z) {
        dots_of::block_sums(x, z, real, sums);
    });
}

/// Adds the products of some rows to the sum of each column.
pub(super) fn column_sums([x, z]: [Slice<'_>; 2], sums: &mut [Complex64]) {
    each!(Slice, x, x => if let Some(z) = same(x, z) {
        columns::dot_onto(x, z, true, sums);
    });
}

/// The inner product from the sums of its blocks.
pub(super) fn total(sums: &[Complex64]) -> Complex64 {
    dots_of::total(sums)
}

/// Results as they are wanted.
pub(super) fn finish(real: bool, sums: &[Complex64], mut y: SliceMut<'_>) {
    for (i, &sum) in sums.iter().enumerate() {
        put(&mut y, i, if real { sum.re.into() } else { sum });
    }
}

/// The elements, if they have the type of `x`.
fn same<'a, S: Element>(_: &[S], z: Slice<'a>) -> Option<&'a [S]> {
    S::of(z)
}

/// Inner products of two types.
fn mixed(x: Slice<'_>, z: Slice<'_>, sums: &mut [Complex64]) {
    sums.fill(Complex64::ZERO);
    let columns = sums.len();
    for i in 0..x.len() {
        sums[i % columns] += get(x, i).conj() * get(z, i);
    }
}

/// `Σ_k h[k] V[k, ..]`
pub(super) fn combine(h: Slice<'_>, rows: Slice<'_>, y: SliceMut<'_>) {
    fn typed<S: Element>(h: Slice<'_>, rows: &[S], y: &mut [S]) {
        let n = y.len();
        let mut acc = Acc::Set;
        for start in (0..h.len()).step_by(ROWS) {
            let count = (h.len() - start).min(ROWS);
            let (mut c, mut x) = ([S::ZERO; ROWS], [&rows[..0]; ROWS]);
            for k in 0..count {
                c[k] = S::from_c128(get(h, start + k));
                x[k] = &rows[(start + k) * n..(start + k + 1) * n];
            }
            kernels::linear(&c[..count], &x[..count], y, acc);
            acc = Acc::Add;
        }
    }
    fn wide<S: Element>(h: Slice<'_>, rows: Slice<'_>, y: &mut [S]) {
        let n = y.len();
        for (i, y) in y.iter_mut().enumerate() {
            let terms = (0..h.len()).map(|k| get(h, k) * get(rows, k * n + i));
            *y = S::from_c128(terms.sum());
        }
    }
    if h.is_empty() {
        return zero(y);
    }
    each!(SliceMut, y, y => match same(y, rows) {
        Some(rows) => typed(h, rows, y),
        None => wide(h, rows, y),
    });
}

/// `h[k] = Σ conj(V[k, ..]) x`
pub(super) fn dots(rows: Slice<'_>, x: Slice<'_>, mut h: SliceMut<'_>) {
    let n = x.len();
    for k in 0..h.len() {
        let row = rows.range(k * n..(k + 1) * n);
        put(&mut h, k, inner(false, row, x));
    }
}

/// The largest absolute value of a rank and its global index, an infinite one if it has none.
///
/// What is not a number is larger than all numbers, so that it is not overlooked.
pub(super) fn best(x: Slice<'_>, view: &View, y: SliceMut<'_>) -> Result<(), String> {
    let mut best: Option<(f64, usize)> = None;
    each!(Slice, x, x => for (i, x) in x.iter().enumerate() {
        let size = x.to_c128().norm();
        if best.is_none_or(|(largest, _)| larger(size, largest)) {
            best = Some((size, i));
        }
    });
    let pair = best.map_or([0.0, f64::INFINITY], |(size, i)| [size, view.global(i) as f64]);
    let out = f64::of_mut(y).ok_or("a pair of value and index is double precision")?;
    out.copy_from_slice(&pair);
    Ok(())
}

/// The best of all ranks' pairs: the largest value, the smallest index among equals.
pub(super) fn winner(
    reduction: Reduction,
    pairs: Slice<'_>,
    mut y: SliceMut<'_>,
) -> Result<(), String> {
    let pairs = f64::of(pairs).ok_or("pairs of value and index are double precision")?;
    let mut best = (0.0, f64::INFINITY);
    for pair in pairs.chunks_exact(2) {
        let earlier = pair[1] < best.1;
        if larger(pair[0], best.0) || (!larger(best.0, pair[0]) && earlier) {
            best = (pair[0], pair[1]);
        }
    }
    let value = match reduction {
        Reduction::Max => best.0,
        Reduction::ArgMax => best.1,
    };
    put(&mut y, 0, value.into());
    Ok(())
}

fn larger(a: f64, b: f64) -> bool {
    a > b || (a.is_nan() && !b.is_nan())
}
