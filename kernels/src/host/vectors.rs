//! Registers of several reals, for kernels that a compiler does not vectorise by itself.
//!
//! A body that is generic over [`Vector`] is inlined into one function for each instruction set,
//! as `simd::versions!` does it; elsewhere [`Plain`] arrays stand in.

// Intrinsics have their prefix for a name space.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

/// The registers of a real type.
pub trait Registers: Copy {
    /// 512 bits.
    type Wide: Vector<Self>;
    /// 256 bits.
    type Half: Vector<Self>;
    /// No register in particular.
    type Any: Vector<Self>;
}

/// Several reals that are computed with at once.
///
/// # Safety
///
/// `load` and `store` reach `LANES` reals. All functions are called where the machine has the
/// instructions of the type.
pub unsafe trait Vector<R>: Copy {
    /// How many reals.
    const LANES: usize;
    /// `a * b + c` of single reals, rounded as [`Vector::fused`] rounds.
    fn one(a: R, b: R, c: R) -> R;
    /// The same number in all lanes.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn splat(a: R) -> Self;
    /// One number in even lanes, another in odd ones.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn pair(even: R, odd: R) -> Self;
    /// The reals from `x` on.
    ///
    /// # Safety
    /// There are so many, and the machine has the instructions.
    unsafe fn load(x: *const R) -> Self;
    /// Writes the reals from `y` on.
    ///
    /// # Safety
    /// There is room for so many, and the machine has the instructions.
    unsafe fn store(self, y: *mut R);
    /// `self * b + c`, in one rounding where the machine has an instruction.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn fused(self, b: Self, c: Self) -> Self;
    /// `self * b`
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn times(self, b: Self) -> Self;
    /// Each even lane with the odd one after it exchanged.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn swapped(self) -> Self;
}

/// Asks for a cache line that is read soon; any address will do.
#[inline]
pub(crate) fn prefetch<R>(at: *const R) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching has no effect but on caches, at whatever address.
    unsafe {
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// An array of 32 bytes.
#[derive(Clone, Copy)]
pub struct Plain<R, const N: usize>([R; N]);

macro_rules! plain {
    ($r:ty, $n:literal) => {
        // SAFETY: the array is read and written as a whole.
        unsafe impl Vector<$r> for Plain<$r, $n> {
            const LANES: usize = $n;
            #[inline(always)]
            fn one(a: $r, b: $r, c: $r) -> $r {
                a * b + c
            }
            #[inline(always)]
            unsafe fn splat(a: $r) -> Self {
                Plain([a; $n])
            }
            #[inline(always)]
            unsafe fn pair(even: $r, odd: $r) -> Self {
                Plain(std::array::from_fn(|l| if l % 2 == 0 { even } else { odd }))
            }
            #[inline(always)]
            unsafe fn load(x: *const $r) -> Self {
                // SAFETY: the caller's contract.
                Plain(unsafe { x.cast::<[$r; $n]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, y: *mut $r) {
                // SAFETY: the caller's contract.
                unsafe { y.cast::<[$r; $n]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn fused(self, b: Self, c: Self) -> Self {
                Plain(std::array::from_fn(|l| self.0[l] * b.0[l] + c.0[l]))
            }
            #[inline(always)]
            unsafe fn times(self, b: Self) -> Self {
                Plain(std::array::from_fn(|l| self.0[l] * b.0[l]))
            }
            #[inline(always)]
            unsafe fn swapped(self) -> Self {
                Plain(std::array::from_fn(|l| self.0[l ^ 1]))
            }
        }
    };
}
plain!(f32, 8);
plain!(f64, 4);

#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($v:ty, $r:ty, $n:literal, $splat:ident, $load:ident, $store:ident, $fused:ident,
     $times:ident, $permute:ident, $order:literal) => {
        // SAFETY: the intrinsics read and write one register's reals.
        unsafe impl Vector<$r> for $v {
            const LANES: usize = $n;
            #[inline(always)]
            fn one(a: $r, b: $r, c: $r) -> $r {
                a.mul_add(b, c)
            }
            #[inline(always)]
            unsafe fn splat(a: $r) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $splat(a) }
            }
            #[inline(always)]
            unsafe fn pair(even: $r, odd: $r) -> Self {
                let lanes: [$r; $n] = std::array::from_fn(|l| if l % 2 == 0 { even } else { odd });
                // SAFETY: the caller's contract; the array has as many reals as the register.
                unsafe { $load(lanes.as_ptr()) }
            }
            #[inline(always)]
            unsafe fn load(x: *const $r) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $load(x) }
            }
            #[inline(always)]
            unsafe fn store(self, y: *mut $r) {
                // SAFETY: the caller's contract.
                unsafe { $store(y, self) }
            }
            #[inline(always)]
            unsafe fn fused(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $fused(self, b, c) }
            }
            #[inline(always)]
            unsafe fn times(self, b: Self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $times(self, b) }
            }
            #[inline(always)]
            unsafe fn swapped(self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $permute::<$order>(self) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    #[allow(clippy::wildcard_imports)]
    use std::arch::x86_64::*;

    register!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_mul_ps,
        _mm512_permute_ps,
        0b1011_0001
    );
    register!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_mul_pd,
        _mm512_permute_pd,
        0b0101_0101
    );
    register!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_mul_ps,
        _mm256_permute_ps,
        0b1011_0001
    );
    register!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_mul_pd,
        _mm256_permute_pd,
        0b0101
    );
}

macro_rules! registers {
    ($r:ty, $wide:ty, $half:ty, $n:literal) => {
        impl Registers for $r {
            #[cfg(target_arch = "x86_64")]
            type Wide = $wide;
            #[cfg(target_arch = "x86_64")]
            type Half = $half;
            #[cfg(not(target_arch = "x86_64"))]
            type Wide = Plain<$r, $n>;
            #[cfg(not(target_arch = "x86_64"))]
            type Half = Plain<$r, $n>;
            type Any = Plain<$r, $n>;
        }
    };
}
registers!(f32, __m512, __m256, 8);
registers!(f64, __m512d, __m256d, 4);
