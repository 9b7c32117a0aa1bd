//! The header of `.npy` files: a magic number, a version and a Python dict.
//!
//! ```text
//! \x93NUMPY 1 0 118 {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
//! ```

use super::DataError;
use super::region::volume;
use super::storage::Storage;
use crate::Dtype;
use std::fs::File;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longer headers than this are damage, not data.
const LONGEST: u64 = 1 << 20;

/// How one number of an element is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// Stored as it is held in memory.
    Float,
    /// A signed integer of this many bytes.
    Signed(usize),
    /// An unsigned integer of this many bytes.
    Unsigned(usize),
    /// One byte, true unless zero.
    Bool,
}

/// How elements are stored, and the type in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub number: Number,
    pub dtype: Dtype,
    /// Whether the bytes of a number are in the opposite order of this machine's.
    pub swapped: bool,
}

impl Stored {
    /// Bytes of an element in the file.
    pub fn size(self) -> usize {
        match self.number {
            Number::Float => self.dtype.size(),
            Number::Signed(bytes) | Number::Unsigned(bytes) => bytes,
            Number::Bool => 1,
        }
    }

    /// Reads NumPy's code, such as `<f8`.
    fn parse(descr: &str) -> Option<Self> {
        let (order, code) = descr.split_at_checked(1)?;
        let big = match order {
            "<" => false,
            ">" => true,
            "|" | "=" => cfg!(target_endian = "big"),
            _ => return None,
        };
        let (number, dtype) = match code {
            "f4" => (Number::Float, Dtype::F32),
            "f8" => (Number::Float, Dtype::F64),
            "c8" => (Number::Float, Dtype::C64),
            "c16" => (Number::Float, Dtype::C128),
            "i1" | "i2" | "i4" | "i8" => (Number::Signed(digit(code)), Dtype::F64),
            "u1" | "u2" | "u4" | "u8" => (Number::Unsigned(digit(code)), Dtype::F64),
            "b1" => (Number::Bool, Dtype::F64),
            _ => return None,
        };
        Some(Stored { number, dtype, swapped: big != cfg!(target_endian = "big") })
    }
}

fn digit(code: &str) -> usize {
    usize::from(code.as_bytes()[1] - b'0')
}

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub stored: Stored,
    pub fortran: bool,
    pub dims: Vec<usize>,
    /// Bytes before the first element.
    pub bytes: u64,
}

impl Header {
    /// Reads the header and checks the length of the data against it.
    pub fn read(storage: &Storage, file: &File) -> Result<Self, DataError> {
        let name = || storage.describe();
        let (text_at, text_len) = preamble(storage, file)?;
        let needed = text_at + text_len;
        let found = storage.len();
        if found < needed {
            return Err(DataError::Truncated { source_name: name(), needed, found });
        }
        if text_len > LONGEST {
            let reason = format!("it is {text_len} bytes long");
            return Err(DataError::Header { source_name: name(), reason });
        }
        let mut text = vec![0; text_len as usize];
        storage.read_at(file, text_at, &mut text)?;
        let dict = Dict::parse(&String::from_utf8_lossy(&text))
            .map_err(|reason| DataError::Header { source_name: name(), reason })?;
        let header = dict.header(needed, name)?;
        header.check_length(storage)?;
        Ok(header)
    }

    fn check_length(&self, storage: &Storage) -> Result<(), DataError> {
        let source_name = storage.describe();
        let data = volume(&self.dims).and_then(|n| n.checked_mul(self.stored.size()));
        let Some(needed) = data.and_then(|n| (n as u64).checked_add(self.bytes)) else {
            return Err(DataError::TooLarge { source_name, dims: self.dims.clone() });
        };
        let found = storage.len();
        match found.cmp(&needed) {
            std::cmp::Ordering::Less => Err(DataError::Truncated { source_name, needed, found }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(DataError::Surplus { source_name, needed, found }),
        }
    }

    /// The bytes of a version 1.0 header, padded so that the data are aligned to 64 bytes.
    pub fn written(dims: &[usize], dtype: Dtype) -> Vec<u8> {
        let lengths: Vec<String> = dims.iter().map(usize::to_string).collect();
        let comma = if dims.len() == 1 { "," } else { "" };
        let shape = format!("({}{comma})", lengths.join(", "));
        let descr = match dtype {
            Dtype::F32 => "<f4",
            Dtype::F64 => "<f8",
            Dtype::C64 => "<c8",
            Dtype::C128 => "<c16",
        };
        let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let total = (10 + dict.len() + 1).next_multiple_of(64);
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(((total - 10) as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.resize(total - 1, b' ');
        bytes.push(b'\n');
        bytes
    }
}

/// Where the dict starts and how long it is.
fn preamble(storage: &Storage, file: &File) -> Result<(u64, u64), DataError> {
    let mut start = [0; 12];
    let there = storage.len().min(12) as usize;
    storage.read_at(file, 0, &mut start[..there])?;
    if there < 10 || &start[..6] != MAGIC {
        let hint = if start.starts_with(b"PK") {
            ": it is a zip archive, whose arrays Source::npz reads by name"
        } else {
            ": it does not start with \\x93NUMPY"
        };
        return Err(DataError::NotNpy { source_name: storage.describe(), hint });
    }
    let [major, minor] = [start[6], start[7]];
    match (major, minor) {
        (1, 0) => Ok((10, u64::from(u16::from_le_bytes([start[8], start[9]])))),
        (2 | 3, 0) => {
            Ok((12, u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]]))))
        }
        _ => Err(DataError::Version { source_name: storage.describe(), major, minor }),
    }
}

