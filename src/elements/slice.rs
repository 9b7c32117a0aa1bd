//! Borrowed, contiguous elements of one of the four types.

use super::{Element, dtype_of, each};
use adjoin_kernels::host::{Acc, vector};
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

impl<'a> Slice<'a> {
    /// Aligned memory as elements of this type.
    pub fn of_bytes(bytes: &'a [u8], dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Slice::F32(bytemuck::cast_slice(bytes)),
            Dtype::F64 => Slice::F64(bytemuck::cast_slice(bytes)),
            Dtype::C64 => Slice::C64(bytemuck::cast_slice(bytes)),
            Dtype::C128 => Slice::C128(bytemuck::cast_slice(bytes)),
        }
    }

    /// Some of the elements.
    pub fn range(self, range: Range<usize>) -> Slice<'a> {
        each!(Slice, self, s => Element::slice(&s[range]))
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        each!(Slice, self, s => dtype_of(s))
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        each!(Slice, self, s => s.len())
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

    /// The values in the widest type, exactly.
    pub fn widest(self) -> Vec<Complex<f64>> {
        let mut out = vec![Complex::new(0.0, 0.0); self.len()];
        SliceMut::from(&mut out).convert_from(self);
        out
    }

    /// Their memory.
    pub fn bytes(self) -> &'a [u8] {
        each!(Slice, self, s => bytemuck::cast_slice(s))
    }
}

impl<'a> SliceMut<'a> {
    /// Aligned memory as elements of this type.
    pub fn of_bytes(bytes: &'a mut [u8], dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => SliceMut::F32(bytemuck::cast_slice_mut(bytes)),
            Dtype::F64 => SliceMut::F64(bytemuck::cast_slice_mut(bytes)),
            Dtype::C64 => SliceMut::C64(bytemuck::cast_slice_mut(bytes)),
            Dtype::C128 => SliceMut::C128(bytemuck::cast_slice_mut(bytes)),
        }
    }

    /// Some of the elements.
    pub fn range(self, range: Range<usize>) -> SliceMut<'a> {
        each!(SliceMut, self, s => Element::slice_mut(&mut s[range]))
    }

    /// Some of the elements for a shorter time.
    pub fn part(&mut self, range: Range<usize>) -> SliceMut<'_> {
        self.reborrow().range(range)
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.shared().dtype()
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.shared().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same elements for a shorter time.
    pub fn reborrow(&mut self) -> SliceMut<'_> {
        each!(SliceMut, self, s => Element::slice_mut(s))
    }

    /// The same elements, to read.
    pub fn shared(&self) -> Slice<'_> {
        each!(SliceMut, self, s => Element::slice(s))
    }

    /// Complex elements as twice as many reals; real ones as they are.
    pub fn reals(self) -> SliceMut<'a> {
        match self {
            SliceMut::C64(s) => SliceMut::F32(bytemuck::cast_slice_mut(s)),
            SliceMut::C128(s) => SliceMut::F64(bytemuck::cast_slice_mut(s)),
            real => real,
        }
    }

    /// Their memory.
    pub fn bytes(&mut self) -> &mut [u8] {
        each!(SliceMut, self, s => bytemuck::cast_slice_mut(s))
    }

    /// Sets every element to zero.
    pub fn clear(&mut self) {
        self.bytes().fill(0);
    }

    /// Copies elements of any type, rounding where their own is narrower and dropping imaginary
    /// parts where it is real; callers decide first whether that is wanted.
    pub fn convert_from(&mut self, from: Slice<'_>) {
        fn to<T: Element>(from: Slice<'_>, to: &mut [T]) {
            match T::of(from) {
                Some(same) => to.copy_from_slice(same),
                None => each!(Slice, from, x => vector::cast(x, to, Acc::Set)),
            }
        }
        each!(SliceMut, self, own => to(from, own));
    }
}

impl<'a, T: Element> From<&'a [T]> for Slice<'a> {
    fn from(values: &'a [T]) -> Self {
        T::slice(values)
    }
}

impl<'a, T: Element> From<&'a Vec<T>> for Slice<'a> {
    fn from(values: &'a Vec<T>) -> Self {
        T::slice(values)
    }
}

impl<'a, T: Element> From<&'a mut [T]> for SliceMut<'a> {
    fn from(values: &'a mut [T]) -> Self {
        T::slice_mut(values)
    }
}

impl<'a, T: Element> From<&'a mut Vec<T>> for SliceMut<'a> {
    fn from(values: &'a mut Vec<T>) -> Self {
        T::slice_mut(values)
    }
}
