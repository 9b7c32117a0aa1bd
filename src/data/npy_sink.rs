//! Sinks in `.npy` files: written beside the target, renamed when everything is there.
//!
//! The file has version 1.0, C order and little-endian numbers.

use super::npy::Header;
use super::region::volume;
use super::storage::Storage;
use super::{DataError, Region, WriteTile};
use crate::Dtype;
use crate::elements::Slice;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A file that is being written by this process.
pub(super) struct NpySink {
    file: File,
    temporary: PathBuf,
    /// Where it will appear, if this process is the one that created it.
    target: Option<PathBuf>,
    dims: Vec<usize>,
    dtype: Dtype,
    /// Bytes before the first element.
    header: u64,
    finished: AtomicBool,
}

impl NpySink {
    /// Creates the temporary file in full length.
    pub fn create(path: &Path, dims: Vec<usize>, dtype: Dtype) -> Result<Self, DataError> {
        let header = Header::written(&dims, dtype);
        let data = volume(&dims).and_then(|n| n.checked_mul(dtype.size()));
        let length = data.and_then(|n| (n as u64).checked_add(header.len() as u64));
        let Some(length) = length.filter(|&n| i64::try_from(n).is_ok()) else {
            return Err(DataError::TooLarge { source_name: path.display().to_string(), dims });
        };
        if path.is_dir() {
            return Err(failure("write", path)(io::ErrorKind::IsADirectory.into()));
        }
        let (temporary, file) = create_beside(path)?;
        let sink = NpySink {
            file,
            temporary,
            target: Some(path.into()),
            dims,
            dtype,
            header: header.len() as u64,
            finished: AtomicBool::new(false),
        };
        sink.file.set_len(length).map_err(failure("write", path))?;
        sink.file.write_all_at(&header, 0).map_err(failure("write", path))?;
        Ok(sink)
    }

    /// Opens the temporary file of another process.
    pub fn join(temporary: &Path) -> Result<Self, DataError> {
        let (storage, readable) = Storage::open(temporary)?;
        let header = Header::read(&storage, &readable)?;
        let file = OpenOptions::new().write(true).open(temporary);
        Ok(NpySink {
            file: file.map_err(failure("open", temporary))?,
            temporary: temporary.into(),
            target: None,
            dims: header.dims,
            dtype: header.stored.dtype,
            header: header.bytes,
            finished: AtomicBool::new(false),
        })
    }

    fn path(&self) -> &Path {
        self.target.as_deref().unwrap_or(&self.temporary)
    }
}

impl WriteTile for NpySink {
    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn write(&self, region: &Region, tile: Slice<'_>) -> Result<(), DataError> {
        if self.finished.load(Ordering::Acquire) {
            return Err(DataError::Finished { sink: self.describe() });
        }
        let bytes = little_endian(tile);
        let size = self.dtype.size();
        for run in region.runs(&self.dims) {
            let at = self.header + (run.offset * size) as u64;
            let values = &bytes[run.at * size..(run.at + run.len) * size];
            self.file.write_all_at(values, at).map_err(failure("write", self.path()))?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), DataError> {
        if self.finished.swap(true, Ordering::AcqRel) {
            return Err(DataError::Finished { sink: self.describe() });
        }
        let renamed = self.file.sync_all().map_err(failure("write", self.path())).and_then(|()| {
            let Some(target) = &self.target else { return Ok(()) };
            fs::rename(&self.temporary, target).map_err(failure("create", target))
        });
        if renamed.is_err() {
            self.finished.store(false, Ordering::Release);
        }
        renamed
    }

    fn describe(&self) -> String {
        self.path().display().to_string()
    }

    fn temporary(&self) -> Option<&Path> {
        Some(&self.temporary)
    }
}

impl Drop for NpySink {
    fn drop(&mut self) {
        if self.target.is_some() && !*self.finished.get_mut() {
            // Nobody is left to hear of a failure here.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Creates a file beside the target under a name that no other process has taken.
fn create_beside(target: &Path) -> Result<(PathBuf, File), DataError> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename);
    let name = name.map_err(|kind| failure("create", target)(kind.into()))?;
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{serial}.partial", std::process::id()));
        let temporary = target.with_file_name(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failure("create", target)(error)),
        }
    }
}

#[cfg(target_endian = "little")]
fn little_endian(tile: Slice<'_>) -> &[u8] {
    tile.bytes()
}

#[cfg(target_endian = "big")]
fn little_endian(tile: Slice<'_>) -> Vec<u8> {
    let mut bytes = tile.bytes().to_vec();
    bytes.chunks_exact_mut(tile.dtype().real().size()).for_each(<[u8]>::reverse);
    bytes
}

fn failure(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_path_buf();
    move |error| DataError::Io { action, path, error }
}
