//! Sinks take tiles in any order, and what is not finished is not there.

use super::files::{Folder, le, simple};
use adjoin::Dtype;
use adjoin::data::{Region, Sink};
use num_complex::Complex;
use std::fs;

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
