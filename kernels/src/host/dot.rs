//! Inner products, summed in the precision of the elements within blocks and pairwise in double
//! precision over blocks.

use super::simd::versions;
use super::vectors::{Vector, prefetch};
use super::{Real, Scalar, reals};
use num_complex::Complex;

/// Numbers of a block, whose sum is made in the precision of the elements.
pub const BLOCK: usize = 1024;

/// `Σ conj(x) y`, the inner product that is linear in `y`.
pub fn dot<S: Scalar>(x: &[S], y: &[S]) -> Complex<f64> {
    pairwise(x, y, |x, y| block(x, y, true))
}

/// `Σ x y`, without conjugation.
pub fn dot_unconjugated<S: Scalar>(x: &[S], y: &[S]) -> Complex<f64> {
    pairwise(x, y, |x, y| block(x, y, false))
}

/// `Re Σ conj(x) y`, the inner product of the arrays as reals.
pub fn dot_re<S: Scalar>(x: &[S], y: &[S]) -> f64 {
    pairwise(reals(x), reals(y), real_block).re
}

/// `Σ |x|²`.
pub fn norm_sqr<S: Scalar>(x: &[S]) -> f64 {
    dot_re(x, x)
}

/// How many blocks an inner product of `n` elements has, if `real` as reals.
pub fn blocks<S: Scalar>(n: usize, real: bool) -> usize {
    (if real { n * S::PARTS } else { n }).div_ceil(BLOCK)
}

/// The sums of blocks of [`dot`], or of [`dot_re`], one after the other.
///
/// Arrays may come in pieces of whole blocks, so that other work is done on a piece meanwhile;
/// [`total`] of all sums has the bits of the inner product.
pub fn block_sums<S: Scalar>(x: &[S], y: &[S], real: bool, sums: &mut [Complex<f64>]) {
    assert_eq!(x.len(), y.len(), "the arrays of an inner product are equally long");
    assert_eq!(sums.len(), blocks::<S>(x.len(), real), "a sum for each block");
    if real {
        let pieces = reals(x).chunks(BLOCK).zip(reals(y).chunks(BLOCK));
        sums.iter_mut().zip(pieces).for_each(|(sum, (x, y))| *sum = real_block(x, y));
    } else {
        let pieces = x.chunks(BLOCK).zip(y.chunks(BLOCK));
        sums.iter_mut().zip(pieces).for_each(|(sum, (x, y))| *sum = block(x, y, true));
    }
}

/// The inner product from the sums of its blocks.
pub fn total(sums: &[Complex<f64>]) -> Complex<f64> {
    tree(0, sums.len() * BLOCK, &|at, _| sums.get(at / BLOCK).copied().unwrap_or_default())
}

fn pairwise<S: Scalar>(
    x: &[S],
    y: &[S],
    block: impl Fn(&[S], &[S]) -> Complex<f64>,
) -> Complex<f64> {
    assert_eq!(x.len(), y.len(), "the arrays of an inner product are equally long");
    let end = |at: usize, len: usize| x.len().min(at + len);
    tree(0, x.len().next_multiple_of(BLOCK), &|at, len| {
        block(&x[at..end(at, len)], &y[at..end(at, len)])
    })
}

/// The sum of what `block` says of each block from `at` on, halves added to halves.
fn tree(at: usize, len: usize, block: &impl Fn(usize, usize) -> Complex<f64>) -> Complex<f64> {
    if len <= BLOCK {
        return block(at, len);
    }
    let half = (len / 2).next_multiple_of(BLOCK);
    tree(at, half, block) + tree(at + half, len - half, block)
}

fn real_block<R: Real>(x: &[R], y: &[R]) -> Complex<f64> {
    Complex::new(real_dots::<R, 1, 4>(y, [x], 0)[0].to_f64(), 0.0)
}

fn block<S: Scalar>(x: &[S], y: &[S], conj: bool) -> Complex<f64> {
    sums::<S, 1, 4>([x], y, (conj, 0))[0].to_c128()
}

