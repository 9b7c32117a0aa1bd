//! Deterministic values and comparisons for the tests of the kernels.

use super::{Real, Scalar};

/// `n` values between -1 and 1 that look random; another `seed` gives others.
pub fn values<S: Scalar>(seed: u64, n: usize) -> Vec<S> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        S::Real::nearest((state >> 33) as f64 / f64::from(1u32 << 30) - 1.0)
    };
    (0..n)
        .map(|_| {
            let re = next();
            S::from_parts(re, next())
        })
        .collect()
}

/// Asserts that the arrays agree within rounding, relative to the largest element.
#[track_caller]
pub fn assert_close<S: Scalar>(a: &[S], b: &[S]) {
    assert_eq!(a.len(), b.len(), "lengths");
    let tol = if size_of::<S::Real>() == 4 { 2e-5 } else { 1e-12 };
    let size = b.iter().map(|v| v.to_c128().norm()).fold(1e-3, f64::max);
    for (i, (p, q)) in a.iter().zip(b).enumerate() {
        let error = (p.to_c128() - q.to_c128()).norm();
        assert!(error <= tol * size, "element {i}: {p:?} is not {q:?}");
    }
}

/// `conj(x) . y` in double precision.
pub fn inner<S: Scalar>(x: &[S], y: &[S]) -> num_complex::Complex<f64> {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(p, q)| p.to_c128().conj() * q.to_c128()).sum()
}

/// Asserts that `y = A x` and `z = Aᴴ u` satisfy `<u, y> = <z, x>`.
#[track_caller]
pub fn assert_dots<S: Scalar>(x: &[S], y: &[S], u: &[S], z: &[S]) {
    let (left, right) = (inner(u, y), inner(z, x));
    let tol = if size_of::<S::Real>() == 4 { 1e-4 } else { 1e-11 };
    let size = left.norm().max(1.0);
    assert!((left - right).norm() <= tol * size, "<u, y> = {left}, <z, x> = {right}");
}

/// Runs a test for each of the four element types.
macro_rules! each_type {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            super::checks::$name::<f32>();
            super::checks::$name::<f64>();
            super::checks::$name::<num_complex::Complex<f32>>();
            super::checks::$name::<num_complex::Complex<f64>>();
        }
    )* };
}
pub(crate) use each_type;
