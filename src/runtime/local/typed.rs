//! Elements whose type is known at run time.

use crate::elements::{Slice, SliceMut, each};
use adjoin_kernels::host::vector;
use adjoin_kernels::host::{Acc, Scalar};
use num_complex::Complex64;

/// One element in the widest type.
pub(super) fn get(x: Slice<'_>, i: usize) -> Complex64 {
    each!(Slice, x, x => x[i].to_c128())
}

/// Rounds to the type of the slice; a real one takes the real part.
pub(super) fn put(y: &mut SliceMut<'_>, i: usize, value: Complex64) {
    each!(SliceMut, y, y => y[i] = Scalar::from_c128(value));
}

/// The same number everywhere.
pub(super) fn fill(y: SliceMut<'_>, value: Complex64) {
    each!(SliceMut, y, y => vector::fill(Scalar::from_c128(value), y));
}

pub(super) fn zero(y: SliceMut<'_>) {
    fill(y, Complex64::ZERO);
}

/// Elements from `start` on in the widest type; a shorter slice repeats.
pub(super) fn widen(x: Slice<'_>, start: usize, into: &mut [Complex64]) {
    fn from<S: Scalar>(x: &[S], start: usize, into: &mut [Complex64]) {
        if start + into.len() <= x.len() {
            let x = &x[start..start + into.len()];
            return into.iter_mut().zip(x).for_each(|(to, x)| *to = x.to_c128());
        }
        into.iter_mut().enumerate().for_each(|(i, to)| *to = x[(start + i) % x.len()].to_c128());
    }
    each!(Slice, x, x => from(x, start, into));
}

/// Rounds values to the elements from `start` on.
pub(super) fn narrow(values: &[Complex64], y: &mut SliceMut<'_>, start: usize) {
    let range = start..start + values.len();
    each!(SliceMut, y, y => vector::cast(values, &mut y[range], Acc::Set));
}
