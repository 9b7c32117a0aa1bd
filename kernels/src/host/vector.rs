//! Element-wise arithmetic on whole arrays of equal length.

use super::simd::multiversion;
use super::{Acc, Scalar, combine, past};

/// `y = a` in every element.
pub fn fill<S: Scalar>(a: S, y: &mut [S]) {
    y.fill(a);
}

/// `y (+)= x`.
pub fn copy<S: Scalar>(x: &[S], y: &mut [S], acc: Acc) {
    match acc {
        Acc::Set if past::is_large(y) => {
            past::put(x, y);
            past::end();
        }
        Acc::Set => y.copy_from_slice(x),
        Acc::Add => map(x, y, acc, |v| v),
    }
}

/// `y = a y`.
pub fn scale_in_place<S: Scalar>(a: S, y: &mut [S]) {
    for v in y {
        *v *= a;
    }
}

/// `y (+)= a x`; added, this is the classical axpy.
pub fn scale<S: Scalar>(a: S, x: &[S], y: &mut [S], acc: Acc) {
    combine::linear(&[a], &[x], y, acc);
}

/// `y (+)= a x + z`; replaced, the bits are those of [`axpy_onto`] and of [`axpy_over`].
pub fn axpy<S: Scalar>(a: S, x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    match acc {
        Acc::Set => {
            assert_eq!((x.len(), z.len()), (y.len(), y.len()), "arrays of equal length");
            past::made(y, |some, y| combine::axpy(a, &x[some.clone()], &z[some], y));
        }
        Acc::Add => combine::linear(&[a, S::ONE], &[x, z], y, acc),
    }
}

/// `y = a x + y`.
pub fn axpy_onto<S: Scalar>(a: S, x: &[S], y: &mut [S]) {
    combine::axpy_onto(a, x, y);
}

/// `y = a y + z`.
pub fn axpy_over<S: Scalar>(a: S, z: &[S], y: &mut [S]) {
    combine::axpy_over(a, z, y);
}

/// `y = a x + b y`.
pub fn axpby<S: Scalar>(a: S, x: &[S], b: S, y: &mut [S]) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    y.iter_mut().zip(x).for_each(|(v, &u)| *v = a * u + b * *v);
}

/// `y (+)= x + z`.
pub fn add<S: Scalar>(x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    zip(x, z, y, acc, |a, b| a + b);
}

/// `y (+)= x - z`.
pub fn sub<S: Scalar>(x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    zip(x, z, y, acc, |a, b| a - b);
}

/// `y (+)= -x`.
pub fn neg<S: Scalar>(x: &[S], y: &mut [S], acc: Acc) {
    map(x, y, acc, |v| -v);
}

/// `y (+)= x z`, element by element.
pub fn mul<S: Scalar>(x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    zip(x, z, y, acc, |a, b| a * b);
}

/// `y (+)= conj(x) z`, element by element.
pub fn mul_conj<S: Scalar>(x: &[S], z: &[S], y: &mut [S], acc: Acc) {
    zip(x, z, y, acc, |a, b| a.conj() * b);
}

/// `y (+)= conj(x)`.
pub fn conj<S: Scalar>(x: &[S], y: &mut [S], acc: Acc) {
    map(x, y, acc, S::conj);
}

/// `y (+)= Re x`, in the type of `x`.
pub fn re<S: Scalar>(x: &[S], y: &mut [S], acc: Acc) {
    map(x, y, acc, |v| S::from_parts(v.re(), S::Real::ZERO));
}

/// `y (+)= x` in another type: a real becomes complex without an imaginary part, a complex number
/// becomes its real part.
pub fn cast<S: Scalar, T: Scalar>(x: &[S], y: &mut [T], acc: Acc) {
    map(x, y, acc, |v| T::from_c128(v.to_c128()));
}

/// `y (+)= Im x` as a real array.
pub fn im<S: Scalar>(x: &[S], y: &mut [S::Real], acc: Acc) {
    map(x, y, acc, S::im);
}

/// `y (+)= f(x)`, element by element.
pub fn map<S: Scalar, T: Scalar>(x: &[S], y: &mut [T], acc: Acc, f: impl Fn(S) -> T) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    match acc {
        Acc::Set => past::made(y, |some, y| mapped(&x[some], y, &f, true)),
        Acc::Add => mapped(x, y, &f, false),
    }
}

