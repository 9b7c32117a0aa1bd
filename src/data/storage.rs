//! Part of a file: the whole, or one member of an archive; opened anew for every read.
//!
//! A problem may have thousands of files, more than may be open at once, so none is kept open.

use super::DataError;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

static FROM_FILES: AtomicU64 = AtomicU64::new(0);

/// The bytes of array data that this process has read from files, headers excluded.
pub fn bytes_read_from_files() -> u64 {
    FROM_FILES.load(Ordering::Relaxed)
}

/// Counts bytes of array data that were read from a file.
pub(super) fn count_from_files(bytes: u64) {
    FROM_FILES.fetch_add(bytes, Ordering::Relaxed);
}

/// A range of bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub path: PathBuf,
    pub member: Option<String>,
    pub range: Range<u64>,
    stamp: (u64, Option<SystemTime>),
}

impl Storage {
    /// The whole file, open.
    pub fn open(path: &Path) -> Result<(Self, File), DataError> {
        let (file, metadata) = open(path)?;
        let stamp = stamp(&metadata);
        let whole = Storage { path: path.into(), member: None, range: 0..stamp.0, stamp };
        Ok((whole, file))
    }

    /// A member of the archive.
    pub fn member(&self, name: &str, range: Range<u64>) -> Self {
        Storage { member: Some(name.into()), range, ..self.clone() }
    }

    /// Opens the file again, if it is still the same.
    pub fn reopen(&self) -> Result<File, DataError> {
        let (file, metadata) = open(&self.path)?;
        if stamp(&metadata) == self.stamp {
            Ok(file)
        } else {
            Err(DataError::Changed { path: self.path.clone() })
        }
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Reads bytes that start at `at` within the range.
    pub fn read_at(&self, file: &File, at: u64, out: &mut [u8]) -> Result<(), DataError> {
        let start = self.range.start + at;
        file.read_exact_at(out, start).map_err(|error| self.error("read", error))
    }

    /// The file, with its member.
    pub fn describe(&self) -> String {
        let path = self.path.display();
        match &self.member {
            Some(member) => format!("{member} in {path}"),
            None => path.to_string(),
        }
    }

    fn error(&self, action: &'static str, error: io::Error) -> DataError {
        DataError::Io { action, path: self.path.clone(), error }
    }
}

fn open(path: &Path) -> Result<(File, Metadata), DataError> {
    let fail = |error| DataError::Io { action: "open", path: path.into(), error };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    Ok((file, metadata))
}

fn stamp(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}
