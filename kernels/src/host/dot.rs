//! Inner products, summed in the precision of the elements within blocks and pairwise in double
//! precision over blocks.

use super::simd::versions;
use super::vectors::Vector;
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
    Complex::new(real_sum(x, y).to_f64(), 0.0)
}

fn block<S: Scalar>(x: &[S], y: &[S], conj: bool) -> Complex<f64> {
    if !S::COMPLEX {
        return Complex::new(real_sum(reals(x), reals(y)).to_f64(), 0.0);
    }
    pair_sum::<S>(complex_sums(reals(x), reals(y)), conj)
}

/// `Σ conj(x) y` or `Σ x y` from the sums of a block's pairs.
pub(super) fn pair_sum<S: Scalar>(sums: [S::Real; 4], conj: bool) -> Complex<f64> {
    // `alternating` counts the products of imaginary parts negatively.
    let [direct, alternating, crossed, crossed_alternating] = sums;
    if conj {
        S::from_parts(direct, crossed_alternating).to_c128()
    } else {
        S::from_parts(alternating, crossed).to_c128()
    }
}

/// Registers of sums: enough to hide the latency of an addition.
pub(super) const DEPTH: usize = 4;

versions! {
    fn real_sum {R: Real} {R} (x: &[R], y: &[R]) -> R {
        let n = x.len();
        let (x, y) = (x.as_ptr(), y[..n].as_ptr());
        // SAFETY: All loads end at `n` elements at most, which both have; the machine is the
        // caller's care.
        unsafe {
            let mut sums = [V::splat(R::ZERO); DEPTH];
            let mut at = 0;
            while at + DEPTH * V::LANES <= n {
                for (d, sum) in sums.iter_mut().enumerate() {
                    let here = at + d * V::LANES;
                    *sum = V::load(x.add(here)).fused(V::load(y.add(here)), *sum);
                }
                at += DEPTH * V::LANES;
            }
            while at < n {
                let some = lanes::<R, V>(n - at);
                let v = V::load_where(some, x.add(at));
                sums[0] = v.fused(V::load_where(some, y.add(at)), sums[0]);
                at += V::LANES;
            }
            real_total(sums)
        }
    }
}

versions! {
    /// Of pairs: `Σ (rr + ii)`, `Σ (rr - ii)`, `Σ (ri + ir)` and `Σ (ri - ir)`, the first letter a
    /// part of `x` and the second a part of `y`.
    fn complex_sums {R: Real} {R} (x: &[R], y: &[R]) -> [R; 4] {
        let n = x.len();
        let (x, y) = (x.as_ptr(), y[..n].as_ptr());
        // SAFETY: As for `real_sum`.
        unsafe {
            let mut straight = [V::splat(R::ZERO); DEPTH];
            let mut crossed = straight;
            let mut at = 0;
            while at + DEPTH * V::LANES <= n {
                for d in 0..DEPTH {
                    let v = V::load(x.add(at + d * V::LANES));
                    let w = V::load(y.add(at + d * V::LANES));
                    straight[d] = v.fused(w, straight[d]);
                    crossed[d] = v.fused(w.swapped(), crossed[d]);
                }
                at += DEPTH * V::LANES;
            }
            while at < n {
                let some = lanes::<R, V>(n - at);
                let v = V::load_where(some, x.add(at));
                let w = V::load_where(some, y.add(at));
                straight[0] = v.fused(w, straight[0]);
                crossed[0] = v.fused(w.swapped(), crossed[0]);
                at += V::LANES;
            }
            pair_totals(straight, crossed)
        }
    }
}

/// The bits of the first lanes, all if there are as many.
pub(super) fn lanes<R, V: Vector<R>>(count: usize) -> u32 {
    (1 << count.min(V::LANES)) - 1
}

/// The sum of all lanes of all registers.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // Registers are not to be handed to a call.
#[inline(always)]
pub(super) unsafe fn real_total<R: Real, V: Vector<R>>(sums: [V; DEPTH]) -> R {
    // SAFETY: the caller's care.
    let [even, odd] = unsafe { folded(sums) };
    even + odd
}

/// The sums of pairs from products of the same parts and from those of different parts.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
pub(super) unsafe fn pair_totals<R: Real, V: Vector<R>>(
    straight: [V; DEPTH],
    crossed: [V; DEPTH],
) -> [R; 4] {
    // SAFETY: the caller's care.
    let ([rr, ii], [ri, ir]) = unsafe { (folded(straight), folded(crossed)) };
    [rr + ii, rr - ii, ri + ir, ri - ir]
}

/// The sum of all even lanes and that of all odd ones, registers first.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn folded<R: Real, V: Vector<R>>(sums: [V; DEPTH]) -> [R; 2] {
    // SAFETY: the caller's care.
    unsafe {
        let one = V::splat(R::ONE);
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = sum.fused(one, total);
        }
        total.halves()
    }
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
