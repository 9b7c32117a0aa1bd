//! Elements whose type is known at run time: borrowed, borrowed to write, and owned.
//!
//! What a kernel reads and writes, what a source fills and a sink takes are all the same slices.

mod owned;
mod slice;

pub use owned::Elements;
pub use slice::{Slice, SliceMut};

use adjoin_kernels::host::Scalar;
use adjoin_passes::Dtype;
use num_complex::Complex;

/// Runs one expression for whichever type of element an enum holds.
macro_rules! each {
    ($enum:ident, $value:expr, $x:ident => $body:expr) => {
        match $value {
            $enum::F32($x) => $body,
            $enum::F64($x) => $body,
            $enum::C64($x) => $body,
            $enum::C128($x) => $body,
        }
    };
}
pub(crate) use each;

/// A Rust type that is one of the four: `f32`, `f64`, `Complex<f32>` or `Complex<f64>`.
pub trait Element: Scalar {
    /// Its name.
    const DTYPE: Dtype;
    /// The slice, if it has this type.
    fn of(slice: Slice<'_>) -> Option<&[Self]>;
    /// The slice, if it has this type.
    fn of_mut(slice: SliceMut<'_>) -> Option<&mut [Self]>;
    /// The slice as one of the four.
    fn slice(elements: &[Self]) -> Slice<'_>;
    /// The slice as one of the four.
    fn slice_mut(elements: &mut [Self]) -> SliceMut<'_>;
    /// The vector as one of the four.
    fn wrap(elements: Vec<Self>) -> Elements;
    /// The vector, or what was given if it has another type.
    fn unwrap(elements: Elements) -> Result<Vec<Self>, Elements>;
}

macro_rules! element {
    ($($t:ty, $v:ident);*) => {$(
        impl Element for $t {
            const DTYPE: Dtype = Dtype::$v;
            fn of(slice: Slice<'_>) -> Option<&[Self]> {
                if let Slice::$v(s) = slice { Some(s) } else { None }
            }
            fn of_mut(slice: SliceMut<'_>) -> Option<&mut [Self]> {
                if let SliceMut::$v(s) = slice { Some(s) } else { None }
            }
            fn slice(elements: &[Self]) -> Slice<'_> {
                Slice::$v(elements)
            }
            fn slice_mut(elements: &mut [Self]) -> SliceMut<'_> {
                SliceMut::$v(elements)
            }
            fn wrap(elements: Vec<Self>) -> Elements {
                Elements::$v(elements)
            }
            fn unwrap(elements: Elements) -> Result<Vec<Self>, Elements> {
                if let Elements::$v(v) = elements { Ok(v) } else { Err(elements) }
            }
        }
    )*};
}
element!(f32, F32; f64, F64; Complex<f32>, C64; Complex<f64>, C128);

/// The name of the type of some elements.
fn dtype_of<T: Element>(_: &[T]) -> Dtype {
    T::DTYPE
}