/// `Σ row x` for each of `rows`, with the conjugates of the rows if `conj`, in the precision of
/// the elements; several rows share the reading of `x`, and each is summed as if it were alone.
///
/// What lies `ahead` elements after each row is asked for meanwhile, if that is not zero.
pub(crate) fn row_dots<S: Scalar, const ROWS: usize>(
    rows: [&[S]; ROWS],
    x: &[S],
    (conj, ahead): (bool, usize),
) -> [S; ROWS] {
    sums::<S, ROWS, 1>(rows, x, (conj, ahead * S::PARTS))
}

/// [`row_dots`] with so many registers of sums for each row.
fn sums<S: Scalar, const ROWS: usize, const DEPTH: usize>(
    rows: [&[S]; ROWS],
    x: &[S],
    (conj, ahead): (bool, usize),
) -> [S; ROWS] {
    let parts = rows.map(|row| reals(row));
    if S::COMPLEX {
        let sums = complex_dots::<S::Real, ROWS, DEPTH>(reals(x), parts, ahead);
        sums.map(|[direct, alternating, crossed, crossed_alternating]| {
            // `alternating` counts the products of imaginary parts negatively.
            if conj {
                S::from_parts(direct, crossed_alternating)
            } else {
                S::from_parts(alternating, crossed)
            }
        })
    } else {
        let sums = real_dots::<S::Real, ROWS, DEPTH>(reals(x), parts, ahead);
        sums.map(|sum| S::from_parts(sum, sum))
    }
}

/// The most lanes of a register.
const MOST: usize = 16;

versions! {
    fn real_dots {R: Real, const ROWS: usize, const DEPTH: usize} {R, ROWS, DEPTH}
    (x: &[R], rows: [&[R]; ROWS], ahead: usize) -> [R; ROWS] {
        let n = x.len();
        let mut from = [x.as_ptr(); ROWS];
        for r in 0..ROWS {
            from[r] = rows[r][..n].as_ptr();
        }
        // SAFETY: All loads end at `n` elements at most, which every row has, and the padded rest
        // has as many reals as a register; the machine is the caller's care.
        unsafe {
            let mut sums = [[V::splat(R::ZERO); DEPTH]; ROWS];
            let mut at = 0;
            while at + DEPTH * V::LANES <= n {
                #[allow(clippy::needless_range_loop)] // A register of each row has this number.
                for d in 0..DEPTH {
                    let v = V::load(x.as_ptr().add(at + d * V::LANES));
                    for r in 0..ROWS {
                        let row = V::load(from[r].add(at + d * V::LANES));
                        sums[r][d] = row.fused(v, sums[r][d]);
                    }
                }
                if ahead > 0 {
                    for row in from {
                        prefetch(row.wrapping_add(at + ahead));
                    }
                }
                at += DEPTH * V::LANES;
            }
            while at + V::LANES <= n {
                let v = V::load(x.as_ptr().add(at));
                for r in 0..ROWS {
                    sums[r][0] = V::load(from[r].add(at)).fused(v, sums[r][0]);
                }
                at += V::LANES;
            }
            if at < n {
                let v = V::load(padded(&x[at..]).as_ptr());
                for r in 0..ROWS {
                    let row = V::load(padded(&rows[r][at..n]).as_ptr());
                    sums[r][0] = row.fused(v, sums[r][0]);
                }
            }
            let mut total = [R::ZERO; ROWS];
            for r in 0..ROWS {
                total[r] = folded::<R, V, DEPTH>(sums[r], 1)[0];
            }
            total
        }
    }
}