/// The dict of a header, of which three keys matter.
#[derive(Default)]
struct Dict {
    descr: Option<String>,
    fortran: Option<bool>,
    dims: Option<Vec<usize>>,
}

impl Dict {
    fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim().strip_prefix('{').ok_or("it is not a dict")?;
        let mut dict = Dict::default();
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if rest.starts_with('}') {
                return Ok(dict);
            }
            let (key, after) = item(rest)?;
            let after = after.trim_start().strip_prefix(':').ok_or("a key has no value")?;
            let (value, after) = item(after)?;
            match unquote(key) {
                Some("descr") => dict.descr = Some(unquote(value).unwrap_or(value).into()),
                Some("fortran_order") => dict.fortran = Some(boolean(value)?),
                Some("shape") => dict.dims = Some(tuple(value)?),
                _ => return Err(format!("{key} is not one of its keys")),
            }
            rest = after.trim_start();
        }
    }

    fn header(self, bytes: u64, name: impl Fn() -> String) -> Result<Header, DataError> {
        let missing = |key: &str| DataError::Header {
            source_name: name(),
            reason: format!("'{key}' is missing"),
        };
        let descr = self.descr.ok_or_else(|| missing("descr"))?;
        let fortran = self.fortran.ok_or_else(|| missing("fortran_order"))?;
        let dims = self.dims.ok_or_else(|| missing("shape"))?;
        let stored = Stored::parse(&descr)
            .ok_or_else(|| DataError::Unsupported { source_name: name(), descr })?;
        // With one axis or none, both orders are the same.
        Ok(Header { stored, fortran: fortran && dims.len() > 1, dims, bytes })
    }
}

/// Splits off one Python literal: a string, a word, or something in brackets.
fn item(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        if let Some(open) = quote {
            if c == open {
                quote = None;
            }
            continue;
        }
        match c {
            '\'' | '"' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ',' | ':' | '}' if depth == 0 => return Ok((text[..at].trim_end(), &text[at..])),
            ')' | ']' | '}' => depth = depth.checked_sub(1).ok_or("its brackets do not match")?,
            _ => {}
        }
    }
    Err("it ends in the middle".into())
}

fn unquote(text: &str) -> Option<&str> {
    let inner = |q| text.strip_prefix(q)?.strip_suffix(q);
    inner('\'').or_else(|| inner('"'))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "True" => Ok(true),
        "False" => Ok(false),
        _ => Err(format!("'fortran_order' is {text}")),
    }
}

fn tuple(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("'shape' is {text}");
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).ok_or_else(wrong)?;
    let mut items: Vec<&str> = inner.split(',').map(str::trim).collect();
    if items.last() == Some(&"") {
        items.pop();
    }
    // Python 2 wrote long integers with an L.
    let dim = |t: &str| t.strip_suffix('L').unwrap_or(t).parse().map_err(|_| wrong());
    items.into_iter().map(dim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(text: &str) -> Result<Vec<usize>, String> {
        let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {text}, }}");
        Dict::parse(&text).map(|d| d.dims.unwrap())
    }

    #[test]
    fn shapes_of_any_rank() {
        assert_eq!(dims("()"), Ok(vec![]));
        assert_eq!(dims("(3,)"), Ok(vec![3]));
        assert_eq!(dims("(3L, 4L)"), Ok(vec![3, 4]));
        assert_eq!(dims("(3, -4)"), Err("'shape' is (3, -4)".into()));
        assert_eq!(dims("3"), Err("'shape' is 3".into()));
    }

    #[test]
    fn order_and_spacing_of_keys_are_free() {
        let dict = Dict::parse("{\"shape\":(2,),'fortran_order':True,'descr':'>i2'}\n").unwrap();
        assert_eq!((dict.fortran, dict.descr.as_deref()), (Some(true), Some(">i2")));
    }

    #[test]
    fn a_structured_dtype_is_one_literal() {
        let dict = Dict::parse("{'descr': [('a}', '<f8'), ('b', '<i4')], 'shape': (), }").unwrap();
        assert_eq!(dict.descr.as_deref(), Some("[('a}', '<f8'), ('b', '<i4')]"));
    }

    #[test]
    fn written_headers_are_aligned() {
        for dims in [&[][..], &[7], &[3, 4], &[1; 40]] {
            let bytes = Header::written(dims, Dtype::C128);
            assert_eq!(bytes.len() % 64, 0);
            let dict = Dict::parse(std::str::from_utf8(&bytes[10..]).unwrap()).unwrap();
            assert_eq!(dict.dims.as_deref(), Some(dims));
        }
    }
}
