//! Sources without storage: functions of the indices, zeros, and declarations for planning.

use super::region::show;
use super::{DataError, ReadTile, Region};
use crate::Dtype;
use crate::elements::{Element, SliceMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// The values of a function from boxes to elements.
pub(super) struct Function<F> {
    dims: Vec<usize>,
    values: F,
    made: AtomicU64,
}

impl<T: Element, F: Fn(&Region) -> Vec<T> + Send + Sync> Function<F> {
    pub fn new(dims: Vec<usize>, values: F) -> Self {
        Function { dims, values, made: AtomicU64::new(0) }
    }
}

impl<T: Element, F: Fn(&Region) -> Vec<T> + Send + Sync> ReadTile for Function<F> {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        T::DTYPE
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let values = (self.values)(region);
        let (needed, found) = (out.len(), values.len());
        if needed != found {
            let (source_name, region) = (self.describe(), region.clone());
            return Err(DataError::Length { source_name, region, needed, found });
        }
        out.convert_from(T::slice(&values));
        self.made.fetch_add(out.bytes().len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("function of {} {}", show(&self.dims), T::DTYPE)
    }

    fn bytes_read(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// Zeros that take no memory.
pub(super) struct Zeros {
    dims: Vec<usize>,
    dtype: Dtype,
}

impl Zeros {
    pub fn new(dims: Vec<usize>, dtype: Dtype) -> Self {
        Zeros { dims, dtype }
    }
}

impl ReadTile for Zeros {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn read(&self, _region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        out.clear();
        Ok(())
    }

    fn describe(&self) -> String {
        format!("zeros of {} {}", show(&self.dims), self.dtype)
    }
}

/// Dims and type that are known before the values.
pub(super) struct Declared {
    dims: Vec<usize>,
    dtype: Dtype,
}

impl Declared {
    pub fn new(dims: Vec<usize>, dtype: Dtype) -> Self {
        Declared { dims, dtype }
    }
}

impl ReadTile for Declared {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn read(&self, _region: &Region, _out: SliceMut<'_>) -> Result<(), DataError> {
        Err(DataError::Declared { source_name: self.describe() })
    }

    fn describe(&self) -> String {
        format!("declared array of {} {}", show(&self.dims), self.dtype)
    }
}
