//! Sources and sinks: what is read is what was written, no more of it than needed, and every
//! damaged file is told by name.

use adjoin::Dtype;
use adjoin::data::{Array, DataError, Element, Region, Sink, Source, Tile, bytes_read_from_files};
use num_complex::Complex;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("data-{}-{serial}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The message without the path of the folder.
    fn told<T: std::fmt::Debug>(&self, result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file as NumPy writes it.
fn npy(version: u8, descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
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

fn simple(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy(1, &format!("'{descr}'"), false, shape, data)
}

fn le(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

struct Member<'a> {
    name: &'a str,
    method: u16,
    data: &'a [u8],
    zip64: bool,
}

fn stored<'a>(name: &'a str, data: &'a [u8]) -> Member<'a> {
    Member { name, method: 0, data, zip64: false }
}

/// An archive as `np.savez` writes it, with zip64 fields in the local headers.
fn zip(members: &[Member]) -> Vec<u8> {
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

fn read_all<T: Element>(path: &Path) -> Vec<T> {
    Source::npy(path).unwrap().load().unwrap().into_vec().unwrap()
}

#[test]
fn every_version_and_order_of_npy() {
    let folder = Folder::new();
    let data = le([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for version in [1, 2, 3] {
        let path = folder.write("a.npy", &npy(version, "'<f8'", false, "(2, 3)", &data));
        assert_eq!(read_all::<f64>(&path), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(Source::npy(&path).unwrap().dims(), [2, 3]);
    }
    let path = folder.write("f.npy", &npy(1, "'<f8'", true, "(2, 3)", &data));
    assert_eq!(read_all::<f64>(&path), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    let path = folder.write("v.npy", &npy(1, "'<f8'", true, "(6,)", &data));
    assert_eq!(read_all::<f64>(&path), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let path = folder.write("s.npy", &simple("<f8", "()", &data[..8]));
    assert_eq!(Array::read_npy(path).unwrap(), Array::new([], vec![1.0]).unwrap());
    let path = folder.write("e.npy", &simple("<f8", "(0, 3)", &[]));
    assert_eq!(Array::read_npy(path).unwrap().dims(), [0, 3]);
}

#[test]
fn every_number_becomes_one_of_four_types() {
    let folder = Folder::new();
    let cases: [(&str, Vec<u8>, Dtype, Complex<f64>); 17] = [
        ("<f4", (-1.5_f32).to_le_bytes().into(), Dtype::F32, (-1.5).into()),
        (">f4", (-1.5_f32).to_be_bytes().into(), Dtype::F32, (-1.5).into()),
        ("<f8", 0.1_f64.to_le_bytes().into(), Dtype::F64, 0.1.into()),
        (">f8", 0.1_f64.to_be_bytes().into(), Dtype::F64, 0.1.into()),
        (
            "<c8",
            [1.0_f32, -2.0].map(f32::to_le_bytes).concat(),
            Dtype::C64,
            Complex::new(1.0, -2.0),
        ),
        (
            ">c8",
            [1.0_f32, -2.0].map(f32::to_be_bytes).concat(),
            Dtype::C64,
            Complex::new(1.0, -2.0),
        ),
        ("<c16", [0.1, -0.2].map(f64::to_le_bytes).concat(), Dtype::C128, Complex::new(0.1, -0.2)),
        (">c16", [0.1, -0.2].map(f64::to_be_bytes).concat(), Dtype::C128, Complex::new(0.1, -0.2)),
        ("|b1", vec![1], Dtype::F64, 1.0.into()),
        ("|i1", vec![0xFE], Dtype::F64, (-2.0).into()),
        ("|u1", vec![0xFE], Dtype::F64, 254.0.into()),
        ("<i2", (-300_i16).to_le_bytes().into(), Dtype::F64, (-300.0).into()),
        (">u2", 40_000_u16.to_be_bytes().into(), Dtype::F64, 40_000.0.into()),
        ("<i4", (-70_000_i32).to_le_bytes().into(), Dtype::F64, (-70_000.0).into()),
        (">i8", (-(1_i64 << 40)).to_be_bytes().into(), Dtype::F64, (-1_099_511_627_776.0).into()),
        ("<i8", i64::MIN.to_le_bytes().into(), Dtype::F64, (-(2.0_f64.powi(63))).into()),
        ("<u8", u64::MAX.to_le_bytes().into(), Dtype::F64, 2.0_f64.powi(64).into()),
    ];
    for (descr, bytes, dtype, want) in cases {
        let path = folder.write("x.npy", &simple(descr, "(1,)", &bytes));
        let source = Source::npy(&path).unwrap();
        assert_eq!(source.dtype(), dtype, "{descr}");
        let got: Vec<Complex<f64>> = source.read_vec(&(0..1).into()).unwrap();
        assert_eq!(got, [want], "{descr}");
    }
}

#[test]
fn npz_members_are_read_in_place() {
    let folder = Folder::new();
    let (a, b) = (simple("<f8", "(3,)", &le([1.0, 2.0, 3.0])), simple("<f8", "()", &le([7.0])));
    for zip64 in [false, true] {
        let members =
            [Member { zip64, ..stored("a.npy", &a) }, Member { zip64, ..stored("b.npy", &b) }];
        let path = folder.write("m.npz", &zip(&members));
        assert_eq!(Source::npz_names(&path).unwrap(), ["a", "b"]);
        let source = Source::npz(&path, "a").unwrap();
        assert_eq!(source.read_vec::<f64>(&(1..3).into()).unwrap(), [2.0, 3.0]);
        assert_eq!(source.bytes_read(), 16);
        assert_eq!(
            Source::npz(&path, "b.npy").unwrap().load().unwrap().as_slice(),
            Some(&[7.0][..])
        );
        assert!(source.describe().starts_with("a in "), "{}", source.describe());
    }
}

#[test]
fn damaged_npy_files_are_told_by_name() {
    let folder = Folder::new();
    let mut newer = simple("<f8", "(1,)", &le([1.0]));
    newer[6] = 4;
    let cut = simple("<f8", "(3,)", &le([1.0]));
    let head = &cut[..100];
    let mut endless = npy(2, "'<f8'", false, "(1,)", &le([1.0]));
    endless[8..12].fill(0xFF);
    let cases: [(&[u8], &str); 15] = [
        (b"", "x.npy is not an .npy file: it does not start with \\x93NUMPY"),
        (b"hello, this is text", "x.npy is not an .npy file: it does not start with \\x93NUMPY"),
        (
            &zip(&[]),
            "x.npy is not an .npy file: it is a zip archive, whose arrays Source::npz reads by name",
        ),
        (&newer, "x.npy has .npy version 4.0; versions 1.0, 2.0 and 3.0 can be read"),
        (head, "x.npy is truncated: 128 bytes are needed, 100 are there"),
        (&cut, "x.npy is truncated: 152 bytes are needed, 136 are there"),
        (&endless, "x.npy is truncated: 4294967307 bytes are needed, 136 are there"),
        (
            &simple("<f8", "(1,)", &le([1.0, 2.0])),
            "x.npy has 144 bytes, but its header describes 136; is more than one array in it?",
        ),
        (
            &simple("<f8", "(4294967296, 4294967296)", &[]),
            "x.npy is too large: 4294967296×4294967296 elements",
        ),
        (
            &simple("<f8", "(99999999999999999999,)", &[]),
            "the .npy header of x.npy is damaged: 'shape' is (99999999999999999999,)",
        ),
        (&simple("<f8", "(1, -1)", &[]), "the .npy header of x.npy is damaged: 'shape' is (1, -1)"),
        (&simple("<f8", "3", &[]), "the .npy header of x.npy is damaged: 'shape' is 3"),
        (
            &npy(1, "'<f8', 'offset': 3", false, "(1,)", &[]),
            "the .npy header of x.npy is damaged: 'offset' is not one of its keys",
        ),
        (
            &npy(1, "'<f8", false, "(1,)", &[]),
            "the .npy header of x.npy is damaged: it ends in the middle",
        ),
        (
            &simple("<f8", "(1000000000000,)", &[]),
            "x.npy is truncated: 8000000000128 bytes are needed, 128 are there",
        ),
    ];
    for (bytes, want) in cases {
        let path = folder.write("x.npy", bytes);
        assert_eq!(folder.told(Source::npy(path)), want);
    }
    let missing = folder.told(Source::npy(folder.path("none.npy")));
    assert_eq!(missing, "cannot open none.npy: No such file or directory (os error 2)");
}

#[test]
fn a_header_without_a_key_is_damaged() {
    let folder = Folder::new();
    for (key, text) in [
        ("descr", "{'fortran_order': False, 'shape': (), }"),
        ("fortran_order", "{'descr': '<f8', 'shape': (), }"),
        ("shape", "{'descr': '<f8', 'fortran_order': False, }"),
    ] {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        let path = folder.write("x.npy", &bytes);
        let want = format!("the .npy header of x.npy is damaged: '{key}' is missing");
        assert_eq!(folder.told(Source::npy(path)), want);
    }
}

#[test]
fn other_dtypes_are_refused_with_their_name() {
    let folder = Folder::new();
    for descr in
        ["'<f2'", "'<f16'", "'<c32'", "'|O'", "'<U3'", "'|S3'", "'<M8[ns]'", "[('a', '<f8')]"]
    {
        let path = folder.write("x.npy", &npy(1, descr, false, "(1,)", &[0; 64]));
        let want = format!(
            "x.npy holds elements of dtype {}, which cannot be read; \
             save it with .astype(\"float64\") or another of float32, float64, complex64, complex128",
            descr.trim_matches('\'')
        );
        assert_eq!(folder.told(Source::npy(path)), want);
    }
}

#[test]
fn damaged_archives_are_told_by_name() {
    let folder = Folder::new();
    let a = simple("<f8", "(1,)", &le([1.0]));
    let good = zip(&[stored("a.npy", &a), stored("b.npy", &a)]);
    let told =
        |bytes: &[u8], name: &str| folder.told(Source::npz(folder.write("m.npz", bytes), name));

    assert_eq!(told(&good, "c"), "m.npz has no array c; it has a, b");
    assert_eq!(told(&zip(&[]), "c"), "m.npz has no array c; it has none");
    assert_eq!(
        told(&zip(&[Member { method: 8, ..stored("a.npy", &a) }]), "a"),
        "a in m.npz is compressed, so no rank can read only its tile; \
         write it with np.savez instead of np.savez_compressed"
    );
    assert_eq!(
        told(&zip(&[stored("a.npy", b"text, not numbers")]), "a"),
        "a in m.npz is not an .npy file: it does not start with \\x93NUMPY"
    );
    let cut = "m.npz cannot be read as an .npz archive: it is no zip file, or it is truncated";
    assert_eq!(told(&good[..good.len() - 1], "a"), cut);
    assert_eq!(told(b"", "a"), cut);
    assert_eq!(
        told(&a, "a"),
        "m.npz cannot be read as an .npz archive: it is an .npy file, which Source::npy reads"
    );
    assert_eq!(told(&good[64..], "a"), "m.npz cannot be read as an .npz archive: it is truncated");
    let mut longer = good.clone();
    let entry = good.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    longer[entry + 24 + 1] = 0x10;
    assert_eq!(
        told(&longer, "a"),
        "m.npz cannot be read as an .npz archive: a ends after the file"
    );
    let missing = folder.told(Source::npz(folder.path("none.npz"), "a"));
    assert_eq!(missing, "cannot open none.npz: No such file or directory (os error 2)");
}

#[test]
fn no_header_makes_a_huge_buffer() {
    let folder = Folder::new();
    let long = format!("'<f8'{}", " ".repeat(2 << 20));
    let path = folder.write("x.npy", &npy(2, &long, false, "()", &le([1.0])));
    let told = folder.told(Source::npy(path));
    assert_eq!(told, "the .npy header of x.npy is damaged: it is 2097268 bytes long");

    // The end of an archive that claims almost all of a file of 512 MiB as its directory.
    let mut end = zip(&[]);
    end[12..16].copy_from_slice(&(500_u32 << 20).to_le_bytes());
    let path = folder.path("m.npz");
    let file = fs::File::create(&path).unwrap();
    file.set_len((512 << 20) - end.len() as u64).unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&end).unwrap();
    let told = folder.told(Source::npz(path, "a"));
    let want = "m.npz cannot be read as an .npz archive: its directory is 524288000 bytes long";
    assert_eq!(told, want);
}

#[test]
fn functions_are_asked_for_what_is_needed() {
    let source = Source::function([4, 5], |region| {
        assert!(!region.is_empty(), "an empty box needs no function");
        vec![region.start()[0] as f64; region.len()]
    });
    assert_eq!(source.read_vec::<f64>(&[3..4, 0..2].into()).unwrap(), [3.0, 3.0]);
    assert_eq!(source.bytes_read(), 16);
    assert!(source.read_vec::<f64>(&[3..3, 0..2].into()).unwrap().is_empty());
}

#[test]
fn no_damage_to_an_archive_or_header_panics() {
    let folder = Folder::new();
    let a = simple("<f8", "(1,)", &le([1.0]));
    for zip64 in [false, true] {
        let good = zip(&[Member { zip64, ..stored("a.npy", &a) }]);
        for at in 0..good.len() {
            for bits in [0x01, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] ^= bits;
                let path = folder.write("m.npz", &bad);
                let _ = Source::npz(&path, "a").and_then(|s| s.load());
            }
            let path = folder.write("m.npz", &good[..at]);
            assert!(Source::npz(&path, "a").is_err(), "cut at {at}");
        }
    }
}

#[test]
fn wrong_reads_are_told() {
    let folder = Folder::new();
    let path = folder.write("x.npy", &simple("<f8", "(2, 3)", &le([0.0; 6])));
    let source = Source::npy(&path).unwrap();
    assert_eq!(
        folder.told(source.read_vec::<f64>(&[0..3, 0..3].into())),
        "region [0..3, 0..3] is outside of x.npy, which is 2×3"
    );
    assert_eq!(
        folder.told(source.read(&[0..1, 0..3].into(), &mut vec![0.0; 2])),
        "region [0..1, 0..3] of x.npy has 3 elements, but 2 were given"
    );
    assert_eq!(
        folder.told(source.read_vec::<f32>(&[0..1, 0..3].into())),
        "x.npy is f64 and cannot be converted to f32; cast it if less precision is meant"
    );
    assert_eq!(folder.told(source.reshape([7])), "x.npy of 2×3 cannot be shaped as 7");
    assert_eq!(
        folder.told(source.reshape([1 << 40, 1 << 40])),
        "x.npy of 2×3 cannot be shaped as 1099511627776×1099511627776"
    );
    assert_eq!(
        folder.told(source.slice([1..2, 2..4])),
        "region [1..2, 2..4] is outside of x.npy, which is 2×3"
    );
    assert_eq!(
        folder.told(Source::declared([2, 3], Dtype::C64).load()),
        "declared array of 2×3 c64 has no values: \
         it was declared for planning only; bind a source to run"
    );
    assert_eq!(
        folder.told(Source::function([4], |_| vec![1.0]).load()),
        "region [0..4] of function of 4 f64 has 4 elements, but 1 were given"
    );
    let huge = Source::zeros([usize::MAX, usize::MAX], Dtype::F64);
    assert!(matches!(huge.load(), Err(DataError::TooLarge { .. })));
    fs::write(&path, &simple("<f8", "(3, 2, 1)", &le([0.0; 6]))[1..]).unwrap();
    assert_eq!(
        folder.told(source.load()),
        "x.npy changed since its header was read; make the source again"
    );
}

#[test]
fn conversions_widen_or_are_asked_for() {
    let half = Array::new([2], vec![Complex::new(1.5_f32, 2.0), Complex::new(0.1, 0.0)]).unwrap();
    let want =
        "array of 2 c64 is c64 and cannot be converted to f64; take its real part if that is meant";
    assert_eq!(half.clone().cast(Dtype::F64).unwrap_err().to_string(), want);
    assert_eq!(half.clone().into_vec::<f32>().unwrap_err().to_string(), want.replace("f64", "f32"));
    assert_eq!(half.clone().real_part().as_slice(), Some(&[1.5_f32, 0.1][..]));
    let wide = half.clone().into_vec::<Complex<f64>>().unwrap();
    assert_eq!(wide[1], Complex::new(f64::from(0.1_f32), 0.0));

    let source = Source::from(vec![0.1, 2.0]);
    assert_eq!(
        source.cast(Dtype::F32).unwrap().load().unwrap().as_slice(),
        Some(&[0.1_f32, 2.0][..])
    );
    let complex = source.cast(Dtype::C64).unwrap();
    assert_eq!(complex.read_vec::<Complex<f32>>(&(0..1).into()).unwrap(), [0.1_f32.into()]);
    assert!(complex.cast(Dtype::F64).is_err());
    assert_eq!(complex.real_part().dtype(), Dtype::F32);
}

#[test]
fn ndarrays_come_and_go() {
    let rows = ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let array = Array::from(rows.clone());
    assert_eq!((array.dims(), array.bytes().len()), (&[3, 2][..], 48));
    let turned = Array::from(rows.clone().reversed_axes());
    assert_eq!(turned.as_slice(), Some(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0][..]));
    let below = Array::from(rows.clone().slice_move(ndarray::s![1.., ..]));
    assert_eq!(below.as_slice(), Some(&[3.0, 4.0, 5.0, 6.0][..]));
    assert_eq!(array.into_ndarray::<f64>().unwrap(), rows.into_dyn());
    assert!(Array::new([2, 2], vec![1.0]).is_err());
}

#[test]
fn concatenations_must_fit() {
    let (a, b) = (Source::zeros([2, 3], Dtype::F32), Source::zeros([2, 4], Dtype::C64));
    let both = Source::concat(1, [a.clone(), b.clone()]).unwrap();
    assert_eq!((both.dims(), both.dtype()), (&[2, 7][..], Dtype::C64));
    let told = |axis, parts: &[Source]| Source::concat(axis, parts).unwrap_err().to_string();
    let said = "cannot concatenate along axis";
    assert_eq!(told(0, &[a.clone(), b]), format!("{said} 0: 2×4 does not fit to 2×3"));
    assert_eq!(told(2, &[a]), format!("{said} 2: zeros of 2×3 f32 has 2 axes"));
    assert_eq!(told(0, &[]), format!("{said} 0: there are no parts"));
}

#[test]
fn ranks_read_their_tiles_only() {
    let folder = Folder::new();
    let (rows, columns) = (60, 70);
    let data = le((0..rows * columns).map(f64::from));
    for fortran in [false, true] {
        let path = folder.write("a.npy", &npy(1, "'<f8'", fortran, "(60, 70)", &data));
        let before = bytes_read_from_files();
        for grid in [(4, 1), (1, 4), (3, 2)] {
            let source = Source::npy(&path).unwrap();
            let share = |n: usize, of: usize, i: usize| n * i / of..n * (i + 1) / of;
            for r in 0..grid.0 {
                for c in 0..grid.1 {
                    let tile = Region::from([share(60, grid.0, r), share(70, grid.1, c)]);
                    let before = source.bytes_read();
                    source.read_vec::<f64>(&tile).unwrap();
                    assert_eq!(source.bytes_read() - before, 8 * tile.len() as u64);
                }
            }
            assert_eq!(source.bytes_read(), data.len() as u64);
        }
        assert!(bytes_read_from_files() - before >= 3 * data.len() as u64);
    }
}

#[test]
fn views_and_clones_count_as_their_source() {
    let folder = Folder::new();
    let path = folder.write("a.npy", &simple("<f8", "(6,)", &le([0.0; 6])));
    let source = Source::npy(path).unwrap();
    source.clone().reshape([2, 3]).unwrap().read_vec::<f64>(&[0..2, 1..2].into()).unwrap();
    assert_eq!(source.bytes_read(), 16);
    let memory = Source::from(vec![0.0_f32; 6]);
    memory.slice(2..4).unwrap().load().unwrap();
    assert_eq!(memory.bytes_read(), 8);
    assert!(memory.memory().is_some() && source.memory().is_none());
}

#[test]
fn threads_read_at_once() {
    let folder = Folder::new();
    let data = le((0..40_000).map(f64::from));
    let source = Source::npy(folder.write("a.npy", &simple("<f8", "(200, 200)", &data))).unwrap();
    std::thread::scope(|scope| {
        for c in 0..8 {
            let source = source.clone();
            scope.spawn(move || {
                let tile = Region::from([0..200, c * 25..(c + 1) * 25]);
                let values: Vec<f64> = source.read_vec(&tile).unwrap();
                let want =
                    (0..200).flat_map(|r| (0..25).map(move |i| (r * 200 + c * 25 + i) as f64));
                assert!(values.into_iter().eq(want));
            });
        }
    });
}

#[test]
fn tiles_are_written_at_once_and_appear_together() {
    let folder = Folder::new();
    let path = folder.write("out.npy", b"the last result");
    let sink = Sink::npy(&path, [50, 40], Dtype::F64).unwrap();
    let other = Sink::join(sink.temporary().unwrap()).unwrap();
    assert_eq!((other.dims(), other.dtype()), (&[50, 40][..], Dtype::F64));
    std::thread::scope(|scope| {
        for rank in 0..4 {
            let sink = if rank % 2 == 0 { sink.clone() } else { other.clone() };
            scope.spawn(move || {
                let (r, c) = (rank / 2, rank % 2);
                let tile = Region::from([r * 25..(r + 1) * 25, c * 20..(c + 1) * 20]);
                let value = |i: usize| ((r * 25 + i / 20) * 40 + c * 20 + i % 20) as f32;
                let values: Vec<f32> = (0..500).map(value).collect();
                sink.write(&tile, &values).unwrap();
            });
        }
    });
    other.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the last result");
    sink.finish().unwrap();
    assert_eq!(folder.names(), ["out.npy"]);
    assert_eq!(fs::read(&path).unwrap(), simple("<f8", "(50, 40)", &le((0..2000).map(f64::from))));
}

#[test]
fn an_unfinished_sink_leaves_nothing() {
    let folder = Folder::new();
    let path = folder.write("out.npy", b"the last result");
    let sink = Sink::npy(&path, [4], Dtype::F64).unwrap();
    let clone = sink.clone();
    let crash = std::thread::spawn(move || {
        sink.write(&(0..2).into(), &vec![1.0, 2.0]).unwrap();
        assert!(sink.dims().is_empty(), "this rank crashes");
    });
    assert!(crash.join().is_err());
    assert_eq!(folder.names().len(), 2);
    drop(clone);
    assert_eq!(folder.names(), ["out.npy"]);
    assert_eq!(fs::read(&path).unwrap(), b"the last result");
}

#[test]
fn wrong_writes_are_told() {
    let folder = Folder::new();
    let sink = Sink::npy(folder.path("out.npy"), [2, 3], Dtype::F32).unwrap();
    assert_eq!(
        folder.told(sink.write(&[0..1, 1..4].into(), &vec![1.0_f32; 3])),
        "region [0..1, 1..4] is outside of out.npy, which is 2×3"
    );
    assert_eq!(
        folder.told(sink.write(&[0..1, 0..3].into(), &vec![1.0_f32; 2])),
        "region [0..1, 0..3] of out.npy has 3 elements, but 2 were given"
    );
    assert_eq!(
        folder.told(sink.write(&[0..1, 0..1].into(), &vec![1.0_f64])),
        "the tile for out.npy is f64 and cannot be converted to f32; \
         cast it if less precision is meant"
    );
    sink.finish().unwrap();
    let finished = "out.npy is finished and takes no more";
    assert_eq!(folder.told(sink.finish()), finished);
    assert_eq!(folder.told(sink.write(&[0..1, 0..1].into(), &vec![1.0_f32])), finished);
    assert_eq!(
        folder.told(Sink::npy(folder.path("none/out.npy"), [1], Dtype::F32)),
        "cannot create none/out.npy: No such file or directory (os error 2)"
    );
    assert_eq!(
        folder.told(Sink::npy(folder.path("x.npy"), [1 << 40, 1 << 40], Dtype::F32)),
        "x.npy is too large: 1099511627776×1099511627776 elements"
    );
    assert!(Sink::npy(&folder.0, [1], Dtype::F32).is_err());
    assert_eq!(folder.names(), ["out.npy"]);
}

#[test]
fn memory_takes_tiles_too() {
    let sink = Sink::in_memory([2, 2], Dtype::C64).unwrap();
    sink.write(&[0..2, 1..2].into(), &vec![1.0_f32, 2.0]).unwrap();
    sink.finish().unwrap();
    let want = [0.0, 1.0, 0.0, 2.0].map(Complex::<f32>::from);
    assert_eq!(sink.memory().unwrap().as_slice(), Some(&want[..]));
}

#[test]
fn handles_show_what_they_are() {
    let shown = |source: Source| format!("{source:?}");
    let array = Source::from(vec![0.0; 6]);
    assert_eq!(shown(array.clone()), "Source(array of 6 f64 in memory: 6 f64)");
    let view = array.reshape([2, 3]).unwrap().slice([0..1, 0..2]).unwrap();
    let text = "Source([0..1, 0..2] of array of 6 f64 in memory reshaped to 2×3: 1×2 f64)";
    assert_eq!(shown(view), text);
    let sink = Sink::in_memory([], Dtype::F32).unwrap();
    assert_eq!(format!("{sink:?}"), "Sink(array of () f32 in memory: () f32)");
}

/// Dims, and for each axis a range inside of it.
fn any_region() -> impl Strategy<Value = (Vec<usize>, Region)> {
    proptest::collection::vec((1_usize..6, 0_usize..6, 0_usize..6), 0..5).prop_map(|axes| {
        let dims: Vec<usize> = axes.iter().map(|a| a.0).collect();
        let start: Vec<usize> = axes.iter().map(|a| a.1 % (a.0 + 1)).collect();
        let len: Vec<usize> = axes.iter().zip(&start).map(|(a, s)| a.2 % (a.0 - s + 1)).collect();
        (dims, Region::new(start, len))
    })
}

/// The indices of a box, row-major.
fn indices(region: &Region) -> Vec<Vec<usize>> {
    (0..region.axes()).fold(vec![vec![]], |all, axis| {
        let with = |i: &Vec<usize>, j| [&i[..], &[j]].concat();
        all.iter().flat_map(|i| region.range(axis).map(move |j| with(i, j))).collect()
    })
}

fn flat(dims: &[usize], index: &[usize]) -> f64 {
    dims.iter().zip(index).fold(0, |flat, (n, i)| flat * n + i) as f64
}

fn naive(dims: &[usize], region: &Region) -> Vec<f64> {
    indices(region).iter().map(|index| flat(dims, index)).collect()
}

fn shape(dims: &[usize]) -> String {
    let lengths: Vec<String> = dims.iter().map(|d| format!("{d},")).collect();
    format!("({})", lengths.concat())
}

/// A file whose elements are their row-major numbers.
fn numbered(folder: &Folder, descr: &str, fortran: bool, dims: &[usize]) -> Source {
    let mut order = indices(&Region::all(dims));
    if fortran {
        order.sort_by_key(|index| index.iter().rev().copied().collect::<Vec<_>>());
    }
    let values = order.iter().map(|index| flat(dims, index));
    let data: Vec<u8> = match descr {
        "<f8" => values.flat_map(f64::to_le_bytes).collect(),
        ">f4" => values.flat_map(|v| (v as f32).to_be_bytes()).collect(),
        "<i2" => values.flat_map(|v| (v as i16).to_le_bytes()).collect(),
        _ => unreachable!("no such case"),
    };
    let bytes = npy(1, &format!("'{descr}'"), fortran, &shape(dims), &data);
    Source::npy(folder.write("x.npy", &bytes)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tiles_are_the_naive_ones(
        (dims, region) in any_region(),
        descr in proptest::sample::select(vec!["<f8", ">f4", "<i2"]),
        fortran: bool,
    ) {
        let folder = Folder::new();
        let want = naive(&dims, &region);
        let file = numbered(&folder, descr, fortran, &dims);
        prop_assert_eq!(&file.read_vec::<f64>(&region).unwrap(), &want);
        let memory = Source::shared(Arc::new(file.load().unwrap()));
        prop_assert_eq!(&memory.read_vec::<f64>(&region).unwrap(), &want);
        let function = {
            let dims = dims.clone();
            Source::function(dims.clone(), move |region| naive(&dims, region))
        };
        prop_assert_eq!(&function.read_vec::<f64>(&region).unwrap(), &want);
        let cut = file.slice(region.clone()).unwrap().load().unwrap();
        prop_assert_eq!(&cut.into_vec::<f64>().unwrap(), &want);
    }

    #[test]
    fn reshaped_tiles_are_the_naive_ones((dims, region) in any_region(), fortran: bool) {
        let folder = Folder::new();
        let want = naive(&dims, &region);
        // The same lengths in another order, so that boxes of one are none of the other.
        let other: Vec<usize> = dims.iter().rev().copied().collect();
        for base in [&other, &vec![dims.iter().product()]] {
            let file = numbered(&folder, "<f8", fortran, base);
            let view = file.reshape(dims.clone()).unwrap();
            prop_assert_eq!(view.dims(), &dims[..]);
            prop_assert_eq!(&view.read_vec::<f64>(&region).unwrap(), &want);
            prop_assert_eq!(file.bytes_read(), 8 * want.len() as u64);
            let memory = Source::array(file.load().unwrap()).reshape(dims.clone()).unwrap();
            prop_assert_eq!(&memory.read_vec::<f64>(&region).unwrap(), &want);
            let back = view.reshape(other.clone()).unwrap().load().unwrap();
            prop_assert!(back.into_vec::<f64>().unwrap().into_iter().eq((0..view.len()).map(|i| i as f64)));
        }
    }

    #[test]
    fn concatenated_tiles_are_the_naive_ones((dims, region) in any_region(), axis: usize, cut: usize) {
        prop_assume!(!dims.is_empty());
        let axis = axis % dims.len();
        let cut = cut % (dims[axis] + 1);
        let folder = Folder::new();
        let whole = numbered(&folder, ">f4", false, &dims);
        let part = |range| whole.slice(Region::all(&dims).with_range(axis, range)).unwrap();
        let both = Source::concat(axis, [part(0..cut), part(cut..dims[axis])]).unwrap();
        prop_assert_eq!(both.dims(), &dims[..]);
        prop_assert_eq!(both.read_vec::<f64>(&region).unwrap(), naive(&dims, &region));
    }

    #[test]
    fn what_is_written_in_tiles_is_read_again((dims, region) in any_region()) {
        let folder = Folder::new();
        let sink = Sink::npy(folder.path("x.npy"), dims.clone(), Dtype::C128).unwrap();
        let all = Region::all(&dims);
        sink.write(&all, &vec![-1.0_f32; all.len()]).unwrap();
        sink.write(&region, &naive(&dims, &region)).unwrap();
        sink.finish().unwrap();
        let inside: Vec<Vec<usize>> = indices(&region);
        let want = indices(&all).into_iter().map(|index| {
            Complex::from(if inside.contains(&index) { flat(&dims, &index) } else { -1.0 })
        });
        prop_assert!(read_all::<Complex<f64>>(&folder.path("x.npy")).into_iter().eq(want));
    }
}

#[test]
fn long_tiles_are_made_in_pieces() {
    let folder = Folder::new();
    let dims = [700_usize, 500];
    let all = Region::all(&dims);
    let number = |k: usize| (k % 997) as i16;
    let rows: Vec<i16> = (0..all.len()).map(number).collect();
    let columns: Vec<i16> = (0..all.len()).map(|k| rows[k % 700 * 500 + k / 700]).collect();
    let want: Vec<f64> = rows.iter().copied().map(f64::from).collect();
    for (fortran, values) in [(false, rows), (true, columns)] {
        let data: Vec<u8> = values.into_iter().flat_map(i16::to_be_bytes).collect();
        let path = folder.write("x.npy", &npy(1, "'>i2'", fortran, "(700, 500)", &data));
        let source = Source::npy(path).unwrap();
        assert!(source.read_vec::<f64>(&all).unwrap() == want);
        let complex: Vec<Complex<f64>> = source.read_vec(&all).unwrap();
        assert!(complex.into_iter().eq(want.iter().map(Complex::from)));
    }
    let sink = Sink::in_memory(dims, Dtype::C128).unwrap();
    sink.write(&all, &want).unwrap();
    assert!(sink.memory().unwrap().real_part().as_slice() == Some(&want[..]));
}

#[test]
fn arrays_save_and_read_themselves() {
    let folder = Folder::new();
    let path = folder.path("x.npy");
    for dtype in Dtype::ALL {
        let array = Array::from((0..6).map(f64::from).collect::<Vec<_>>());
        let array = array.cast(dtype).unwrap().reshape([3, 1, 2]).unwrap();
        array.save_npy(&path).unwrap();
        assert_eq!(Array::read_npy(&path).unwrap(), array);
    }
    let tile = Tile::from(&[1.0_f32, 2.0][..]);
    assert_eq!((tile.dtype(), tile.part(1..2).bytes().len()), (Dtype::F32, 4));
}
