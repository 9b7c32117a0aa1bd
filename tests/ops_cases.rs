//! Operators where the reference has no values: panels, indices in any order, user-defined
//! operators, what a tile reads, and what constructors refuse.

mod support;

use adjoin::Dtype;
use adjoin::data::{Array, Region, Source};
use adjoin::ops::{
    self, Handle, Kind, LocalOperator, Norm, OperatorError, Patch, PatchMut, Residency, Slice,
    SliceMut, Tile,
};
use adjoin_kernels::host::Acc;
use adjoin_passes::signature::Rule;
use num_complex::Complex64;
use std::slice::from_ref;
use support::tiles::{Vector, Way, apply, check_splits, error, tiles, values};

fn forward(operator: &Handle, x: &[Complex64]) -> Vector {
    let pieces = vec![1; operator.signature().rule.factors.len()];
    apply(&**operator, Way::Forward, Dtype::C128, &pieces, None, x)
}

fn matrix(rows: usize, cols: usize) -> Source {
    let values: Vec<f64> = values(9, rows * cols, Dtype::F64).iter().map(|v| v.re).collect();
    Source::array(Array::new([rows, cols], values).unwrap())
}

#[test]
fn matrices_have_panels() {
    let operator = ops::matrix_mult(matrix(301, 1000)).otherdims(2).build().unwrap();
    let local = operator.build(&Tile::whole(operator.signature(), Dtype::F64)).unwrap();
    assert!(local.panels().unwrap().count() > 3);
    check_splits(&operator, Dtype::F64);
    check_splits(&operator, Dtype::C128);
}

#[test]
fn indices_in_any_order() {
    let iava = vec![4, -1, 0, 4, 2];
    let operator = ops::restriction([3, 6, 2], iava).axis(1).build().unwrap();
    check_splits(&operator, Dtype::C128);
    let x = values(1, 36, Dtype::C128);
    let picked = [4, 5, 0, 4, 2];
    let want: Vector = (0..3)
        .flat_map(|o| {
            picked.into_iter().flat_map(move |i| (0..2).map(move |c| (o * 6 + i) * 2 + c))
        })
        .map(|at| x[at])
        .collect();
    assert_eq!(forward(&operator, &x), want);
    assert!(!operator.signature().laws.co_isometry);
    let repeated = ops::restriction(5, [0, 0, 2, 3, 3, 3]).build().unwrap();
    assert_eq!(repeated.signature().rule.factors.len(), 1);
    check_splits(&repeated, Dtype::F64);
    let shuffled = ops::restriction(4, [3, 1, 0, 2]).build().unwrap();
    assert!(shuffled.signature().laws.permutation);
    check_splits(&shuffled, Dtype::F64);
}

#[test]
fn stencils_on_small_and_odd_shapes() {
    for kind in [Kind::Forward, Kind::Centered, Kind::Backward] {
        for edge in [false, true] {
            for (dims, axes) in [
                (vec![9, 4, 7], vec![0, 2]),
                (vec![3, 3], vec![1, 0]),
                (vec![5, 6, 3], vec![0, 1, 2]),
            ] {
                let n = axes.len();
                let weights: Vec<f64> = (0..n).map(|a| 0.5 - a as f64).collect();
                let laplacian =
                    ops::laplacian(dims.clone()).axes(axes).weights(weights).kind(kind).edge(edge);
                check_splits(&laplacian.build().unwrap(), Dtype::C128);
                let gradient = ops::gradient(dims.clone()).kind(kind).edge(edge).sampling([0.5]);
                check_splits(&gradient.build().unwrap(), Dtype::F64);
                let first = ops::first_derivative(dims.clone()).axis(0).kind(kind).edge(edge);
                check_splits(&first.order(5).build().unwrap(), Dtype::F64);
            }
        }
    }
}

#[test]
fn laplacians_are_sums_of_second_derivatives() {
    let (dims, weights) = ([9, 12], [0.7, -1.3]);
    let laplacian = ops::laplacian(dims).weights(weights).sampling([0.5, 2.0]).edge(true);
    let x = values(1, 108, Dtype::C128);
    let mut want = vec![Complex64::ZERO; 108];
    for (axis, (weight, sampling)) in weights.into_iter().zip([0.5, 2.0]).enumerate() {
        let second = ops::second_derivative(dims).axis(axis as isize).sampling(sampling).edge(true);
        let y = forward(&second.build().unwrap(), &x);
        want.iter_mut().zip(y).for_each(|(w, v)| *w += v * weight);
    }
    assert!(error(&forward(&laplacian.build().unwrap(), &x), &want) < 1e-13);
}

