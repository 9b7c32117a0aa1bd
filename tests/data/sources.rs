//! Sources give what is asked for, read no more than that, and tell what cannot be asked.

use super::files::{Folder, le, npy, simple};
use adjoin::Dtype;
use adjoin::data::{DataError, Region, Sink, Source, bytes_read_from_files};
use std::fs;

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
