//! Convolutions and operators that pick or add along axes, where the reference has no values:
//! filters of every kind on every split, their laws, and what constructors refuse.

mod support;

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::ops::{self, Handle, OperatorError};
use num_complex::Complex64;
use support::tiles::{Vector, Way, apply, check_splits, error, values};

fn source(dims: &[usize], dtype: Dtype) -> Source {
    let values = values(9, dims.iter().product(), dtype);
    let source = Source::array(Array::new(dims.to_vec(), values).unwrap());
    if dtype.is_complex() { source } else { source.real_part() }
}

fn forward(operator: &Handle, x: &[Complex64]) -> Vector {
    let pieces = vec![1; operator.signature().rule.factors.len()];
    apply(&**operator, Way::Forward, Dtype::C128, &pieces, None, x)
}

/// `Σⱼ h[i + offset - j] x[j]` for `rows` samples.
fn convolved(h: &[Complex64], offset: usize, x: &[Complex64], rows: usize) -> Vector {
    let tap = |i: usize, j: usize| (i + offset).checked_sub(j).and_then(|m| h.get(m)).copied();
    let row = |i| (0..x.len()).map(|j| tap(i, j).unwrap_or_default() * x[j]).sum();
    (0..rows).map(row).collect()
}

#[test]
fn filters_of_every_length_and_offset() {
    for dtype in [Dtype::F64, Dtype::C128] {
        for nh in [1, 2, 5, 9, 10, 17] {
            let (h, x) = (values(9, nh, dtype), values(1, 9, Dtype::C128));
            for offset in 0..nh.min(9) {
                let operator = ops::convolve1d(9, source(&[nh], dtype)).offset(offset);
                let operator = operator.build().unwrap();
                let wanted = convolved(&h, offset, &x, nh.max(9));
                assert!(error(&forward(&operator, &x), &wanted) < 1e-13, "{nh} {offset}");
                check_splits(&operator, dtype);
            }
        }
    }
}

#[test]
fn filters_on_every_axis() {
    for (axis, nh) in [(0, 4), (1, 3), (2, 5), (0, 11), (2, 11)] {
        for dtype in [Dtype::F64, Dtype::C128] {
            let operator = ops::convolve1d([7, 4, 9], source(&[nh], dtype)).axis(axis).offset(2);
            check_splits(&operator.build().unwrap(), Dtype::C128);
        }
    }
}

/// Rows of other filters' ghosts would be other rows than those of the result.
#[test]
fn a_filter_takes_more_than_it_reads_along_its_own_axis_only() {
    for axis in [0, 1] {
        let operator = ops::convolve1d([7, 5], source(&[3], Dtype::F64)).axis(axis).offset(1);
        let operator = operator.build().unwrap();
        let tile = ops::Tile::whole(operator.signature(), Dtype::F64);
        let local = operator.build(&tile).unwrap();
        for dim in [0, 1] {
            assert_eq!(local.takes_windows(false, dim), dim == axis as usize, "{axis} {dim}");
        }
    }
}

#[test]
fn a_compact_filter_is_a_stencil() {
    let operator = ops::convolve1d([30, 4], source(&[7], Dtype::F64)).axis(0).offset(2);
    let operator = operator.build().unwrap();
    assert_eq!(operator.signature().rule.domain[0][0].halo, (4, 2));
}

#[test]
fn a_bank_has_a_filter_for_each_place() {
    for dtype in [Dtype::F64, Dtype::C128] {
        for (filter, axis) in [([3, 5, 4], 1), ([3, 5, 1], 1), ([1, 9, 4], 1), ([2, 6, 1], 0)] {
            let mut dims = [3, 6, 4];
            dims[axis] = 7;
            let bank = ops::convolve1d(dims, source(&filter, dtype)).axis(axis as isize).offset(1);
            let bank = bank.build().unwrap();
            check_splits(&bank, Dtype::C128);
            let x = values(1, dims.iter().product(), Dtype::C128);
            let y = forward(&bank, &x);
            let h = values(9, filter.iter().product(), dtype);
            let range = &bank.signature().range[0];
            let mut place = [2, 2, 2];
            let line = |array: &[Complex64], dims: &[usize], place: &mut [usize; 3]| -> Vector {
                (0..dims[axis])
                    .map(|i| {
                        place[axis] = i;
                        let index = |d: usize| if dims[d] == 1 { 0 } else { place[d] };
                        array[(index(0) * dims[1] + index(1)) * dims[2] + index(2)]
                    })
                    .collect()
            };
            let (own, x) = (line(&h, &filter, &mut place), line(&x, &dims, &mut place));
            let wanted = convolved(&own, 1, &x, range[axis]);
            assert!(error(&line(&y, range, &mut place), &wanted) < 1e-13, "{filter:?}");
        }
    }
}