#[test]
fn identities_and_zeros_of_any_shape() {
    let operators = [
        ops::identity([3, 5]).m([4, 5]).build().unwrap(),
        ops::identity([6, 9]).m([4, 2]).build().unwrap(),
        ops::identity([2, 0]).m([4, 0]).build().unwrap(),
        ops::zero([3, 5]).m([4, 2]).build().unwrap(),
        ops::zero([3, 5]).m(7).build().unwrap(),
    ];
    for operator in operators {
        check_splits(&operator, Dtype::C128);
    }
    let x: Vector = (0..20).map(|v| f64::from(v).into()).collect();
    assert_eq!(
        forward(&ops::identity([2, 3]).m([4, 5]).build().unwrap(), &x),
        [x[0], x[1], x[2], x[5], x[6], x[7]]
    );
}

#[test]
fn full_transforms_of_real_samples() {
    for nfft in [5, 8, 11] {
        let of = |dtype| ops::fft([3, 8, 2]).axis(1).nfft(nfft).norm(Norm::None).dtype(dtype);
        let (real, complex) = (of(Dtype::F64).build().unwrap(), of(Dtype::C128).build().unwrap());
        check_splits(&real, Dtype::F64);
        check_splits(&of(Dtype::F64).real(true).build().unwrap(), Dtype::F64);
        let x = values(1, 48, Dtype::F64);
        assert!(error(&forward(&real, &x), &forward(&complex, &x)) < 1e-13);
    }
}

#[test]
fn a_tile_reads_its_part_of_the_source() {
    let source = Source::function([40, 30], |region: &Region| vec![1.0; region.len()]);
    let operator = ops::matrix_mult(source.clone()).build().unwrap();
    let pieces = tiles(operator.signature(), Dtype::F64, &[3, 2]);
    for tile in &pieces {
        let before = source.bytes_read();
        operator.build(tile).unwrap();
        let own: usize = tile.factors.iter().map(ExactSizeIterator::len).product();
        assert_eq!(source.bytes_read() - before, 8 * own as u64);
    }
    assert_eq!(source.bytes_read(), 8 * 1200);
}

#[test]
fn sources_that_fail_say_why() {
    let operator = ops::matrix_mult(Source::declared([4, 5], Dtype::F64)).build().unwrap();
    let error = operator.build(&Tile::whole(operator.signature(), Dtype::F64)).err().unwrap();
    assert!(error.0.starts_with("MatrixMult: declared array of"), "{error}");
}

#[test]
fn patches_must_be_those_of_the_tile() {
    let operator = ops::identity(4).build().unwrap();
    let mut local = operator.build(&Tile::whole(operator.signature(), Dtype::F64)).unwrap();
    let (x, mut y) = ([0.0; 3], [0.0; 4]);
    let x = Patch { data: Slice::F64(&x), held: from_ref(&(0..3)) };
    let mut y = [PatchMut { data: SliceMut::F64(&mut y), held: from_ref(&(0..4)) }];
    let error = local.forward(&[x], &mut y, Acc::Set).unwrap_err();
    assert_eq!(error.0, "Identity: its domain is [0..3] where the tile needs [0..4]");
}

#[test]
fn closures_are_operators() {
    let double = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y = 2.0 * x);
    let operator = ops::function(5, 5, double, double).kind("Double").build().unwrap();
    assert!(operator.conduct().claims);
    for vector in Dtype::ALL {
        check_splits(&operator, vector);
    }
    let x = values(1, 5, Dtype::C128);
    let twice: Vector = x.iter().map(|v| v * 2.0).collect();
    assert_eq!(forward(&operator, &x), twice);
    let fail = |_: &[f64], _: &mut [f64]| Err::<(), _>("no licence");
    let operator = ops::function(5, 5, fail, fail).kind("Engine").build().unwrap();
    let mut local = operator.build(&Tile::whole(operator.signature(), Dtype::F64)).unwrap();
    let (x, mut y) = ([0.0; 5], [0.0; 5]);
    let x = Patch { data: Slice::F64(&x), held: from_ref(&(0..5)) };
    let mut y = [PatchMut { data: SliceMut::F64(&mut y), held: from_ref(&(0..5)) }];
    let error = local.forward(&[x], &mut y, Acc::Set).unwrap_err();
    assert_eq!(error.0, "Engine: no licence");
}

/// Negates what it holds.
struct Negate;

impl LocalOperator for Negate {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (Slice::F64(x), SliceMut::F64(y)) = (x[0].data, &mut y[0].data) else {
            return Err(OperatorError("Negate takes f64 vectors".into()));
        };
        y.iter_mut().zip(x).for_each(|(y, x)| acc.put(y, -x));
        Ok(())
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.forward(y, x, acc)
    }
}

