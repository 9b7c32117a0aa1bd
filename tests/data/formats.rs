//! Every version, order and type of NumPy's files is read as it was written.

use super::files::{Folder, Member, le, npy, read_all, simple, stored, zip};
use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::elements::Slice;
use num_complex::Complex;

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
fn arrays_save_and_read_themselves() {
    let folder = Folder::new();
    let path = folder.path("x.npy");
    for dtype in Dtype::ALL {
        let array = Array::from((0..6).map(f64::from).collect::<Vec<_>>());
        let array = array.cast(dtype).unwrap().reshape([3, 1, 2]).unwrap();
        array.save_npy(&path).unwrap();
        assert_eq!(Array::read_npy(&path).unwrap(), array);
    }
    let tile = Slice::from(&[1.0_f32, 2.0][..]);
    assert_eq!((tile.dtype(), tile.range(1..2).bytes().len()), (Dtype::F32, 4));
}
