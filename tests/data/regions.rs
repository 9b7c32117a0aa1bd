//! Boxes of any source are the elements that a naive count says.

use super::files::{Folder, npy, read_all};
use adjoin::Dtype;
use adjoin::data::{Region, Sink, Source};
use num_complex::Complex;
use proptest::prelude::*;
use std::sync::Arc;

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
