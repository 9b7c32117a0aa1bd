//! N-D arrays in memory, row-major, of any of the four element types.

use super::region::{show, volume};
use super::{DataError, Region, Sink, Source};
use crate::Dtype;
use crate::elements::{Element, Elements};
use std::path::Path;

/// An N-D array in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    dims: Vec<usize>,
    elements: Elements,
}

impl Array {
    /// An array of these dims; they must have as many elements as are given.
    pub fn new(
        dims: impl Into<Vec<usize>>,
        elements: impl Into<Elements>,
    ) -> Result<Self, DataError> {
        Array::from(elements.into()).reshape(dims)
    }

    /// An array of zeros.
    pub fn zeros(dims: impl Into<Vec<usize>>, dtype: Dtype) -> Result<Self, DataError> {
        let dims = dims.into();
        let elements = zeros(dtype, &dims, "array of zeros")?;
        Ok(Array { dims, elements })
    }

    /// Reads a whole `.npy` file.
    pub fn read_npy(path: impl AsRef<Path>) -> Result<Self, DataError> {
        Source::npy(path)?.load()
    }

    /// Writes an `.npy` file.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<(), DataError> {
        let sink = Sink::npy(path, self.dims.clone(), self.dtype())?;
        sink.write(&Region::all(&self.dims), self.elements.slice())?;
        sink.finish()
    }

    /// The length along each axis.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.elements.dtype()
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements, row-major.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// Its elements, to change them.
    pub fn elements_mut(&mut self) -> &mut Elements {
        &mut self.elements
    }

    /// Its elements by value.
    pub fn into_elements(self) -> Elements {
        self.elements
    }

    /// Its elements, if they have this type.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::of(self.elements.slice())
    }

    /// Its memory, row-major.
    pub fn bytes(&self) -> &[u8] {
        self.elements.slice().bytes()
    }

    /// Its elements by value, widened if need be.
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>, DataError> {
        self.check_widens(T::DTYPE)?;
        T::unwrap(self.elements.converted(T::DTYPE))
            .map_err(|_| unreachable!("the elements were just converted"))
    }

    /// The `ndarray` of its elements, widened if need be.
    pub fn into_ndarray<T: Element>(self) -> Result<ndarray::ArrayD<T>, DataError> {
        let (name, dims) = (self.describe(), self.dims.clone());
        let values = self.into_vec()?;
        ndarray::ArrayD::from_shape_vec(dims.clone(), values)
            .map_err(|_| DataError::Shape { source_name: name, to: dims })
    }

    /// The same elements, row-major, with other dims.
    pub fn reshape(self, dims: impl Into<Vec<usize>>) -> Result<Self, DataError> {
        let dims = dims.into();
        if volume(&dims) != Some(self.len()) {
            return Err(DataError::Shape { source_name: self.describe(), to: dims });
        }
        Ok(Array { dims, elements: self.elements })
    }

    /// The same values in another type, rounded where it is less precise. A complex array has no
    /// real equal: see [`Array::real_part`].
    pub fn cast(self, dtype: Dtype) -> Result<Self, DataError> {
        if self.dtype().is_complex() && !dtype.is_complex() {
            return Err(self.narrowing(dtype));
        }
        Ok(Array { dims: self.dims, elements: self.elements.converted(dtype) })
    }

    /// The real parts, in the same precision.
    pub fn real_part(self) -> Self {
        let dtype = self.dtype().real();
        Array { dims: self.dims, elements: self.elements.converted(dtype) }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        format!("array of {} {}", show(&self.dims), self.dtype())
    }

    fn check_widens(&self, dtype: Dtype) -> Result<(), DataError> {
        if widens(self.dtype(), dtype) { Ok(()) } else { Err(self.narrowing(dtype)) }
    }

    fn narrowing(&self, to: Dtype) -> DataError {
        DataError::Narrowing { source_name: self.describe(), from: self.dtype(), to }
    }
}

impl From<Elements> for Array {
    fn from(elements: Elements) -> Self {
        Array { dims: vec![elements.len()], elements }
    }
}

impl<T: Element> From<Vec<T>> for Array {
    fn from(values: Vec<T>) -> Self {
        Array::from(T::wrap(values))
    }
}

impl<T: Element> From<&[T]> for Array {
    fn from(values: &[T]) -> Self {
        Array::from(values.to_vec())
    }
}

impl<T: Element, D: ndarray::Dimension> From<ndarray::Array<T, D>> for Array {
    fn from(array: ndarray::Array<T, D>) -> Self {
        let dims = array.shape().to_vec();
        let n = array.len();
        let values = if array.is_standard_layout() {
            let (mut values, first) = array.into_raw_vec_and_offset();
            values.drain(..first.unwrap_or(0));
            values.truncate(n);
            values
        } else {
            array.iter().copied().collect()
        };
        Array { dims, elements: T::wrap(values) }
    }
}

/// Zeros for an array of these dims, or an error if memory does not hold it.
pub(super) fn zeros(dtype: Dtype, dims: &[usize], name: &str) -> Result<Elements, DataError> {
    let made = volume(dims).and_then(|n| Elements::try_zeros(dtype, n));
    made.ok_or_else(|| DataError::TooLarge { source_name: name.into(), dims: dims.to_vec() })
}

/// Whether every value of one type has an exact place in another.
pub(super) fn widens(from: Dtype, to: Dtype) -> bool {
    from.promote(to) == to
}
