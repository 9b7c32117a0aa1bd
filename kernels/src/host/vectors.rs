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
    /// Writes the reals from `y` on past the caches.
    ///
    /// # Safety
    /// There is room for so many, `y` is a multiple of the register's bytes, and the machine has
    /// the instructions.
    unsafe fn stream(self, y: *mut R);
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
    /// Each even lane in the odd one after it too.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn evens(self) -> Self;
    /// Each odd lane in the even one before it too.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn odds(self) -> Self;
    /// The sum of all even lanes and that of all odd ones, halves of the register added to halves.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn halves(self) -> [R; 2];
    /// The reals from `x` on in lanes whose bits are set, and zeros; others are not read.
    ///
    /// # Safety
    /// Those reals are there, and the machine has the instructions.
    unsafe fn load_where(lanes: u32, x: *const R) -> Self;
    /// Writes the reals from `y` on in lanes whose bits are set; others are not touched.
    ///
    /// # Safety
    /// There is room for those, and the machine has the instructions.
    unsafe fn store_where(self, lanes: u32, y: *mut R);
    /// [`Vector::fused`] in lanes whose bits are set, and `c` in the others.
    ///
    /// # Safety
    /// The machine has the instructions.
    unsafe fn fused_where(self, lanes: u32, b: Self, c: Self) -> Self;
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
            unsafe fn stream(self, y: *mut $r) {
                // SAFETY: the caller's contract.
                unsafe { self.store(y) }
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
            #[inline(always)]
            unsafe fn evens(self) -> Self {
                Plain(std::array::from_fn(|l| self.0[l & !1]))
            }
            #[inline(always)]
            unsafe fn odds(self) -> Self {
                Plain(std::array::from_fn(|l| self.0[l | 1]))
            }
            #[inline(always)]
            unsafe fn halves(self) -> [$r; 2] {
                let (mut lanes, mut width) = (self.0, $n);
                while width > 2 {
                    width /= 2;
                    (0..width).for_each(|l| lanes[l] += lanes[l + width]);
                }
                [lanes[0], lanes[1]]
            }
            #[inline(always)]
            unsafe fn load_where(lanes: u32, x: *const $r) -> Self {
                Plain(std::array::from_fn(|l| match lanes >> l & 1 {
                    // SAFETY: the caller's contract.
                    1 => unsafe { *x.wrapping_add(l) },
                    _ => 0.0,
                }))
            }
            #[inline(always)]
            unsafe fn store_where(self, lanes: u32, y: *mut $r) {
                for (l, value) in self.0.into_iter().enumerate() {
                    if lanes >> l & 1 == 1 {
                        // SAFETY: the caller's contract.
                        unsafe { *y.wrapping_add(l) = value }
                    }
                }
            }
            #[inline(always)]
            unsafe fn fused_where(self, lanes: u32, b: Self, c: Self) -> Self {
                let lane = |l: usize| self.0[l] * b.0[l] + c.0[l];
                let chosen = |l| if lanes >> l & 1 == 1 { lane(l) } else { c.0[l] };
                Plain(std::array::from_fn(chosen))
            }
        }
    };
}
plain!(f32, 8);
plain!(f64, 4);

