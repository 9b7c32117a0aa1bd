//! Sweeps over memory that do next to nothing else, and arithmetic without memory: what every
//! other kernel is measured by.

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

/// How many numbers [`chain`] works on: enough to hide the latency of an operation, few enough for
/// registers.
pub const CHAINS: usize = 128;

multiversion! {
    /// `x ← a x + b` so many times: two operations each and no memory.
    pub fn chain {R: Real} {R} (a: R, b: R, times: usize, x: &mut [R; CHAINS]) {
        let mut sums = *x;
        for _ in 0..times {
            for x in &mut sums {
                *x = a.fused::<FMA>(*x, b);
            }
        }
        *x = sums;
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

    pub fn chains_are_repeated<R: Real>() {
        let (half, one) = (R::nearest(0.5), R::nearest(1.0));
        let mut x = [R::nearest(8.0); CHAINS];
        chain(half, one, 3, &mut x);
        assert_close(&x, &[R::nearest(2.75); CHAINS]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sweeps_are_sums_and_updates() {
        super::checks::sweeps_are_sums_and_updates::<f32>();
        super::checks::sweeps_are_sums_and_updates::<f64>();
    }

    #[test]
    fn chains_are_repeated() {
        super::checks::chains_are_repeated::<f32>();
        super::checks::chains_are_repeated::<f64>();
    }
}
