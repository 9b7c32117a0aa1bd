//! Inner products, summed in the precision of the elements within blocks and pairwise in double
//! precision over blocks.

use super::simd::multiversion;
use super::{Real, Scalar, reals};
use num_complex::Complex;

/// Elements of a block.
const BLOCK: usize = 4096;

/// `Σ conj(x) y`, the inner product that is linear in `y`.
pub fn dot<S: Scalar>(x: &[S], y: &[S]) -> Complex<f64> {
    pairwise(x, y, &|x, y| block(x, y, true))
}

/// `Σ x y`, without conjugation.
pub fn dot_unconjugated<S: Scalar>(x: &[S], y: &[S]) -> Complex<f64> {
    pairwise(x, y, &|x, y| block(x, y, false))
}

/// `Re Σ conj(x) y`, the inner product of the arrays as reals.
pub fn dot_re<S: Scalar>(x: &[S], y: &[S]) -> f64 {
    let block = |x: &[S::Real], y: &[S::Real]| Complex::new(lane_dots(y, [x])[0].to_f64(), 0.0);
    pairwise(reals(x), reals(y), &block).re
}

/// `Σ |x|²`.
pub fn norm_sqr<S: Scalar>(x: &[S]) -> f64 {
    dot_re(x, x)
}

fn pairwise<S: Scalar>(
    x: &[S],
    y: &[S],
    block: &impl Fn(&[S], &[S]) -> Complex<f64>,
) -> Complex<f64> {
    assert_eq!(x.len(), y.len(), "the arrays of an inner product are equally long");
    if x.len() <= BLOCK {
        return block(x, y);
    }
    let half = (x.len() / 2).next_multiple_of(BLOCK);
    let (x0, x1) = x.split_at(half);
    let (y0, y1) = y.split_at(half);
    pairwise(x0, y0, block) + pairwise(x1, y1, block)
}

fn block<S: Scalar>(x: &[S], y: &[S], conj: bool) -> Complex<f64> {
    row_dots([x], y, conj)[0].to_c128()
}

/// `Σ row x` for each of `rows`, with the conjugates of the rows if `conj`, in the precision of
/// the elements; several rows share the reading of `x`.
pub(crate) fn row_dots<S: Scalar, const ROWS: usize>(
    rows: [&[S]; ROWS],
    x: &[S],
    conj: bool,
) -> [S; ROWS] {
    let parts = rows.map(|row| reals(row));
    if S::COMPLEX {
        let sums = lane_complex_dots(reals(x), parts);
        sums.map(|[direct, alternating, crossed, crossed_alternating]| {
            // `alternating` counts the products of imaginary parts negatively.
            if conj {
                S::from_parts(direct, crossed_alternating)
            } else {
                S::from_parts(alternating, crossed)
            }
        })
    } else {
        lane_dots(reals(x), parts).map(|sum| S::from_parts(sum, sum))
    }
}

/// The dots of real rows, with as many lanes as suit their number.
fn lane_dots<R: Real, const ROWS: usize>(x: &[R], rows: [&[R]; ROWS]) -> [R; ROWS] {
    if ROWS == 1 {
        real_dots::<R, ROWS, 64>(x, rows)
    } else if size_of::<R>() == 4 {
        real_dots::<R, ROWS, 16>(x, rows)
    } else {
        real_dots::<R, ROWS, 8>(x, rows)
    }
}

fn lane_complex_dots<R: Real, const ROWS: usize>(x: &[R], rows: [&[R]; ROWS]) -> [[R; 4]; ROWS] {
    if ROWS == 1 {
        complex_dots::<R, ROWS, 32>(x, rows)
    } else if size_of::<R>() == 4 {
        complex_dots::<R, ROWS, 16>(x, rows)
    } else {
        complex_dots::<R, ROWS, 8>(x, rows)
    }
}

multiversion! {
    fn real_dots {R: Real, const ROWS: usize, const LANES: usize} {R, ROWS, LANES}
    (x: &[R], rows: [&[R]; ROWS]) -> [R; ROWS] {
        let n = x.len();
        let mut cut: [&[R]; ROWS] = [&[]; ROWS];
        for r in 0..ROWS {
            cut[r] = &rows[r][..n];
        }
        let mut sums = [[R::ZERO; LANES]; ROWS];
        let mut at = 0;
        while at + LANES <= n {
            let v = &x[at..at + LANES];
            for r in 0..ROWS {
                let row = &cut[r][at..at + LANES];
                for l in 0..LANES {
                    sums[r][l] = row[l].fused::<FMA>(v[l], sums[r][l]);
                }
            }
            at += LANES;
        }
        let mut total = [R::ZERO; ROWS];
        for r in 0..ROWS {
            for l in 0..n - at {
                sums[r][l] = cut[r][at + l].fused::<FMA>(x[at + l], sums[r][l]);
            }
            let mut width = LANES / 2;
            while width > 0 {
                for l in 0..width {
                    sums[r][l] += sums[r][l + width];
                }
                width /= 2;
            }
            total[r] = sums[r][0];
        }
        total
    }
}

multiversion! {
    /// For each row of pairs: `Σ (rr + ii)`, `Σ (rr - ii)`, `Σ (ri + ir)` and `Σ (ri - ir)`, the
    /// first letter a part of the row and the second a part of `x`.
    fn complex_dots {R: Real, const ROWS: usize, const LANES: usize} {R, ROWS, LANES}
    (x: &[R], rows: [&[R]; ROWS]) -> [[R; 4]; ROWS] {
        let n = x.len();
        let mut cut: [&[R]; ROWS] = [&[]; ROWS];
        for r in 0..ROWS {
            cut[r] = &rows[r][..n];
        }
        let mut straight = [[R::ZERO; LANES]; ROWS];
        let mut crossed = [[R::ZERO; LANES]; ROWS];
        let mut at = 0;
        while at + LANES <= n {
            let v = &x[at..at + LANES];
            for r in 0..ROWS {
                let row = &cut[r][at..at + LANES];
                for l in 0..LANES {
                    straight[r][l] = row[l].fused::<FMA>(v[l], straight[r][l]);
                    crossed[r][l] = row[l].fused::<FMA>(v[l ^ 1], crossed[r][l]);
                }
            }
            at += LANES;
        }
        let mut total = [[R::ZERO; 4]; ROWS];
        for r in 0..ROWS {
            for l in 0..n - at {
                let value = cut[r][at + l];
                straight[r][l] = value.fused::<FMA>(x[at + l], straight[r][l]);
                crossed[r][l] = value.fused::<FMA>(x[at + (l ^ 1)], crossed[r][l]);
            }
            let mut width = LANES / 2;
            while width > 1 {
                for l in 0..width {
                    straight[r][l] += straight[r][l + width];
                    crossed[r][l] += crossed[r][l + width];
                }
                width /= 2;
            }
            total[r] = [
                straight[r][0] + straight[r][1],
                straight[r][0] - straight[r][1],
                crossed[r][0] + crossed[r][1],
                crossed[r][0] - crossed[r][1],
            ];
        }
        total
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
