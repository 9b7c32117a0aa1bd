//! Borrowed, contiguous, row-major elements of one type: what a read fills and a write takes.

use super::Element;
use crate::Dtype;
use num_complex::Complex;
use std::ops::Range;

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
pub(super) use each;

/// Elements to read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tile<'a> {
    /// `float32`
    F32(&'a [f32]),
    /// `float64`
    F64(&'a [f64]),
    /// `complex64`
    C64(&'a [Complex<f32>]),
    /// `complex128`
    C128(&'a [Complex<f64>]),
}

/// Elements to fill.
#[derive(Debug, PartialEq)]
pub enum TileMut<'a> {
    /// `float32`
    F32(&'a mut [f32]),
    /// `float64`
    F64(&'a mut [f64]),
    /// `complex64`
    C64(&'a mut [Complex<f32>]),
    /// `complex128`
    C128(&'a mut [Complex<f64>]),
}

impl<'a> Tile<'a> {
    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        each!(Tile, self, x => dtype_of(x))
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        each!(Tile, self, x => x.len())
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of its elements.
    pub fn part(self, range: Range<usize>) -> Tile<'a> {
        each!(Tile, self, x => Element::tile(&x[range]))
    }

    /// Its memory.
    pub fn bytes(self) -> &'a [u8] {
        each!(Tile, self, x => bytemuck::cast_slice(x))
    }
}

impl TileMut<'_> {
    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        each!(TileMut, self, x => dtype_of(x))
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        each!(TileMut, self, x => x.len())
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of its elements, borrowed for a shorter time.
    pub fn part(&mut self, range: Range<usize>) -> TileMut<'_> {
        each!(TileMut, self, x => Element::tile_mut(&mut x[range]))
    }

    /// Its memory.
    pub fn bytes(&mut self) -> &mut [u8] {
        each!(TileMut, self, x => bytemuck::cast_slice_mut(x))
    }

    /// Sets every element to zero.
    pub fn clear(&mut self) {
        self.bytes().fill(0);
    }

    /// Copies elements of any type, rounding where its own is narrower and dropping imaginary
    /// parts where it is real; callers decide first whether that is wanted.
    pub(super) fn convert_from(&mut self, from: Tile<'_>) {
        each!(TileMut, self, to => convert_into(from, to));
    }
}

/// Whether every value of one type has an exact place in another.
pub(super) fn widens(from: Dtype, to: Dtype) -> bool {
    from.promote(to) == to
}

fn convert_into<T: Element>(from: Tile<'_>, to: &mut [T]) {
    if let Some(same) = T::slice(from) {
        return to.copy_from_slice(same);
    }
    each!(Tile, from, x => {
        for (out, value) in to.iter_mut().zip(x) {
            *out = T::from_widest(value.widest());
        }
    });
}

fn dtype_of<T: Element>(_: &[T]) -> Dtype {
    T::DTYPE
}

impl<'a, T: Element> From<&'a [T]> for Tile<'a> {
    fn from(values: &'a [T]) -> Self {
        T::tile(values)
    }
}

impl<'a, T: Element> From<&'a Vec<T>> for Tile<'a> {
    fn from(values: &'a Vec<T>) -> Self {
        T::tile(values)
    }
}

impl<'a, T: Element> From<&'a mut [T]> for TileMut<'a> {
    fn from(values: &'a mut [T]) -> Self {
        T::tile_mut(values)
    }
}

impl<'a, T: Element> From<&'a mut Vec<T>> for TileMut<'a> {
    fn from(values: &'a mut Vec<T>) -> Self {
        T::tile_mut(values)
    }
}
