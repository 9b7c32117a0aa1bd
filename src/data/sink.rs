//! The handle for an array that results are written to, and the trait behind it.

use super::array::widens;
use super::npy_sink::NpySink;
use super::region::show;
use super::{Array, DataError, Region};
use crate::Dtype;
use crate::elements::{Elements, Slice};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Elements that are converted at a time.
const CHUNK: usize = 1 << 18;

/// An array of which any box can be written, from many threads at once.
pub trait WriteTile: Send + Sync {
    /// The length along each axis.
    fn dims(&self) -> &[usize];

    /// The type in which elements are written.
    fn dtype(&self) -> Dtype;

    /// Stores the region's elements, row-major.
    ///
    /// [`Sink::write`] has checked that the region is inside of the array and that `tile` has
    /// its length and the type [`WriteTile::dtype`].
    fn write(&self, region: &Region, tile: Slice<'_>) -> Result<(), DataError>;

    /// Ends writing, after all regions were written, and makes the result visible.
    fn finish(&self) -> Result<(), DataError>;

    /// What it is, with the path of a file: messages quote it.
    fn describe(&self) -> String;

    /// The array in memory, if that is where it is.
    fn memory(&self) -> Option<Array> {
        None
    }

    /// The file that other processes may [`Sink::join`], if there is one.
    fn temporary(&self) -> Option<&Path> {
        None
    }
}

/// An array that results are written to by tiles. Cheap to clone: ranks that are threads of one
/// process write to clones, ranks in other processes [`Sink::join`].
#[derive(Clone)]
pub struct Sink(Arc<dyn WriteTile>);

impl Sink {
    /// A sink of your own.
    pub fn new(tiles: impl WriteTile + 'static) -> Self {
        Sink(Arc::new(tiles))
    }

    /// An `.npy` file, which appears, or replaces another, only in [`Sink::finish`]. Until then
    /// there is a temporary file beside it, which vanishes if the last clone is dropped before.
    pub fn npy(
        path: impl AsRef<Path>,
        dims: impl Into<Vec<usize>>,
        dtype: Dtype,
    ) -> Result<Self, DataError> {
        NpySink::create(path.as_ref(), dims.into(), dtype).map(Sink::new)
    }

    /// Writes to the [`Sink::temporary`] file that another process has created. Its `finish`
    /// brings the data to the disk; the file appears when its creator finishes, after all others.
    pub fn join(temporary: impl AsRef<Path>) -> Result<Self, DataError> {
        NpySink::join(temporary.as_ref()).map(Sink::new)
    }

    /// An array in memory, zero where it is not written.
    pub fn in_memory(dims: impl Into<Vec<usize>>, dtype: Dtype) -> Result<Self, DataError> {
        let array = Array::zeros(dims, dtype)?;
        Ok(Sink::new(MemorySink { dims: array.dims().to_vec(), dtype, array: Mutex::new(array) }))
    }

    /// The length along each axis.
    pub fn dims(&self) -> &[usize] {
        self.0.dims()
    }

    /// The type in which elements are written.
    pub fn dtype(&self) -> Dtype {
        self.0.dtype()
    }

    /// What it is, with the path of a file.
    pub fn describe(&self) -> String {
        self.0.describe()
    }

    /// A copy of the array in memory, if that is where it is.
    pub fn memory(&self) -> Option<Array> {
        self.0.memory()
    }

    /// The file that other processes may [`Sink::join`], if there is one.
    pub fn temporary(&self) -> Option<&Path> {
        self.0.temporary()
    }

    /// Writes the elements of a box, row-major, widened to the type of the sink.
    pub fn write<'a>(&self, region: &Region, tile: impl Into<Slice<'a>>) -> Result<(), DataError> {
        let tile = tile.into();
        self.check(region, tile)?;
        if region.is_empty() {
            return Ok(());
        }
        if tile.dtype() == self.dtype() {
            return self.0.write(region, tile);
        }
        let mut at = 0;
        for slab in region.slabs(CHUNK) {
            let mut elements = Elements::zeros(self.dtype(), slab.len());
            elements.slice_mut().convert_from(tile.range(at..at + slab.len()));
            self.0.write(&slab, elements.slice())?;
            at += slab.len();
        }
        Ok(())
    }

    /// Ends writing: call it once, after all ranks have written. What nobody wrote is zero.
    pub fn finish(&self) -> Result<(), DataError> {
        self.0.finish()
    }

    fn check(&self, region: &Region, tile: Slice<'_>) -> Result<(), DataError> {
        let name = || self.describe();
        if !region.fits(self.dims()) {
            let dims = self.dims().to_vec();
            return Err(DataError::Outside { source_name: name(), region: region.clone(), dims });
        }
        let (needed, found) = (region.len(), tile.len());
        if needed != found {
            let region = region.clone();
            return Err(DataError::Length { source_name: name(), region, needed, found });
        }
        if !widens(tile.dtype(), self.dtype()) {
            let source_name = format!("the tile for {}", name());
            return Err(DataError::Narrowing { source_name, from: tile.dtype(), to: self.dtype() });
        }
        Ok(())
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({}: {} {})", self.describe(), show(self.dims()), self.dtype())
    }
}

struct MemorySink {
    dims: Vec<usize>,
    dtype: Dtype,
    array: Mutex<Array>,
}

impl WriteTile for MemorySink {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn write(&self, region: &Region, tile: Slice<'_>) -> Result<(), DataError> {
        let mut array = self.array.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = array.elements_mut().slice_mut();
        for run in region.runs(&self.dims) {
            values.part(run.stored()).convert_from(tile.range(run.tile()));
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), DataError> {
        Ok(())
    }

    fn describe(&self) -> String {
        format!("array of {} {} in memory", show(&self.dims), self.dtype)
    }

    fn memory(&self) -> Option<Array> {
        Some(self.array.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
