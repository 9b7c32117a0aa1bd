//! The directory of `.npz` archives: where each member's bytes are in the zip file.
//!
//! Only stored members can be read by region. Archives beyond 4 GiB (zip64) are understood.

use super::DataError;
use super::storage::Storage;
use std::fs::File;
use std::path::Path;

const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_LEN: usize = 20;
const END64: &[u8] = b"PK\x06\x06";
const END64_LEN: usize = 56;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
/// Longer directories than this are damage, not data.
const LONGEST: u64 = 1 << 28;
/// What a 32-bit field says if its value is in the zip64 field.
const ELSEWHERE: u64 = 0xFFFF_FFFF;

/// An archive whose directory was read.
pub(super) struct Archive {
    storage: Storage,
    file: File,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    encrypted: bool,
    compressed: bool,
    len: u64,
    /// Where its local header starts.
    at: u64,
}

impl Archive {
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (storage, file) = Storage::open(path)?;
        let mut archive = Archive { storage, file, entries: vec![] };
        archive.entries = archive.read_entries()?;
        Ok(archive)
    }

    /// The names of the arrays, in the order of the archive.
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|e| e.name.clone()).collect()
    }

    /// The bytes of one array, and the open file.
    pub fn member(self, name: &str) -> Result<(Storage, File), DataError> {
        let path = || self.storage.path.clone();
        let Some(entry) = self.entries.iter().find(|e| e.name == stem(name)) else {
            let (member, members) = (name.to_string(), self.names());
            return Err(DataError::NoMember { path: path(), member, members });
        };
        if entry.encrypted {
            return Err(self.damaged(format!("{name} is encrypted")));
        }
        if entry.compressed {
            return Err(DataError::Compressed { path: path(), member: name.into() });
        }
        let local = self.read(entry.at, LOCAL_LEN as u64)?;
        if !local.starts_with(LOCAL) {
            return Err(self.damaged(format!("{name} is not where the directory says")));
        }
        let start = entry.at + (LOCAL_LEN + u16_at(&local, 26) + u16_at(&local, 28)) as u64;
        let end = start.checked_add(entry.len).filter(|&end| end <= self.storage.len());
        let end = end.ok_or_else(|| self.damaged(format!("{name} ends after the file")))?;
        Ok((self.storage.member(stem(name), start..end), self.file))
    }

    fn read_entries(&self) -> Result<Vec<Entry>, DataError> {
        let (count, at, len) = self.find_directory()?;
        if len > LONGEST {
            return Err(self.damaged(format!("its directory is {len} bytes long")));
        }
        let directory = self.read(at, len)?;
        let mut rest = &directory[..];
        let mut entries = vec![];
        for _ in 0..count {
            let (entry, after) =
                entry(rest).ok_or_else(|| self.damaged("its directory is damaged"))?;
            entries.push(entry);
            rest = after;
        }
        Ok(entries)
    }

    /// The number of entries, and where the directory starts and how long it is.
    fn find_directory(&self) -> Result<(u64, u64, u64), DataError> {
        let total = self.storage.len();
        let tail_at = total.saturating_sub((END_LEN + LOCATOR_LEN + 0xFFFF) as u64);
        let tail = self.read(tail_at, total - tail_at)?;
        let ends_here = |&at: &usize| {
            tail[at..].starts_with(END) && at + END_LEN + u16_at(&tail, at + 20) == tail.len()
        };
        let last = (tail.len() + 1).checked_sub(END_LEN).map(|n| (0..n).rev());
        let Some(at) = last.and_then(|mut places| places.find(ends_here)) else {
            return Err(self.not_an_archive());
        };
        let end = &tail[at..];
        let locator = at.checked_sub(LOCATOR_LEN).map(|l| &tail[l..at]);
        match locator.filter(|l| l.starts_with(LOCATOR)) {
            Some(locator) => self.find_directory64(u64_at(locator, 8)),
            None => Ok((u16_at(end, 10) as u64, u32_at(end, 16), u32_at(end, 12))),
        }
    }

    fn find_directory64(&self, at: u64) -> Result<(u64, u64, u64), DataError> {
        let end = self.read(at, END64_LEN as u64)?;
        if !end.starts_with(END64) {
            return Err(self.damaged("its zip64 directory is missing"));
        }
        Ok((u64_at(&end, 32), u64_at(&end, 48), u64_at(&end, 40)))
    }

    fn read(&self, at: u64, len: u64) -> Result<Vec<u8>, DataError> {
        if at.checked_add(len).is_none_or(|end| end > self.storage.len()) {
            return Err(self.damaged("it is truncated"));
        }
        let mut bytes = vec![0; len as usize];
        self.storage.read_at(&self.file, at, &mut bytes)?;
        Ok(bytes)
    }

    fn not_an_archive(&self) -> DataError {
        match self.read(0, 6).as_deref() {
            Ok(b"\x93NUMPY") => self.damaged("it is an .npy file, which Source::npy reads"),
            _ => self.damaged("it is no zip file, or it is truncated"),
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> DataError {
        DataError::Archive { path: self.storage.path.clone(), reason: reason.into() }
    }
}

/// Reads one entry of the directory; the rest follows it.
fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (fixed, rest) = bytes.split_at_checked(ENTRY_LEN)?;
    if !fixed.starts_with(ENTRY) {
        return None;
    }
    let (name, rest) = rest.split_at_checked(u16_at(fixed, 28))?;
    let (extra, rest) = rest.split_at_checked(u16_at(fixed, 30))?;
    let (_comment, rest) = rest.split_at_checked(u16_at(fixed, 32))?;
    // The zip64 field has, in this order, just those values that are not in their own fields.
    let mut wide = zip64(extra).chunks_exact(8).map(|c| u64_at(c, 0));
    let mut value = |at| match u32_at(fixed, at) {
        ELSEWHERE => wide.next(),
        here => Some(here),
    };
    let (len, _packed, at) = (value(24)?, value(20)?, value(42)?);
    let name = stem(&String::from_utf8_lossy(name)).to_string();
    let encrypted = u16_at(fixed, 8) & 1 != 0;
    Some((Entry { name, encrypted, compressed: u16_at(fixed, 10) != 0, len, at }, rest))
}

/// The zip64 field of an entry's extra fields, empty if there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let Some((field, rest)) = rest.split_at_checked(u16_at(head, 2)) else { break };
        if u16_at(head, 0) == 1 {
            return field;
        }
        extra = rest;
    }
    &[]
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".npy").unwrap_or(name)
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u32_at(bytes, at) | u32_at(bytes, at + 4) << 32
}
