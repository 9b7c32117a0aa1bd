//! Sources made of sources: reshaped, cut out, put together, scaled, derived, or in another type.

use super::region::{boxes, show, volume};
use super::{DataError, ReadTile, Region, Source};
use crate::Dtype;
use crate::elements::{Element, Elements, SliceMut, each};
use num_complex::Complex;
use std::ops::Range;

/// The same elements, row-major, with other dims.
pub(super) struct Reshaped {
    base: Source,
    dims: Vec<usize>,
}

impl Reshaped {
    pub fn new(base: Source, dims: Vec<usize>) -> Result<Self, DataError> {
        if volume(&dims).is_none() || volume(&dims) != volume(base.dims()) {
            let base = format!("{} of {}", base.describe(), show(base.dims()));
            return Err(DataError::Shape { source_name: base, to: dims });
        }
        Ok(Reshaped { base, dims })
    }
}

impl ReadTile for Reshaped {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.base.dtype()
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let mut at = 0;
        for run in region.runs(&self.dims) {
            for part in boxes(self.base.dims(), run.stored()) {
                let next = at + part.len();
                self.base.read(&part, out.part(at..next))?;
                at = next;
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{} reshaped to {}", self.base.describe(), show(&self.dims))
    }

    fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }

    fn reshaped(&self, dims: &[usize]) -> Option<Source> {
        self.base.reshape(dims).ok()
    }
}

/// A box of a source.
pub(super) struct Window {
    base: Source,
    region: Region,
}

impl Window {
    pub fn new(base: Source, region: Region) -> Result<Self, DataError> {
        base.check_region(&region)?;
        Ok(Window { base, region })
    }
}

impl ReadTile for Window {
    fn dims(&self) -> &[usize] {
        self.region.dims()
    }

    fn dtype(&self) -> Dtype {
        self.base.dtype()
    }

    fn read(&self, region: &Region, out: SliceMut<'_>) -> Result<(), DataError> {
        let start = self.region.start().iter().zip(region.start()).map(|(a, b)| a + b);
        self.base.read(&Region::new(start.collect::<Vec<_>>(), region.dims()), out)
    }

    fn describe(&self) -> String {
        format!("{} of {}", self.region, self.base.describe())
    }

    fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }
}

/// The same values in another type, rounded where it is narrower.
pub(super) struct Cast {
    base: Source,
    dtype: Dtype,
}

impl Cast {
    pub fn new(base: Source, dtype: Dtype) -> Self {
        Cast { base, dtype }
    }
}

impl ReadTile for Cast {
    fn dims(&self) -> &[usize] {
        self.base.dims()
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        self.base.read_converted(region, &mut out)
    }

    fn describe(&self) -> String {
        format!("{} as {}", self.base.describe(), self.dtype)
    }

    fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }
}

/// The elements of a source, each times a number.
pub(super) struct Scaled {
    base: Source,
    by: f64,
}

impl Scaled {
    pub fn new(base: Source, by: f64) -> Self {
        Scaled { base, by }
    }
}

impl ReadTile for Scaled {
    fn dims(&self) -> &[usize] {
        self.base.dims()
    }

    fn dtype(&self) -> Dtype {
        self.base.dtype()
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let all = 0..out.len();
        self.base.read(region, out.part(all))?;
        each!(SliceMut, out, x => scale(x, self.by));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{} times {}", self.base.describe(), self.by)
    }

    fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }
}

fn scale<T: Element>(values: &mut [T], by: f64) {
    for v in values {
        *v = T::from_c128(v.to_c128() * by);
    }
}

/// The values of a function of all elements of a small source.
pub(super) struct Derived<F> {
    base: Source,
    dims: Vec<usize>,
    values: F,
}

impl<F: Fn(&[Complex<f64>], &Region) -> Vec<Complex<f64>> + Send + Sync> Derived<F> {
    pub fn new(base: Source, dims: Vec<usize>, values: F) -> Self {
        Derived { base, dims, values }
    }
}

impl<F: Fn(&[Complex<f64>], &Region) -> Vec<Complex<f64>> + Send + Sync> ReadTile for Derived<F> {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.base.dtype()
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let wide = self.base.cast(Dtype::C128)?;
        let values = (self.values)(&wide.read_vec(&Region::all(wide.dims()))?, region);
        let (needed, found) = (out.len(), values.len());
        if needed != found {
            let (source_name, region) = (self.describe(), region.clone());
            return Err(DataError::Length { source_name, region, needed, found });
        }
        out.convert_from(Element::slice(&values));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("function of {} to {}", self.base.describe(), show(&self.dims))
    }

    fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }
}

/// Sources one after another along an axis.
pub(super) struct Concat {
    axis: usize,
    parts: Vec<(Source, Range<usize>)>,
    dims: Vec<usize>,
    dtype: Dtype,
}

impl Concat {
    pub fn new(axis: usize, parts: Vec<Source>) -> Result<Self, DataError> {
        let fail = |reason: String| DataError::Concat { axis, reason };
        let first = parts.first().ok_or_else(|| fail("there are no parts".into()))?.clone();
        let mut dims = first.dims().to_vec();
        if axis >= dims.len() {
            return Err(fail(format!("{} has {} axes", first.describe(), dims.len())));
        }
        dims[axis] = 0;
        let mut dtype = first.dtype();
        let mut placed = vec![];
        for part in parts {
            if !equal_elsewhere(part.dims(), first.dims(), axis) {
                let (part, with) = (show(part.dims()), show(first.dims()));
                return Err(fail(format!("{part} does not fit to {with}")));
            }
            let start = dims[axis];
            let end = start.checked_add(part.dims()[axis]);
            dims[axis] = end.ok_or_else(|| fail("the sum is too large".into()))?;
            dtype = dtype.promote(part.dtype());
            placed.push((part, start..dims[axis]));
        }
        Ok(Concat { axis, parts: placed, dims, dtype })
    }
}

fn equal_elsewhere(a: &[usize], b: &[usize], axis: usize) -> bool {
    a.len() == b.len() && (0..a.len()).all(|i| i == axis || a[i] == b[i])
}

impl ReadTile for Concat {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let wanted = region.range(self.axis);
        for (part, place) in &self.parts {
            let (start, end) = (place.start.max(wanted.start), place.end.min(wanted.end));
            if start >= end {
                continue;
            }
            let here = region.with_range(self.axis, start - place.start..end - place.start);
            let whole = Region::all(region.dims());
            let target = whole.with_range(self.axis, start - wanted.start..end - wanted.start);
            let runs: Vec<_> = target.runs(region.dims()).collect();
            if let [run] = runs[..] {
                part.read(&here, out.part(run.stored()))?;
                continue;
            }
            let mut elements = Elements::zeros(self.dtype, here.len());
            part.read(&here, elements.slice_mut())?;
            for run in runs {
                out.part(run.stored()).convert_from(elements.slice().range(run.tile()));
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let names: Vec<_> = self.parts.iter().map(|(part, _)| part.describe()).collect();
        format!("{} along axis {}", names.join(" and "), self.axis)
    }

    fn bytes_read(&self) -> u64 {
        self.parts.iter().map(|(part, _)| part.bytes_read()).sum()
    }
}
