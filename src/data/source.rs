//! The handle that users write for an array that is somewhere else, and the trait behind it.

use super::array::{widens, zeros};
use super::error::DataError;
use super::file::NpyFile;
use super::function::{Declared, Function, Zeros};
use super::memory::Memory;
use super::npz::Archive;
use super::region::show;
use super::views::{Cast, Concat, Derived, Reshaped, Scaled, Window};
use super::{Array, Region};
use crate::Dtype;
use crate::elements::{Element, Elements, SliceMut};
use num_complex::Complex;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Elements that are converted at a time.
const CHUNK: usize = 1 << 18;

/// An array of which any box can be read, from many threads at once.
pub trait ReadTile: Send + Sync {
    /// The length along each axis.
    fn dims(&self) -> &[usize];

    /// The type in which elements are read.
    fn dtype(&self) -> Dtype;

    /// Fills `out` with the region's elements, row-major.
    ///
    /// [`Source::read`] has checked that the region is inside of the array and that `out` has
    /// its length and the type [`ReadTile::dtype`].
    fn read(&self, region: &Region, out: SliceMut<'_>) -> Result<(), DataError>;

    /// What it is, with the path of a file: messages quote it.
    fn describe(&self) -> String;

    /// Bytes that were fetched so far from where the values are.
    fn bytes_read(&self) -> u64 {
        0
    }

    /// The whole array, if it is in memory.
    fn memory(&self) -> Option<&Arc<Array>> {
        None
    }

    /// The same elements with other dims of equal size, if there is a shorter way than a view.
    fn reshaped(&self, _dims: &[usize]) -> Option<Source> {
        None
    }
}

/// An array that is somewhere else: in memory, in a file, or in a function. Cheap to clone.
#[derive(Clone)]
pub struct Source(Arc<dyn ReadTile>);

impl Source {
    /// A source of your own.
    pub fn new(tiles: impl ReadTile + 'static) -> Self {
        Source(Arc::new(tiles))
    }

    /// An `.npy` file, of which only the header is read here.
    ///
    /// Integers and bools are read as `f64`.
    pub fn npy(path: impl AsRef<Path>) -> Result<Self, DataError> {
        NpyFile::open(path.as_ref()).map(Source::new)
    }

    /// An array of an `.npz` archive that `np.savez` has written.
    pub fn npz(path: impl AsRef<Path>, name: &str) -> Result<Self, DataError> {
        let (member, file) = Archive::open(path.as_ref())?.member(name)?;
        NpyFile::new(member, &file).map(Source::new)
    }

    /// The names of the arrays of an `.npz` archive.
    pub fn npz_names(path: impl AsRef<Path>) -> Result<Vec<String>, DataError> {
        Archive::open(path.as_ref()).map(|archive| archive.names())
    }

    /// An array in memory.
    pub fn array(array: impl Into<Array>) -> Self {
        Source::shared(Arc::new(array.into()))
    }

    /// An array in memory that others use too.
    pub fn shared(array: Arc<Array>) -> Self {
        Source::new(Memory::new(array))
    }

    /// The values of a function that is given a box and returns its elements, row-major. It is
    /// called for those boxes only that are needed, from several threads.
    pub fn function<T: Element>(
        dims: impl Into<Vec<usize>>,
        values: impl Fn(&Region) -> Vec<T> + Send + Sync + 'static,
    ) -> Self {
        Source::new(Function::new(dims.into(), values))
    }

    /// An array of zeros that takes no memory.
    pub fn zeros(dims: impl Into<Vec<usize>>, dtype: Dtype) -> Self {
        Source::new(Zeros::new(dims.into(), dtype))
    }

    /// Dims and type without values: enough to plan, an error when it is read.
    pub fn declared(dims: impl Into<Vec<usize>>, dtype: Dtype) -> Self {
        Source::new(Declared::new(dims.into(), dtype))
    }

    /// Sources one after another along an axis, as `np.concatenate` has it.
    pub fn concat(axis: usize, parts: impl Into<Vec<Source>>) -> Result<Self, DataError> {
        Concat::new(axis, parts.into()).map(Source::new)
    }

    /// The same elements, row-major, with other dims.
    pub fn reshape(&self, dims: impl Into<Vec<usize>>) -> Result<Self, DataError> {
        let dims = dims.into();
        if dims == self.dims() {
            return Ok(self.clone());
        }
        let view = Reshaped::new(self.clone(), dims)?;
        Ok(self.0.reshaped(view.dims()).unwrap_or_else(|| Source::new(view)))
    }

    /// A box of it.
    pub fn slice(&self, region: impl Into<Region>) -> Result<Self, DataError> {
        Window::new(self.clone(), region.into()).map(Source::new)
    }