versions! {
    /// For each row of pairs: `Σ (rr + ii)`, `Σ (rr - ii)`, `Σ (ri + ir)` and `Σ (ri - ir)`, the
    /// first letter a part of the row and the second a part of `x`.
    fn complex_dots {R: Real, const ROWS: usize, const DEPTH: usize} {R, ROWS, DEPTH}
    (x: &[R], rows: [&[R]; ROWS], ahead: usize) -> [[R; 4]; ROWS] {
        let n = x.len();
        let mut from = [x.as_ptr(); ROWS];
        for r in 0..ROWS {
            from[r] = rows[r][..n].as_ptr();
        }
        // SAFETY: All loads end at `n` elements at most, which every row has, and the padded rest
        // has as many reals as a register; the machine is the caller's care.
        unsafe {
            let mut straight = [[V::splat(R::ZERO); DEPTH]; ROWS];
            let mut crossed = straight;
            let mut at = 0;
            while at + DEPTH * V::LANES <= n {
                for d in 0..DEPTH {
                    let v = V::load(x.as_ptr().add(at + d * V::LANES));
                    let w = v.swapped();
                    for r in 0..ROWS {
                        let row = V::load(from[r].add(at + d * V::LANES));
                        straight[r][d] = row.fused(v, straight[r][d]);
                        crossed[r][d] = row.fused(w, crossed[r][d]);
                    }
                }
                if ahead > 0 {
                    for row in from {
                        prefetch(row.wrapping_add(at + ahead));
                    }
                }
                at += DEPTH * V::LANES;
            }
            while at < n {
                let whole = at + V::LANES <= n;
                let load = |x: &[R]| {
                    if whole { V::load(x[at..].as_ptr()) } else { V::load(padded(&x[at..n]).as_ptr()) }
                };
                let v = load(x);
                let w = v.swapped();
                for r in 0..ROWS {
                    let row = load(rows[r]);
                    straight[r][0] = row.fused(v, straight[r][0]);
                    crossed[r][0] = row.fused(w, crossed[r][0]);
                }
                at += V::LANES;
            }
            let mut total = [[R::ZERO; 4]; ROWS];
            for r in 0..ROWS {
                let [even, odd] = folded::<R, V, DEPTH>(straight[r], 2);
                let [even_crossed, odd_crossed] = folded::<R, V, DEPTH>(crossed[r], 2);
                total[r] =
                    [even + odd, even - odd, even_crossed + odd_crossed, even_crossed - odd_crossed];
            }
            total
        }
    }
}

/// Fewer reals than a register has, and zeros.
#[inline]
fn padded<R: Real>(x: &[R]) -> [R; MOST] {
    let mut all = [R::ZERO; MOST];
    all[..x.len()].copy_from_slice(x);
    all
}

/// The sum of all lanes that are equal modulo `step`, one or two, halves added to halves.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // Registers are not to be handed to a call.
#[inline(always)]
unsafe fn folded<R: Real, V: Vector<R>, const DEPTH: usize>(
    sums: [V; DEPTH],
    step: usize,
) -> [R; 2] {
    let mut lanes = [R::ZERO; MOST];
    for sum in sums {
        let mut own = [R::ZERO; MOST];
        // SAFETY: there is room for every register, and the machine is the caller's care.
        unsafe { sum.store(own.as_mut_ptr()) };
        for l in 0..V::LANES {
            lanes[l] += own[l];
        }
    }
    let mut width = V::LANES / 2;
    while width >= step {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    [lanes[0], lanes[1]]
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::values;

    fn close<S: Scalar>(a: Complex<f64>, b: Complex<f64>, n: usize) -> bool {
        let tol = if size_of::<S::Real>() == 4 { 1e-6 } else { 1e-14 };
        (a - b).norm() <= tol * (1.0 + (n as f64).sqrt())
    }

    pub fn matches_a_plain_sum<S: Scalar>() {
        for n in [0, 1, 2, 15, 16, 31, 64, 65, 1000, 4097, 20_001] {
            let (x, y): (Vec<S>, Vec<S>) = (values(1, n), values(2, n));
            let terms = || x.iter().map(|v| v.to_c128()).zip(y.iter().map(|v| v.to_c128()));
            let conjugated: Complex<f64> = terms().map(|(p, q)| p.conj() * q).sum();
            let plain: Complex<f64> = terms().map(|(p, q)| p * q).sum();
            assert!(close::<S>(dot(&x, &y), conjugated, n), "dot of {n}");
            assert!(close::<S>(dot_unconjugated(&x, &y), plain, n), "unconjugated dot of {n}");
            assert!(close::<S>(dot_re(&x, &y).into(), conjugated.re.into(), n), "real dot of {n}");
            assert!((norm_sqr(&x) - dot(&x, &x).re).abs() <= 1e-4 * (1.0 + n as f64));
        }
    }

    pub fn a_long_sum_loses_nothing<S: Scalar>() {
        let x = vec![S::ONE; 3 << 16];
        assert_eq!(dot(&x, &x), Complex::new(f64::from(3 << 16), 0.0));
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(matches_a_plain_sum a_long_sum_loses_nothing);
}
