//! Sources in memory: an array that may be shared with others.

use super::region::show;
use super::{Array, DataError, ReadTile, Region, Source};
use crate::Dtype;
use crate::elements::SliceMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An array that is read by copying.
pub(super) struct Memory {
    array: Arc<Array>,
    copied: AtomicU64,
}

impl Memory {
    pub fn new(array: Arc<Array>) -> Self {
        Memory { array, copied: AtomicU64::new(0) }
    }
}

impl ReadTile for Memory {
    fn dims(&self) -> &[usize] {
        self.array.dims()
    }

    fn dtype(&self) -> Dtype {
        self.array.dtype()
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let values = self.array.elements().slice();
        for run in region.runs(self.dims()) {
            out.part(run.tile()).convert_from(values.range(run.stored()));
        }
        self.copied.fetch_add(out.bytes().len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("array of {} {} in memory", show(self.dims()), self.dtype())
    }

    fn bytes_read(&self) -> u64 {
        self.copied.load(Ordering::Relaxed)
    }

    fn memory(&self) -> Option<&Arc<Array>> {
        Some(&self.array)
    }
}

impl From<&Arc<Array>> for Source {
    fn from(array: &Arc<Array>) -> Self {
        Source::shared(array.clone())
    }
}
