//! Damaged and foreign files are told by name, and nothing that they say is believed.

use super::files::{Folder, Member, le, npy, simple, stored, zip};
use adjoin::data::Source;
use std::fs;
use std::io::Write;

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
