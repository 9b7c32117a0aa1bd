//! Folders and files for tests, written byte by byte as NumPy does.

use adjoin::data::{DataError, Source};
use adjoin::elements::Element;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of one test, removed at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("data-{}-{serial}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The message without the path of the folder.
    pub fn told<T: std::fmt::Debug>(&self, result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file as NumPy writes it.
pub fn npy(version: u8, descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut dict = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}")
        .into_bytes();
    let fixed = if version == 1 { 10 } else { 12 };
    let total = (fixed + dict.len() + 1).next_multiple_of(64);
    dict.resize(total - fixed - 1, b' ');
    dict.push(b'\n');
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((dict.len() as u16).to_le_bytes()),
        _ => bytes.extend((dict.len() as u32).to_le_bytes()),
    }
    bytes.extend(dict);
    bytes.extend(data);
    bytes
}

pub fn simple(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy(1, &format!("'{descr}'"), false, shape, data)
}

pub fn le(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

pub struct Member<'a> {
    pub name: &'a str,
    pub method: u16,
    pub data: &'a [u8],
    pub zip64: bool,
}

pub fn stored<'a>(name: &'a str, data: &'a [u8]) -> Member<'a> {
    Member { name, method: 0, data, zip64: false }
}

/// An archive as `np.savez` writes it, with zip64 fields in the local headers.
pub fn zip(members: &[Member]) -> Vec<u8> {
    let (mut body, mut directory) = (vec![], vec![]);
    for m in members {
        let (at, len, name) = (body.len() as u64, m.data.len() as u64, m.name.as_bytes());
        let small = |wide: u64| if m.zip64 { u32::MAX } else { wide as u32 }.to_le_bytes();
        body.extend(b"PK\x03\x04\x2d\0\0\0");
        body.extend(m.method.to_le_bytes());
        body.extend([0; 8]);
        body.extend([0xFF; 8]);
        body.extend((name.len() as u16).to_le_bytes());
        body.extend(20_u16.to_le_bytes());
        body.extend(name);
        body.extend([1, 0, 16, 0]);
        body.extend([len, len].map(u64::to_le_bytes).concat());
        body.extend(m.data);

        let fields = [len, len, at].map(u64::to_le_bytes).concat();
        let extra =
            if m.zip64 { [&[9, 0, 1, 0, 7, 1, 0, 24, 0][..], &fields].concat() } else { vec![] };
        directory.extend(b"PK\x01\x02\x2d\0\x2d\0\0\0");
        directory.extend(m.method.to_le_bytes());
        directory.extend([0; 8]);
        directory.extend([small(len), small(len)].concat());
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend((extra.len() as u16).to_le_bytes());
        directory.extend([0; 10]);
        directory.extend(small(at));
        directory.extend(name);
        directory.extend(extra);
    }
    let (at, len, count) = (body.len() as u64, directory.len() as u64, members.len() as u64);
    body.extend(directory);
    if members.iter().any(|m| m.zip64) {
        let end64 = body.len() as u64;
        body.extend(b"PK\x06\x06");
        body.extend(44_u64.to_le_bytes());
        body.extend([0; 12]);
        body.extend([count, count, len, at].map(u64::to_le_bytes).concat());
        body.extend(b"PK\x06\x07\0\0\0\0");
        body.extend(end64.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend(b"PK\x05\x06");
        body.extend([0; 4]);
        body.extend([0xFF; 12]);
    } else {
        body.extend(b"PK\x05\x06");
        body.extend([0; 4]);
        body.extend([count as u16, count as u16].map(u16::to_le_bytes).concat());
        body.extend([len as u32, at as u32].map(u32::to_le_bytes).concat());
    }
    body.extend([0; 2]);
    body
}

pub fn read_all<T: Element>(path: &Path) -> Vec<T> {
    Source::npy(path).unwrap().load().unwrap().into_vec().unwrap()
}