#[test]
fn builders_are_operators() {
    let mut signature = ops::custom::opaque("Negate", Dtype::F64, [vec![4, 3]], [vec![4, 3]]);
    signature.rule = Rule::elementwise(&[4, 3]);
    let operator = ops::custom(signature, |_: &Tile| Ok(Box::new(Negate) as _))
        .thread_safe(false)
        .residency(Residency::Transient)
        .resident_bytes(96.0)
        .build()
        .unwrap();
    check_splits(&operator, Dtype::F64);
    let conduct = operator.conduct();
    assert!(conduct.claims && !conduct.thread_safe);
    assert_eq!(conduct.residency, Residency::Transient);
    assert_eq!(operator.signature().cost.holds, 96.0);
    let mut wrong = ops::custom::opaque("Wrong", Dtype::F64, [vec![4]], [vec![4]]);
    wrong.rule = Rule::elementwise(&[5]);
    let error = ops::custom(wrong, |_: &Tile| Ok(Box::new(Negate) as _)).build().err().unwrap();
    assert_eq!(error.0, "Wrong: part 0 of its domain is [4] and its rule makes [5]");
}

#[test]
fn constructors_say_what_is_wrong() {
    fn message(made: Result<Handle, OperatorError>) -> String {
        made.err().unwrap().0
    }
    let cases = [
        (
            message(ops::matrix_mult(Source::zeros([4], Dtype::F64)).build()),
            "MatrixMult: A has dims [4], and must have two",
        ),
        (
            message(ops::laplacian([4, 5]).axes([0, -2]).build()),
            "Laplacian: axis -2 occurs twice in axes [0, -2]",
        ),
        (
            message(ops::laplacian([4, 5]).weights([1.0, 2.0, 3.0]).build()),
            "Laplacian: weights has 3 numbers for 2 axes",
        ),
        (
            message(ops::first_derivative(8).order(4).build()),
            "FirstDerivative: order is 4, and must be 3 or 5",
        ),
        (
            message(ops::second_derivative(8).sampling(0.0).build()),
            "SecondDerivative: sampling is 0, and must be finite and not zero",
        ),
        (
            message(ops::gradient([8, 1]).edge(true).build()),
            "Gradient: a derivative with edge=True needs 2 samples, the axis has 1",
        ),
        (
            message(ops::restriction(5, [0, 5]).build()),
            "Restriction: iava has 5, which is outside of an axis of 5",
        ),
        (
            message(ops::transpose([4, 5], [0]).build()),
            "Transpose: axes [0] must name every axis of dims [4, 5]",
        ),
        (
            message(ops::identity([4, 5]).m([5, 4]).build()),
            "Identity: N [4, 5] is longer than M [5, 4] on some axes and shorter on others",
        ),
        (
            message(ops::diagonal(Source::zeros([3], Dtype::F64)).dims([4, 5]).build()),
            "Diagonal: diag is [3] and does not fit axis 1 of dims [4, 5]",
        ),
        (message(ops::fft(8).nfft(0).build()), "FFT: nfft is 0, and must be 1 or more"),
        (
            message(ops::gradient([1 << 40, 1 << 40]).build()),
            "Gradient: dims [1099511627776, 1099511627776] have more elements than can be addressed",
        ),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, wanted);
    }
}

#[test]
fn ghosts_beyond_need_do_no_harm() {
    let operator = ops::first_derivative([6, 8]).axis(1).build().unwrap();
    let mut tile = Tile::whole(operator.signature(), Dtype::F64);
    tile.factors = vec![2..4, 3..5];
    let mut local = operator.build(&tile).unwrap();
    let (wide, own) = ([1..5, 0..7], [2..4, 3..5]);
    let x: Vec<f64> = (1..5).flat_map(|i| (0..7).map(move |j| f64::from(i * 10 + j * j))).collect();
    let (mut y, mut z) = ([9.0; 4], [9.0; 28]);
    let from = Patch { data: Slice::F64(&x), held: &wide };
    let mut to = [PatchMut { data: SliceMut::F64(&mut y), held: &own }];
    local.forward(&[from], &mut to, Acc::Set).unwrap();
    assert_eq!(y, [6.0, 8.0, 6.0, 8.0]);
    let from = Patch { data: Slice::F64(&y), held: &own };
    let mut to = [PatchMut { data: SliceMut::F64(&mut z), held: &wide }];
    local.adjoint(&[from], &mut to, Acc::Set).unwrap();
    let row = [0.0, 0.0, -3.0, -4.0, 3.0, 4.0, 0.0];
    assert_eq!(z, [[0.0; 7], row, row, [0.0; 7]].concat()[..]);
}