multiversion! {
    fn mapped {S: Scalar, T: Scalar, F: Fn(S) -> T} {S, T, F}
    (x: &[S], y: &mut [T], f: &F, set: bool) {
        if set {
            y.iter_mut().zip(x).for_each(|(v, &a)| *v = f(a));
        } else {
            y.iter_mut().zip(x).for_each(|(v, &a)| *v += f(a));
        }
    }
}

/// `y (+)= f(x, z)`, element by element.
pub fn zip<S: Scalar>(x: &[S], z: &[S], y: &mut [S], acc: Acc, f: impl Fn(S, S) -> S) {
    assert_eq!(x.len(), y.len(), "arrays of equal length");
    assert_eq!(z.len(), y.len(), "arrays of equal length");
    match acc {
        Acc::Set => past::made(y, |some, y| zipped((&x[some.clone()], &z[some]), y, &f, true)),
        Acc::Add => zipped((x, z), y, &f, false),
    }
}

multiversion! {
    fn zipped {S: Scalar, F: Fn(S, S) -> S} {S, F}
    (pair: (&[S], &[S]), y: &mut [S], f: &F, set: bool) {
        let terms = y.iter_mut().zip(pair.0.iter().zip(pair.1));
        if set {
            terms.for_each(|(v, (&a, &b))| *v = f(a, b));
        } else {
            terms.for_each(|(v, (&a, &b))| *v += f(a, b));
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::{assert_close, values};
    use num_complex::Complex;

    pub fn elementwise_forms<S: Scalar>() {
        for n in [0, 1, 5, 37] {
            let (x, z, start): (Vec<S>, Vec<S>, Vec<S>) =
                (values(1, n), values(2, n), values(3, n));
            let a = values::<S>(4, 2)[1];
            let b = values::<S>(5, 2)[1];
            for acc in [Acc::Set, Acc::Add] {
                let check = |run: &dyn Fn(&mut [S]), want: &dyn Fn(S, S) -> S| {
                    let mut y = start.clone();
                    run(&mut y);
                    let mut expected = start.clone();
                    for i in 0..n {
                        acc.put(&mut expected[i], want(x[i], z[i]));
                    }
                    assert_close(&y, &expected);
                };
                check(&|y| copy(&x, y, acc), &|x, _| x);
                check(&|y| scale(a, &x, y, acc), &|x, _| a * x);
                check(&|y| axpy(a, &x, &z, y, acc), &|x, z| a * x + z);
                check(&|y| add(&x, &z, y, acc), &|x, z| x + z);
                check(&|y| sub(&x, &z, y, acc), &|x, z| x - z);
                check(&|y| neg(&x, y, acc), &|x, _| -x);
                check(&|y| mul(&x, &z, y, acc), &|x, z| x * z);
                check(&|y| mul_conj(&x, &z, y, acc), &|x, z| x.conj() * z);
                check(&|y| conj(&x, y, acc), &|x, _| x.conj());
                check(&|y| re(&x, y, acc), &|x, _| S::from_parts(x.re(), S::Real::ZERO));
            }
            let mut y = vec![S::ZERO; n];
            axpy(a, &x, &z, &mut y, Acc::Set);
            let (mut onto, mut over) = (z.clone(), x.clone());
            axpy_onto(a, &x, &mut onto);
            axpy_over(a, &z, &mut over);
            assert_eq!((&onto, &over), (&y, &y), "bits do not depend on the place");
            let mut y = start.clone();
            axpby(a, &x, b, &mut y);
            scale_in_place(b, &mut y);
            let want: Vec<S> = (0..n).map(|i| b * (a * x[i] + b * start[i])).collect();
            assert_close(&y, &want);
        }
    }

    pub fn casts_keep_the_real_part<S: Scalar>() {
        let x: Vec<S> = values(1, 9);
        let mut wide = vec![Complex::<f64>::ZERO; 9];
        cast(&x, &mut wide, Acc::Set);
        let mut back = vec![S::ZERO; 9];
        cast(&wide, &mut back, Acc::Set);
        assert_eq!(back, x);
        let (mut parts, mut imag) = (vec![1f64; 9], vec![S::Real::ZERO; 9]);
        cast(&x, &mut parts, Acc::Add);
        im(&x, &mut imag, Acc::Set);
        for i in 0..9 {
            assert_eq!(parts[i], 1.0 + wide[i].re);
            assert_eq!(imag[i], x[i].im());
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(elementwise_forms casts_keep_the_real_part);
}