#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($v:ty, $r:ty, $n:literal, $splat:ident, $load:ident, $store:ident, $stream:ident,
     $fused:ident, $times:ident, $permute:ident, $order:literal,
     $evens:literal, $odds:literal, $some:ident) => {
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
            unsafe fn stream(self, y: *mut $r) {
                // SAFETY: the caller's contract.
                unsafe { $stream(y, self) }
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
            #[inline(always)]
            unsafe fn evens(self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $permute::<$evens>(self) }
            }
            #[inline(always)]
            unsafe fn odds(self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $permute::<$odds>(self) }
            }
            #[inline(always)]
            unsafe fn halves(self) -> [$r; 2] {
                // SAFETY: the caller's contract.
                unsafe { $some::halves(self) }
            }
            #[inline(always)]
            unsafe fn load_where(lanes: u32, x: *const $r) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $some::load(lanes, x) }
            }
            #[inline(always)]
            unsafe fn store_where(self, lanes: u32, y: *mut $r) {
                // SAFETY: the caller's contract.
                unsafe { $some::store(self, lanes, y) }
            }
            #[inline(always)]
            unsafe fn fused_where(self, lanes: u32, b: Self, c: Self) -> Self {
                // SAFETY: the caller's contract.
                unsafe { $some::fused(self, lanes, b, c) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    #[allow(clippy::wildcard_imports)]
    use std::arch::x86_64::*;

    /// Some lanes of a register of 512 bits, chosen by bits.
    macro_rules! some_of_wide {
        ($some:ident, $v:ty, $r:ty, $mask:ty, $load:ident, $store:ident, $fused:ident,
         $low:ident, $high:ident, $add:ident, $half:ident) => {
            mod $some {
                #[allow(clippy::wildcard_imports)]
                use std::arch::x86_64::*;
                #[inline(always)]
                pub unsafe fn halves(v: $v) -> [$r; 2] {
                    // SAFETY: the machine has the instructions.
                    unsafe { super::$half::halves($add($low(v), $high::<1>(v))) }
                }
                #[inline(always)]
                pub unsafe fn load(lanes: u32, x: *const $r) -> $v {
                    // SAFETY: the contract of `load_where`.
                    unsafe { $load(lanes as $mask, x) }
                }
                #[inline(always)]
                pub unsafe fn store(v: $v, lanes: u32, y: *mut $r) {
                    // SAFETY: the contract of `store_where`.
                    unsafe { $store(y, lanes as $mask, v) }
                }
                #[inline(always)]
                pub unsafe fn fused(v: $v, lanes: u32, b: $v, c: $v) -> $v {
                    // SAFETY: the contract of `fused_where`.
                    unsafe { $fused(v, b, c, lanes as $mask) }
                }
            }
        };
    }
    some_of_wide!(
        some_f32x16,
        __m512,
        f32,
        __mmask16,
        _mm512_maskz_loadu_ps,
        _mm512_mask_storeu_ps,
        _mm512_mask3_fmadd_ps,
        _mm512_castps512_ps256,
        _mm512_extractf32x8_ps,
        _mm256_add_ps,
        some_f32x8
    );
    some_of_wide!(
        some_f64x8,
        __m512d,
        f64,
        __mmask8,
        _mm512_maskz_loadu_pd,
        _mm512_mask_storeu_pd,
        _mm512_mask3_fmadd_pd,
        _mm512_castpd512_pd256,
        _mm512_extractf64x4_pd,
        _mm256_add_pd,
        some_f64x4
    );

    /// Some lanes of a register of 256 bits, chosen by a register whose lanes have all bits or none.
    macro_rules! some_of_half {
        ($some:ident, $v:ty, $r:ty, $load:ident, $store:ident, $fused:ident, $cast:ident,
         $blend:ident, $all:ident, $and:ident, $equal:ident, $bits:expr, $halves:expr) => {
            mod $some {
                #[allow(clippy::wildcard_imports)]
                use std::arch::x86_64::*;
                #[inline(always)]
                pub unsafe fn halves(v: $v) -> [$r; 2] {
                    // SAFETY: the machine has the instructions.
                    unsafe { $halves(v) }
                }
                #[inline(always)]
                unsafe fn mask(lanes: u32) -> __m256i {
                    // SAFETY: the machine has the instructions.
                    unsafe {
                        let each = $bits;
                        $equal($and($all(lanes.cast_signed().into()), each), each)
                    }
                }
                #[inline(always)]
                pub unsafe fn load(lanes: u32, x: *const $r) -> $v {
                    // SAFETY: the contract of `load_where`.
                    unsafe { $load(x, mask(lanes)) }
                }
                #[inline(always)]
                pub unsafe fn store(v: $v, lanes: u32, y: *mut $r) {
                    // SAFETY: the contract of `store_where`.
                    unsafe { $store(y, mask(lanes), v) }
                }
                #[inline(always)]
                pub unsafe fn fused(v: $v, lanes: u32, b: $v, c: $v) -> $v {
                    // SAFETY: the contract of `fused_where`.
                    unsafe { $blend(c, $fused(v, b, c), $cast(mask(lanes))) }
                }
            }
        };
    }
    some_of_half!(
        some_f32x8,
        __m256,
        f32,
        _mm256_maskload_ps,
        _mm256_maskstore_ps,
        _mm256_fmadd_ps,
        _mm256_castsi256_ps,
        _mm256_blendv_ps,
        _mm256_set1_epi32,
        _mm256_and_si256,
        _mm256_cmpeq_epi32,
        _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128),
        |v| {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            [_mm_cvtss_f32(two), _mm_cvtss_f32(_mm_movehdup_ps(two))]
        }
    );
    some_of_half!(
        some_f64x4,
        __m256d,
        f64,
        _mm256_maskload_pd,
        _mm256_maskstore_pd,
        _mm256_fmadd_pd,
        _mm256_castsi256_pd,
        _mm256_blendv_pd,
        _mm256_set1_epi64x,
        _mm256_and_si256,
        _mm256_cmpeq_epi64,
        _mm256_setr_epi64x(1, 2, 4, 8),
        |v| {
            let two = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
            [_mm_cvtsd_f64(two), _mm_cvtsd_f64(_mm_unpackhi_pd(two, two))]
        }
    );

    register!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_stream_ps,
        _mm512_fmadd_ps,
        _mm512_mul_ps,
        _mm512_permute_ps,
        0b1011_0001,
        0b1010_0000,
        0b1111_0101,
        some_f32x16
    );
    register!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_stream_pd,
        _mm512_fmadd_pd,
        _mm512_mul_pd,
        _mm512_permute_pd,
        0b0101_0101,
        0b0000_0000,
        0b1111_1111,
        some_f64x8
    );
    register!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_stream_ps,
        _mm256_fmadd_ps,
        _mm256_mul_ps,
        _mm256_permute_ps,
        0b1011_0001,
        0b1010_0000,
        0b1111_0101,
        some_f32x8
    );
    register!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_stream_pd,
        _mm256_fmadd_pd,
        _mm256_mul_pd,
        _mm256_permute_pd,
        0b0101,
        0b0000,
        0b1111,
        some_f64x4
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
