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

#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
