//! One body compiled for several instruction sets, chosen when the program runs.

/// Defines a function whose body is compiled for AVX-512, for AVX2 and for the baseline.
///
/// `fn name {R: Real, const K: usize} {R, K} (x: &[R]) -> R { .. }`: first the generics as they
/// are declared, then as they are used. The body may use the constant `FMA`.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident {$($gen:tt)*} {$($par:tt)*}
     ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$($gen)*, const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,fma")]
            fn avx512<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
                body::<$($par)*, true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
                body::<$($par)*, true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if $crate::host::simd::has_avx512() {
                // SAFETY: The machine has the instructions of `avx512`.
                return unsafe { avx512::<$($par)*>($($arg),*) };
            } else if $crate::host::simd::has_avx2() {
                // SAFETY: The machine has the instructions of `avx2`.
                return unsafe { avx2::<$($par)*>($($arg),*) };
            }
            body::<$($par)*, false>($($arg),*)
        }
    };
}
pub(crate) use multiversion;

/// Defines a function whose body is generic over registers, and runs with the widest there are.
///
/// `fn name {R: Real, const K: usize} {R, K} (x: &[R]) -> R { .. }`; the body is unsafe code that
/// may use the type `V`, the registers of `R`.
macro_rules! versions {
    ($(#[$meta:meta])* $vis:vis fn $name:ident {$($gen:tt)*} {$($par:tt)*}
     ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
            /// # Safety
            /// The machine has the instructions of `V`.
            #[inline(always)]
            unsafe fn body<V: $crate::host::vectors::Vector<R>, $($gen)*>($($arg: $ty),*)
                $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,fma")]
            fn avx512<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: This function runs only where there are its instructions.
                unsafe { body::<R::Wide, $($par)*>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: This function runs only where there are its instructions.
                unsafe { body::<R::Half, $($par)*>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            if $crate::host::simd::has_avx512() {
                // SAFETY: The machine has the instructions of `avx512`.
                return unsafe { avx512::<$($par)*>($($arg),*) };
            } else if $crate::host::simd::has_avx2() {
                // SAFETY: The machine has the instructions of `avx2`.
                return unsafe { avx2::<$($par)*>($($arg),*) };
            }
            // SAFETY: Every machine has what these registers need.
            unsafe { body::<R::Any, $($par)*>($($arg),*) }
        }
    };
}
pub(crate) use versions;

/// The widest instructions of the machine: nothing special, AVX2 or AVX-512.
#[cfg(target_arch = "x86_64")]
static LEVEL: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(UNKNOWN);

#[cfg(target_arch = "x86_64")]
const UNKNOWN: u8 = u8::MAX;

#[cfg(target_arch = "x86_64")]
#[inline]
fn level() -> u8 {
    match LEVEL.load(std::sync::atomic::Ordering::Relaxed) {
        UNKNOWN => detect(),
        level => level,
    }
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> u8 {
    let fma = is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw");
    let avx2 = is_x86_feature_detected!("avx2");
    let level = if fma && avx512 { 2 } else { u8::from(fma && avx2) };
    LEVEL.store(level, std::sync::atomic::Ordering::Relaxed);
    level
}

#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    level() == 2
}

#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    level() >= 1
}