    /// The same values in another type, rounded where it is less precise. Complex values have no
    /// real equal.
    pub fn cast(&self, dtype: Dtype) -> Result<Self, DataError> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        if self.dtype().is_complex() && !dtype.is_complex() {
            return Err(self.narrowing(dtype));
        }
        Ok(Source::new(Cast::new(self.clone(), dtype)))
    }

    /// The real parts, in the same precision.
    pub fn real_part(&self) -> Self {
        if !self.dtype().is_complex() {
            return self.clone();
        }
        Source::new(Cast::new(self.clone(), self.dtype().real()))
    }

    /// The same values times a number, in the same type.
    pub fn scaled(&self, by: f64) -> Self {
        Source::new(Scaled::new(self.clone(), by))
    }

    /// An array in the same type whose values are a function of all of these: it is given them and
    /// a box, and returns the elements of the box, row-major. All are read for each box, so there
    /// should be few.
    pub fn derived(
        &self,
        dims: impl Into<Vec<usize>>,
        values: impl Fn(&[Complex<f64>], &Region) -> Vec<Complex<f64>> + Send + Sync + 'static,
    ) -> Self {
        Source::new(Derived::new(self.clone(), dims.into(), values))
    }

    /// The length along each axis.
    pub fn dims(&self) -> &[usize] {
        self.0.dims()
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.0.dtype()
    }

    /// How many elements it has, `usize::MAX` if there are more.
    pub fn len(&self) -> usize {
        Region::all(self.dims()).len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.dims().contains(&0)
    }

    /// What it is, with the path of a file.
    pub fn describe(&self) -> String {
        self.0.describe()
    }

    /// Bytes that were fetched so far from where the values are; of a file, bytes of its data.
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read()
    }

    /// The whole array, if it is in memory.
    pub fn memory(&self) -> Option<&Arc<Array>> {
        self.0.memory()
    }

    /// Fills `out` with the elements of a box, row-major; they are widened to the type of `out`.
    pub fn read<'a>(&self, region: &Region, out: impl Into<SliceMut<'a>>) -> Result<(), DataError> {
        let mut out = out.into();
        self.check(region, &out)?;
        if region.is_empty() {
            return Ok(());
        }
        if out.dtype() == self.dtype() {
            return self.0.read(region, out);
        }
        if !widens(self.dtype(), out.dtype()) {
            return Err(self.narrowing(out.dtype()));
        }
        self.read_converted(region, &mut out)
    }

    /// The elements of a box, row-major, widened to `T`.
    pub fn read_vec<T: Element>(&self, region: &Region) -> Result<Vec<T>, DataError> {
        let elements = self.read_elements(region, T::DTYPE)?;
        T::unwrap(elements).map_err(|_| unreachable!("the elements were read in this type"))
    }

    /// The elements of a box, row-major, widened to the type.
    pub fn read_elements(&self, region: &Region, dtype: Dtype) -> Result<Elements, DataError> {
        self.check_region(region)?;
        let mut elements = zeros(dtype, region.dims(), &self.describe())?;
        self.read(region, elements.slice_mut())?;
        Ok(elements)
    }

    /// The whole array.
    pub fn load(&self) -> Result<Array, DataError> {
        let elements = self.read_elements(&Region::all(self.dims()), self.dtype())?;
        Array::new(self.dims(), elements)
    }

    /// Reads a box that was checked, rounding where `out` is narrower.
    pub(super) fn read_converted(
        &self,
        region: &Region,
        out: &mut SliceMut<'_>,
    ) -> Result<(), DataError> {
        let mut at = 0;
        for slab in region.slabs(CHUNK) {
            let mut elements = Elements::zeros(self.dtype(), slab.len());
            self.0.read(&slab, elements.slice_mut())?;
            out.part(at..at + slab.len()).convert_from(elements.slice());
            at += slab.len();
        }
        Ok(())
    }

    pub(super) fn check_region(&self, region: &Region) -> Result<(), DataError> {
        if region.fits(self.dims()) {
            return Ok(());
        }
        let (source_name, region) = (self.describe(), region.clone());
        Err(DataError::Outside { source_name, region, dims: self.dims().to_vec() })
    }

    fn check(&self, region: &Region, out: &SliceMut<'_>) -> Result<(), DataError> {
        self.check_region(region)?;
        let (needed, found) = (region.len(), out.len());
        if needed == found {
            return Ok(());
        }
        let (source_name, region) = (self.describe(), region.clone());
        Err(DataError::Length { source_name, region, needed, found })
    }

    fn narrowing(&self, to: Dtype) -> DataError {
        DataError::Narrowing { source_name: self.describe(), from: self.dtype(), to }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}: {} {})", self.describe(), show(self.dims()), self.dtype())
    }
}

impl<A: Into<Array>> From<A> for Source {
    fn from(array: A) -> Self {
        Source::array(array)
    }
}

impl From<Arc<Array>> for Source {
    fn from(array: Arc<Array>) -> Self {
        Source::shared(array)
    }
}
