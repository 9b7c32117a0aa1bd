//! Sources in `.npy` files and in members of `.npz` archives, read by region.
//!
//! The elements of a region that follow one another in the file are read at once, and no others.

use super::npy::{Header, Number, Stored};
use super::region::{show, strides};
use super::storage::{Storage, count_from_files};
use super::{DataError, ReadTile, Region, Source};
use crate::Dtype;
use crate::elements::{Element, SliceMut, each};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Elements that are decoded at a time.
const CHUNK: usize = 1 << 16;

/// An array in the format of `.npy`.
pub(super) struct NpyFile {
    storage: Storage,
    header: Header,
    bytes_read: Arc<AtomicU64>,
}

impl NpyFile {
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (storage, file) = Storage::open(path)?;
        Self::new(storage, &file)
    }

    pub fn new(storage: Storage, file: &File) -> Result<Self, DataError> {
        let header = Header::read(&storage, file)?;
        Ok(NpyFile { storage, header, bytes_read: Arc::default() })
    }

    fn read_rows(&self, file: &File, region: &Region, mut out: SliceMut) -> Result<(), DataError> {
        for run in region.runs(&self.header.dims) {
            self.read_run(file, run.offset, out.part(run.tile()))?;
        }
        Ok(())
    }

    /// Reads a region of a Fortran-ordered file: a row-major one with its axes reversed.
    fn read_columns<T: Element>(
        &self,
        file: &File,
        region: &Region,
        out: &mut [T],
    ) -> Result<(), DataError> {
        let dims: Vec<usize> = self.header.dims.iter().rev().copied().collect();
        let reversed = region.reversed();
        let walk = Walk::reversed(region.dims());
        let mut piece = vec![T::ZERO; CHUNK.min(out.len())];
        for run in reversed.runs(&dims) {
            for skip in (0..run.len).step_by(CHUNK) {
                let part = &mut piece[..CHUNK.min(run.len - skip)];
                self.read_run(file, run.offset + skip, T::slice_mut(part))?;
                walk.scatter(part, run.at + skip, out);
            }
        }
        Ok(())
    }

    /// Reads elements that follow one another.
    fn read_run(&self, file: &File, offset: usize, mut out: SliceMut<'_>) -> Result<(), DataError> {
        let stored = self.header.stored;
        let size = stored.size();
        let at = |element: usize| self.header.bytes + (element * size) as u64;
        self.count(out.len() * size);
        if stored.number == Number::Float {
            self.storage.read_at(file, at(offset), out.bytes())?;
            swap(stored, out.bytes());
            return Ok(());
        }
        let SliceMut::F64(values) = out else {
            unreachable!("integers are read as f64");
        };
        let mut bytes = vec![0; size * CHUNK.min(values.len())];
        for (chunk, values) in values.chunks_mut(CHUNK).enumerate() {
            let bytes = &mut bytes[..size * values.len()];
            self.storage.read_at(file, at(offset + chunk * CHUNK), bytes)?;
            swap(stored, bytes);
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(size)) {
                *value = integer(stored.number, bytes);
            }
        }
        Ok(())
    }

    fn count(&self, bytes: usize) {
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        count_from_files(bytes as u64);
    }
}

impl ReadTile for NpyFile {
    fn dims(&self) -> &[usize] {
        &self.header.dims
    }

    fn dtype(&self) -> Dtype {
        self.header.stored.dtype
    }

    fn read(&self, region: &Region, out: SliceMut<'_>) -> Result<(), DataError> {
        let file = self.storage.reopen()?;
        if self.header.fortran {
            each!(SliceMut, out, x => self.read_columns(&file, region, x))
        } else {
            self.read_rows(&file, region, out)
        }
    }

    fn describe(&self) -> String {
        self.storage.describe()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn reshaped(&self, dims: &[usize]) -> Option<Source> {
        if self.header.fortran {
            return None;
        }
        let header = Header { dims: dims.to_vec(), ..self.header.clone() };
        let (storage, bytes_read) = (self.storage.clone(), self.bytes_read.clone());
        Some(Source::new(NpyFile { storage, header, bytes_read }))
    }
}

/// Where the elements of a tile go that come in the order of its reversed axes.
struct Walk {
    dims: Vec<usize>,
    strides: Vec<usize>,
}

impl Walk {
    fn reversed(dims: &[usize]) -> Self {
        let strides = strides(dims);
        Walk {
            dims: dims.iter().rev().copied().collect(),
            strides: strides.into_iter().rev().collect(),
        }
    }

    /// Puts elements into the tile, of which the first is number `at`.
    fn scatter<T: Copy>(&self, from: &[T], at: usize, tile: &mut [T]) {
        let last = self.dims.len() - 1;
        let (inner, stride) = (self.dims[last], self.strides[last]);
        let mut done = 0;
        while done < from.len() {
            let first = (at + done) % inner;
            let n = (inner - first).min(from.len() - done);
            let base = self.outer((at + done) / inner) + first * stride;
            for (i, value) in from[done..done + n].iter().enumerate() {
                tile[base + i * stride] = *value;
            }
            done += n;
        }
    }

    /// The place of a row along the last axis.
    fn outer(&self, mut row: usize) -> usize {
        let mut place = 0;
        for axis in (0..self.dims.len() - 1).rev() {
            place += row % self.dims[axis] * self.strides[axis];
            row /= self.dims[axis];
        }
        place
    }
}

/// Brings the bytes of every number into this machine's order.
fn swap(stored: Stored, bytes: &mut [u8]) {
    if stored.swapped {
        let number = match stored.number {
            Number::Float => stored.dtype.real().size(),
            Number::Signed(size) | Number::Unsigned(size) => size,
            Number::Bool => 1,
        };
        bytes.chunks_exact_mut(number).for_each(<[u8]>::reverse);
    }
}

/// The value of an integer or bool in this machine's order.
fn integer(number: Number, bytes: &[u8]) -> f64 {
    let mut wide = [0; 8];
    let place = if cfg!(target_endian = "big") { 8 - bytes.len() } else { 0 };
    wide[place..place + bytes.len()].copy_from_slice(bytes);
    let value = u64::from_ne_bytes(wide);
    match number {
        Number::Signed(size) => {
            let unused = 64 - 8 * size;
            ((value << unused) as i64 >> unused) as f64
        }
        Number::Unsigned(_) => value as f64,
        Number::Bool => f64::from(u8::from(value != 0)),
        Number::Float => unreachable!("floats are read without decoding"),
    }
}

impl std::fmt::Debug for NpyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.describe(), show(self.dims()), self.dtype())
    }
}
