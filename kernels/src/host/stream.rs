//! Sweeps over memory that do next to nothing else: what every other kernel is measured by.

use super::Real;
use super::simd::multiversion;

multiversion! {
    /// `Σ x`: one read.
    pub fn read {R: Real} {R} (x: &[R]) -> R {
        /// Independent sums, enough to hide the latency of an addition.
        const LANES: usize = 64;
        let (blocks, rest) = x.as_chunks::<LANES>();
        let mut sums = [R::ZERO; LANES];
        for block in blocks {
            for l in 0..LANES {
                sums[l] += block[l];
            }
        }
        let mut sum = R::ZERO;
        for &x in sums.iter().chain(rest) {
            sum += x;
        }
        sum
    }
}

multiversion! {
    /// `y += a x`: two reads and a write.
    pub fn update {R: Real} {R} (a: R, x: &[R], y: &mut [R]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = a.fused::<FMA>(x, *y);
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, values};

    pub fn sweeps_are_sums_and_updates<R: Real>() {
        for n in [0, 1, 63, 64, 65, 1000] {
            let (x, mut y): (Vec<R>, Vec<R>) = (values(1, n), values(2, n));
            let sum = x.iter().fold(R::ZERO, |sum, &x| sum + x);
            assert_close(&[read(&x)], &[sum]);
            let a = R::nearest(0.5);
            let want: Vec<R> = x.iter().zip(&y).map(|(&x, &y)| y + a * x).collect();
            update(a, &x, &mut y);
            assert_close(&y, &want);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sweeps_are_sums_and_updates() {
        super::checks::sweeps_are_sums_and_updates::<f32>();
        super::checks::sweeps_are_sums_and_updates::<f64>();
    }
}
