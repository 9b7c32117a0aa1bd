//! The four element types, and how an output is written.

use super::vectors::Registers;
use bytemuck::Pod;
use num_complex::Complex;
use rustfft::FftNum;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, DivAssign, Mul, MulAssign, Neg, RemAssign, Sub, SubAssign};

/// How a kernel writes its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acc {
    /// Replace what the output holds.
    Set,
    /// Add to what the output holds.
    Add,
}

impl Acc {
    /// Writes `value` to `slot`.
    #[inline]
    pub fn put<S: Scalar>(self, slot: &mut S, value: S) {
        match self {
            Acc::Set => *slot = value,
            Acc::Add => *slot += value,
        }
    }

    /// Makes the following additions to `y` the whole of its value: zeros it for `Set`.
    pub fn prepare<S: Scalar>(self, y: &mut [S]) {
        match self {
            Acc::Set => y.fill(S::ZERO),
            Acc::Add => {}
        }
    }
}

/// An element of an array: `f32`, `f64`, or a complex of one of them.
pub trait Scalar:
    Copy
    + Pod
    + Debug
    + PartialEq
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// The type of the real part.
    type Real: Real;
    /// Whether there is an imaginary part.
    const COMPLEX: bool;
    /// The number of reals in an element.
    const PARTS: usize;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// The complex conjugate.
    fn conj(self) -> Self;
    /// The real part.
    fn re(self) -> Self::Real;
    /// The imaginary part, zero for reals.
    fn im(self) -> Self::Real;
    /// The element with these parts; reals drop the imaginary one.
    fn from_parts(re: Self::Real, im: Self::Real) -> Self;
    /// The product with a real.
    fn mul_real(self, a: Self::Real) -> Self;

    /// The conjugate if `conj`, else the element itself.
    #[inline]
    fn conj_if(self, conj: bool) -> Self {
        if conj { self.conj() } else { self }
    }

    /// The element in double precision.
    #[inline]
    fn to_c128(self) -> Complex<f64> {
        Complex::new(self.re().to_f64(), self.im().to_f64())
    }

    /// The nearest element to `a`; reals drop the imaginary part.
    #[inline]
    fn from_c128(a: Complex<f64>) -> Self {
        Self::from_parts(Self::Real::nearest(a.re), Self::Real::nearest(a.im))
    }
}

/// A real element: `f32` or `f64`.
pub trait Real:
    Scalar<Real = Self> + PartialOrd + DivAssign + RemAssign + FftNum + Registers
{
    /// The nearest value to `a`.
    fn nearest(a: f64) -> Self;
    /// The value in double precision.
    fn to_f64(self) -> f64;
    /// `self * b + c`, in one rounding where `FMA` says that the machine has an instruction.
    fn fused<const FMA: bool>(self, b: Self, c: Self) -> Self;
}

macro_rules! real {
    ($r:ident) => {
        impl Real for $r {
            #[inline(always)]
            fn nearest(a: f64) -> $r {
                a as $r
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn fused<const FMA: bool>(self, b: $r, c: $r) -> $r {
                if FMA { self.mul_add(b, c) } else { self * b + c }
            }
        }

        impl Scalar for $r {
            type Real = $r;
            const COMPLEX: bool = false;
            const PARTS: usize = 1;
            const ZERO: $r = 0.0;
            const ONE: $r = 1.0;
            #[inline(always)]
            fn conj(self) -> $r {
                self
            }
            #[inline(always)]
            fn re(self) -> $r {
                self
            }
            #[inline(always)]
            fn im(self) -> $r {
                0.0
            }
            #[inline(always)]
            fn from_parts(re: $r, _im: $r) -> $r {
                re
            }
            #[inline(always)]
            fn mul_real(self, a: $r) -> $r {
                self * a
            }
        }
    };
}

real!(f32);
real!(f64);

impl<R: Real> Scalar for Complex<R> {
    type Real = R;
    const COMPLEX: bool = true;
    const PARTS: usize = 2;
    const ZERO: Complex<R> = Complex::new(R::ZERO, R::ZERO);
    const ONE: Complex<R> = Complex::new(R::ONE, R::ZERO);
    #[inline]
    fn conj(self) -> Complex<R> {
        Complex::new(self.re, -self.im)
    }
    #[inline]
    fn re(self) -> R {
        self.re
    }
    #[inline]
    fn im(self) -> R {
        self.im
    }
    #[inline]
    fn from_parts(re: R, im: R) -> Complex<R> {
        Complex::new(re, im)
    }
    #[inline]
    fn mul_real(self, a: R) -> Complex<R> {
        Complex::new(self.re * a, self.im * a)
    }
}

/// The same memory as reals; a complex element becomes its two parts.
pub fn reals<S: Scalar>(x: &[S]) -> &[S::Real] {
    bytemuck::cast_slice(x)
}

/// The same memory as reals, to write to.
pub fn reals_mut<S: Scalar>(x: &mut [S]) -> &mut [S::Real] {
    bytemuck::cast_slice_mut(x)
}
