//! A vector of elements of one of the four types.

use super::{Element, Slice, SliceMut, each};
use adjoin_passes::Dtype;
use num_complex::Complex;

/// Elements of one type, known at run time.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// `float32`
    F32(Vec<f32>),
    /// `float64`
    F64(Vec<f64>),
    /// `complex64`
    C64(Vec<Complex<f32>>),
    /// `complex128`
    C128(Vec<Complex<f64>>),
}

impl Elements {
    /// `n` zeros.
    pub fn zeros(dtype: Dtype, n: usize) -> Self {
        match dtype {
            Dtype::F32 => Elements::F32(vec![0.0; n]),
            Dtype::F64 => Elements::F64(vec![0.0; n]),
            Dtype::C64 => Elements::C64(vec![Complex::new(0.0, 0.0); n]),
            Dtype::C128 => Elements::C128(vec![Complex::new(0.0, 0.0); n]),
        }
    }

    /// `n` zeros, if memory holds them.
    pub fn try_zeros(dtype: Dtype, n: usize) -> Option<Self> {
        fn zeros<T: Element>(n: usize) -> Option<Elements> {
            let mut values = Vec::new();
            values.try_reserve_exact(n).ok()?;
            values.resize(n, T::ZERO);
            Some(T::wrap(values))
        }
        match dtype {
            Dtype::F32 => zeros::<f32>(n),
            Dtype::F64 => zeros::<f64>(n),
            Dtype::C64 => zeros::<Complex<f32>>(n),
            Dtype::C128 => zeros::<Complex<f64>>(n),
        }
    }

    /// The nearest values of this type; real ones drop the imaginary part.
    pub fn nearest(values: &[Complex<f64>], dtype: Dtype) -> Self {
        let mut out = Elements::zeros(dtype, values.len());
        out.slice_mut().convert_from(values.into());
        out
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.slice().dtype()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Borrows them to read.
    pub fn slice(&self) -> Slice<'_> {
        each!(Elements, self, x => Element::slice(x))
    }

    /// Borrows them to write.
    pub fn slice_mut(&mut self) -> SliceMut<'_> {
        each!(Elements, self, x => Element::slice_mut(x))
    }

    /// The values in the widest type, exactly.
    pub fn widest(&self) -> Vec<Complex<f64>> {
        self.slice().widest()
    }

    /// The same values in another type, rounded where it is narrower; complex values become
    /// real ones by dropping the imaginary part.
    pub(crate) fn converted(self, dtype: Dtype) -> Self {
        if dtype == self.dtype() {
            return self;
        }
        let mut out = Elements::zeros(dtype, self.len());
        out.slice_mut().convert_from(self.slice());
        out
    }
}

impl<T: Element> From<Vec<T>> for Elements {
    fn from(values: Vec<T>) -> Self {
        T::wrap(values)
    }
}
