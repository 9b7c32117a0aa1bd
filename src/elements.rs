//! Slices of any of the four element types, and access to the typed ones.

use adjoin_kernels::host::Scalar;
use adjoin_passes::Dtype;
use num_complex::Complex;
use std::ops::Range;

/// Elements to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slice<'a> {
    /// `float32`
    F32(&'a [f32]),
    /// `float64`
    F64(&'a [f64]),
    /// `complex64`
    C64(&'a [Complex<f32>]),
    /// `complex128`
    C128(&'a [Complex<f64>]),
}

/// Elements to write.
#[derive(Debug, PartialEq)]
pub enum SliceMut<'a> {
    /// `float32`
    F32(&'a mut [f32]),
    /// `float64`
    F64(&'a mut [f64]),
    /// `complex64`
    C64(&'a mut [Complex<f32>]),
    /// `complex128`
    C128(&'a mut [Complex<f64>]),
}

/// A Rust type that is one of the four.
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
        }
    )*};
}
element!(f32, F32; f64, F64; Complex<f32>, C64; Complex<f64>, C128);

impl<'a> Slice<'a> {
    /// Some of the elements.
    pub fn range(self, range: Range<usize>) -> Slice<'a> {
        match self {
            Slice::F32(s) => Slice::F32(&s[range]),
            Slice::F64(s) => Slice::F64(&s[range]),
            Slice::C64(s) => Slice::C64(&s[range]),
            Slice::C128(s) => Slice::C128(&s[range]),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Slice::F32(_) => Dtype::F32,
            Slice::F64(_) => Dtype::F64,
            Slice::C64(_) => Dtype::C64,
            Slice::C128(_) => Dtype::C128,
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        match self {
            Slice::F32(s) => s.len(),
            Slice::F64(s) => s.len(),
            Slice::C64(s) => s.len(),
            Slice::C128(s) => s.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Complex elements as twice as many reals; real ones as they are.
    pub fn reals(self) -> Slice<'a> {
        match self {
            Slice::C64(s) => Slice::F32(bytemuck::cast_slice(s)),
            Slice::C128(s) => Slice::F64(bytemuck::cast_slice(s)),
            real => real,
        }
    }
}

impl<'a> SliceMut<'a> {
    /// Some of the elements.
    pub fn range(self, range: Range<usize>) -> SliceMut<'a> {
        match self {
            SliceMut::F32(s) => SliceMut::F32(&mut s[range]),
            SliceMut::F64(s) => SliceMut::F64(&mut s[range]),
            SliceMut::C64(s) => SliceMut::C64(&mut s[range]),
            SliceMut::C128(s) => SliceMut::C128(&mut s[range]),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            SliceMut::F32(_) => Dtype::F32,
            SliceMut::F64(_) => Dtype::F64,
            SliceMut::C64(_) => Dtype::C64,
            SliceMut::C128(_) => Dtype::C128,
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        match self {
            SliceMut::F32(s) => s.len(),
            SliceMut::F64(s) => s.len(),
            SliceMut::C64(s) => s.len(),
            SliceMut::C128(s) => s.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same elements for a shorter time.
    pub fn reborrow(&mut self) -> SliceMut<'_> {
        match self {
            SliceMut::F32(s) => SliceMut::F32(s),
            SliceMut::F64(s) => SliceMut::F64(s),
            SliceMut::C64(s) => SliceMut::C64(s),
            SliceMut::C128(s) => SliceMut::C128(s),
        }
    }

    /// Complex elements as twice as many reals; real ones as they are.
    pub fn reals(self) -> SliceMut<'a> {
        match self {
            SliceMut::C64(s) => SliceMut::F32(bytemuck::cast_slice_mut(s)),
            SliceMut::C128(s) => SliceMut::F64(bytemuck::cast_slice_mut(s)),
            real => real,
        }
    }
}