#[test]
fn smoothing_is_a_mean_and_self_adjoint() {
    let operator = ops::smoothing1d(4, [3, 8]).build().unwrap();
    assert!(operator.signature().laws.self_adjoint);
    check_splits(&operator, Dtype::C128);
    let y = forward(&operator, &vec![Complex64::ONE; 24]);
    let wanted = [3.0, 4.0, 5.0, 5.0, 5.0, 5.0, 4.0, 3.0].map(|n| Complex64::from(n / 5.0));
    assert!(error(&y[8..16], &wanted) < 1e-14);
}

#[test]
fn axes_turned_reflected_and_padded() {
    let x: Vector = (0..5).map(|v| f64::from(v).into()).collect();
    let places = |operator: Result<Handle, OperatorError>| -> Vec<i64> {
        let operator = operator.unwrap();
        check_splits(&operator, Dtype::C128);
        forward(&operator, &x).iter().map(|v| v.re as i64).collect()
    };
    assert_eq!(places(ops::flip(5).build()), [4, 3, 2, 1, 0]);
    assert_eq!(places(ops::roll(5).build()), [4, 0, 1, 2, 3]);
    assert_eq!(places(ops::roll(5).shift(-7).build()), [2, 3, 4, 0, 1]);
    assert_eq!(places(ops::symmetrize(5).build()), [4, 3, 2, 1, 0, 1, 2, 3, 4]);
    assert_eq!(places(ops::pad(5, [2, 1]).build()), [0, 0, 0, 1, 2, 3, 4, 0]);
    assert_eq!(places(ops::sum(5).build()), [10]);
    check_splits(&ops::pad([3, 1, 4], [[1, 2], [0, 3], [0, 0]]).build().unwrap(), Dtype::F64);
    check_splits(&ops::sum([4, 9, 5]).axis(1).build().unwrap(), Dtype::C128);
}

#[test]
fn laws_follow_from_the_table() {
    let laws = |operator: Result<Handle, OperatorError>| operator.unwrap().signature().laws.names();
    let turn = ["isometry", "co_isometry", "permutation"];
    assert_eq!(laws(ops::roll(5).shift(2).build()), turn);
    assert_eq!(laws(ops::flip(5).build()), [&["self_adjoint"], &turn[..]].concat());
    assert_eq!(laws(ops::roll(4).shift(2).build()), [&["self_adjoint"], &turn[..]].concat());
    assert!(laws(ops::roll(4).shift(8).build()).contains(&"identity"));
    assert_eq!(laws(ops::pad(4, [1, 0]).build()), ["isometry"]);
    assert!(laws(ops::pad(4, [0, 0]).build()).contains(&"identity"));
    assert!(laws(ops::symmetrize(4).build()).is_empty());
}

#[test]
fn constructors_say_what_is_wrong() {
    fn message(made: Result<Handle, OperatorError>) -> String {
        made.err().unwrap().0
    }
    let h = |dims: &[usize]| source(dims, Dtype::F64);
    let cases = [
        (
            message(ops::convolve1d(8, h(&[3])).offset(3).build()),
            "Convolve1D: offset is 3, and must be less than the 3 of h along axis 0",
        ),
        (
            message(ops::convolve1d([4, 2], h(&[5])).axis(0).offset(4).build()),
            "Convolve1D: offset is 4, and must be less than the 4 of dims along axis 0",
        ),
        (
            message(ops::convolve1d([4, 6], h(&[3, 3])).axis(0).build()),
            "Convolve1D: h has dims [3, 3], and must have one, or those of dims [4, 6] or 1 along \
             all axes but 0",
        ),
        (
            message(ops::smoothing1d(0, 8).build()),
            "Smoothing1D: nsmooth is 0, and must be between 1 and the 8 samples of axis -1 of \
             dims [8]",
        ),
        (
            message(ops::pad([4, 5], [1, 2]).build()),
            "Pad: pad [[1, 2]] must have a pair for each axis of dims [4, 5]",
        ),
        (
            message(ops::pad([4, 0], [[0, 0], [1, 2]]).build()),
            "Pad: dims [4, 0] have no samples along axis 1 to pad",
        ),
        (message(ops::roll([4, 5]).axis(2).build()), "Roll: axis 2 is outside of dims [4, 5]"),
        (message(ops::sum(5).axis(1).build()), "Sum: axis 1 is outside of dims [5]"),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, wanted);
    }
}
