//! Faults planted in user-defined operators: each is found, named, and told where it is.

use adjoin::Dtype;
use adjoin::check::{Fault, Kind, leaf};
use adjoin::elements::{Element, Slice, SliceMut};
use adjoin::expr::{Op, family};
use adjoin::ops::{
    Handle, LocalOperator, OperatorError, Patch, PatchMut, Tile, custom, fft, first_derivative,
    function, gradient, identity, laplacian, restriction,
};
use adjoin_kernels::host::{Acc, star};
use adjoin_passes::Signature;
use adjoin_passes::signature::{Binding, Laws, Linearity, Rule};
use num_complex::Complex64;

const N: usize = 40;

fn checked(operator: &Handle) -> Vec<Fault> {
    leaf("A", &**operator, None).unwrap()
}

/// The only fault, and what is printed for it.
fn only(operator: &Handle) -> (Kind, String) {
    let faults = checked(operator);
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].kind.clone(), faults[0].to_string())
}

fn entry(i: usize, j: usize) -> Complex64 {
    let k = (i * 31 + j * 17) as f64;
    Complex64::new((k * 0.37).sin() + 0.1, (k * 0.53).cos())
}

type Entry = fn(usize, usize) -> Complex64;

/// A dense operator whose adjoint is that of another matrix: `x[j] = Σ g(j, i) y[i]`.
fn dense(g: Entry) -> Handle {
    let forward = |x: &[Complex64], y: &mut [Complex64]| {
        for (i, y) in y.iter_mut().enumerate() {
            *y = x.iter().enumerate().map(|(j, x)| entry(i, j) * x).sum();
        }
    };
    let adjoint = move |y: &[Complex64], x: &mut [Complex64]| {
        for (j, x) in x.iter_mut().enumerate() {
            *x = y.iter().enumerate().map(|(i, y)| g(j, i) * y).sum();
        }
    };
    function(N, 30, forward, adjoint).build().unwrap()
}

#[test]
fn operators_of_this_crate_are_as_declared() {
    let operators = [
        first_derivative([12, 7]).build().unwrap(),
        laplacian([9, 11]).build().unwrap(),
        gradient([9, 6, 5]).edge(true).build().unwrap(),
        fft([16]).build().unwrap(),
        fft([3, 10]).real(true).build().unwrap(),
        fft([11, 3]).axis(0).real(true).ifftshift_before(true).build().unwrap(),
        identity([8]).m([5]).build().unwrap(),
        restriction([9], vec![1, 3, 8]).build().unwrap(),
        dense(|j, i| entry(i, j).conj()),
    ];
    for operator in operators {
        assert_eq!(checked(&operator), [], "{}", operator.signature().kind);
    }
}

#[test]
fn a_missing_conjugate() {
    let (kind, text) = only(&dense(|j, i| entry(i, j)));
    assert_eq!(kind, Kind::Conjugate);
    assert!(text.starts_with("A: the adjoint lacks a conjugate, at [0..30]"), "{text}");
}

#[test]
fn a_factor() {
    let (kind, text) = only(&dense(|j, i| 1.01 * entry(i, j).conj()));
    assert!(matches!(kind, Kind::Factor(c) if (c - 1.01).norm() < 1e-9), "{kind:?}");
    assert!(text.contains("a factor 1.010000 too many"), "{text}");
    let (_, text) = only(&dense(|j, i| -entry(i, j).conj()));
    assert!(text.contains("wrong sign"), "{text}");
}

#[test]
fn a_shift_by_one() {
    let shifted = |j: usize, i| if j == 0 { Complex64::ZERO } else { entry(i, j - 1).conj() };
    assert_eq!(only(&dense(shifted)).0, Kind::Shift(1));
    let shifted = |j: usize, i| if j + 1 == N { Complex64::ZERO } else { entry(i, j + 1).conj() };
    assert_eq!(only(&dense(shifted)).0, Kind::Shift(-1));
}

#[test]
fn wrong_edges_of_a_large_stencil() {
    let n = 5000;
    let forward = move |x: &[f64], y: &mut [f64]| {
        for i in 0..n {
            y[i] = if i + 1 < n { x[i + 1] - x[i] } else { 0.0 };
        }
    };
    let adjoint = move |y: &[f64], x: &mut [f64]| {
        for j in 0..n {
            let left = if j > 0 { y[j - 1] } else { 0.0 };
            // The last row of the operator is zero, and this forgets it.
            x[j] = left - y[j];
        }
    };
    let operator = function(n, n, forward, adjoint).build().unwrap();
    let (kind, text) = only(&operator);
    assert_eq!(kind, Kind::Edge(0));
    assert_eq!(
        text,
        "A: the adjoint is wrong at the edges of axis 0, at [4999..5000] of part 0 of its range"
    );
}

#[test]
fn an_adjoint_of_something_else() {
    let other =
        |j: usize, i: usize| if (i + j).is_multiple_of(3) { Complex64::ONE } else { entry(j, i) };
    assert_eq!(only(&dense(other)).0, Kind::Adjoint);
}

#[test]
fn false_laws() {
    let twice = |laws| {
        let double = |x: &[f64], y: &mut [f64]| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = 2.0 * x);
        };
        function(N, N, double, double).laws(laws).build().unwrap()
    };
    let mut names = Vec::new();
    for (name, get) in Laws::NAMES {
        let mut laws = Laws::default();
        *get(&mut laws) = true;
        let faults = checked(&twice(laws));
        assert!(faults.iter().all(|fault| fault.kind == Kind::Law(name)), "{faults:?}");
        if !faults.is_empty() {
            names.push(name);
        }
    }
    let false_ones = [
        "isometry",
        "co_isometry",
        "permutation",
        "projection",
        "zero",
        "identity",
        "fourier",
        "half_spectrum",
    ];
    assert_eq!(names, false_ones);
    let claim = Laws { isometry: true, ..Laws::default() };
    assert!(only(&twice(claim)).1.contains("it claims `isometry` and is not"));
    let claim = Laws { self_adjoint: true, diagonal: true, ..Laws::default() };
    let faults = checked(
        &function(
            3,
            3,
            |x: &[f64], y: &mut [f64]| y.copy_from_slice(&[x[1], x[2], x[0]]),
            |y: &[f64], x: &mut [f64]| x.copy_from_slice(&[y[2], y[0], y[1]]),
        )
        .laws(claim)
        .build()
        .unwrap(),
    );
    let kinds: Vec<_> = faults.into_iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [Kind::Law("self_adjoint"), Kind::Law("diagonal")]);
}

#[test]
fn false_linearity() {
    let copy = |x: &[Complex64], y: &mut [Complex64]| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x.conj());
    };
    let conj = |linearity| function(N, N, copy, copy).linearity(linearity).build().unwrap();
    assert_eq!(only(&conj(Linearity::Complex)).0, Kind::Linearity("complex numbers"));
    assert_eq!(checked(&conj(Linearity::Antilinear)), []);
    assert_eq!(checked(&conj(Linearity::Real)), []);
    let affine = |x: &[f64], y: &mut [f64]| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + 1.0);
    };
    let operator = function(N, N, affine, affine).build().unwrap();
    assert_eq!(only(&operator).0, Kind::Linearity("real numbers"));
}

/// The mean of three neighbours, with the indices of its tile, which reads what it is given.
struct Mean {
    held: std::ops::Range<usize>,
    size: usize,
    adds: bool,
}

impl LocalOperator for Mean {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let begin = x[0].held[0].start;
        let Slice::F64(data) = x[0].data.reals() else { return Err(wrong()) };
        let group = data.len() / x[0].held[0].len();
        let SliceMut::F64(out) = y[0].data.reborrow().reals() else { return Err(wrong()) };
        for i in self.held.clone() {
            for g in 0..group {
                let at = |k: usize| data.get((k.wrapping_sub(begin)) * group + g).copied();
                let left = i.checked_sub(1).and_then(at).unwrap_or(0.0);
                let right = if i + 1 < self.size { at(i + 1).unwrap_or(0.0) } else { 0.0 };
                let value = left + at(i).unwrap_or(0.0) + right;
                let slot = &mut out[(i - self.held.start) * group + g];
                acc_put(if self.adds { acc } else { Acc::Set }, slot, value);
            }
        }
        Ok(())
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (begin, n) = (x[0].held[0].start, x[0].held[0].len());
        let Slice::F64(data) = y[0].data.reals() else { return Err(wrong()) };
        let SliceMut::F64(out) = x[0].data.reborrow().reals() else { return Err(wrong()) };
        let group = out.len() / n;
        if acc == Acc::Set {
            out.fill(0.0);
        }
        for i in self.held.clone() {
            for k in [i.wrapping_sub(1), i, i + 1] {
                if k.wrapping_sub(begin) < n {
                    for g in 0..group {
                        out[(k - begin) * group + g] += data[(i - self.held.start) * group + g];
                    }
                }
            }
        }
        Ok(())
    }
}

fn wrong() -> OperatorError {
    OperatorError("another type".into())
}

fn acc_put(acc: Acc, slot: &mut f64, value: f64) {
    match acc {
        Acc::Set => *slot = value,
        Acc::Add => *slot += value,
    }
}

fn mean(halo: usize, adds: bool) -> Handle {
    let size = 200;
    let mut rule = Rule::elementwise(&[size]);
    rule.domain[0][0] = Binding::halo(0, halo, halo);
    let signature = Signature {
        kind: "Mean".into(),
        dtype: Dtype::F64,
        rule,
        ..adjoin::ops::custom::opaque("Mean", Dtype::F64, [vec![size]], [vec![size]])
    };
    custom(signature, move |tile: &Tile| {
        Ok(Box::new(Mean { held: tile.factors[0].clone(), size, adds }) as Box<dyn LocalOperator>)
    })
    .build()
    .unwrap()
}

#[test]
fn false_factor_rules() {
    assert_eq!(checked(&mean(1, true)), []);
    assert_eq!(checked(&mean(3, true)), []);
    let faults = checked(&mean(0, true));
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(
        faults[0].to_string(),
        "A: cut along factor i into 2, it gives another result near the cuts: \
         its halo is too narrow, at [99..101] of part 0 of its range"
    );
    assert!(matches!(faults[1].kind, Kind::Split { adjoint: true, near_cut: true, .. }));
}

#[test]
fn a_tile_that_does_not_add() {
    assert_eq!(only(&mean(1, false)).0, Kind::Adding { adjoint: false });
}

/// Every element is the sum of what its tile reads.
struct Sums;

fn spread<T: Element>(x: &[T], y: &mut [T], acc: Acc) {
    let sum = x.iter().fold(T::ZERO, |sum, x| sum + *x);
    for y in y {
        acc.put(y, sum);
    }
}

impl LocalOperator for Sums {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        match (x[0].data, y[0].data.reborrow()) {
            (Slice::F64(x), SliceMut::F64(y)) => spread(x, y, acc),
            (Slice::C128(x), SliceMut::C128(y)) => spread(x, y, acc),
            _ => return Err(wrong()),
        }
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

/// A stencil that forgets its adjoint where sums are free.
struct Hasty(Box<dyn LocalOperator>);

impl LocalOperator for Hasty {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.0.forward(x, y, acc)
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        self.0.adjoint(y, x, acc)
    }

    fn takes_windows(&self, adjoint: bool, dim: usize) -> bool {
        self.0.takes_windows(adjoint, dim)
    }

    fn has_normal(&self) -> bool {
        true
    }

    fn normal(
        &mut self,
        x: &[Patch<'_>],
        z: &mut [PatchMut<'_>],
        acc: Acc,
        sums: star::Sums,
    ) -> Result<(), OperatorError> {
        match sums {
            star::Sums::Kept => self.0.normal(x, z, acc, sums),
            star::Sums::Free => self.0.forward(x, z, acc),
        }
    }
}

#[test]
fn a_normal_operator_that_is_none() {
    let stencil = first_derivative([12, 7]).build().unwrap();
    let signature = Signature { kind: "Hasty".into(), ..stencil.signature().clone() };
    let build = move |tile: &Tile| Ok(Box::new(Hasty(stencil.build(tile)?)) as Box<_>);
    let (kind, text) = only(&custom(signature, build).build().unwrap());
    assert_eq!(kind, Kind::Normal { free: true });
    assert!(text.contains("with free sums, it gives another result"), "{text}");
}

#[test]
fn a_factor_that_is_no_factor() {
    let size = 100;
    let signature = Signature {
        rule: Rule::elementwise(&[size]),
        ..adjoin::ops::custom::opaque("Sum", Dtype::F64, [vec![size]], [vec![size]])
    };
    let build = |_: &Tile| Ok(Box::new(Sums) as Box<dyn LocalOperator>);
    let faults = checked(&custom(signature, build).build().unwrap());
    let split = |fault: &Fault| matches!(fault.kind, Kind::Split { near_cut: false, .. });
    assert!(!faults.is_empty() && faults.iter().all(split), "{faults:?}");
    assert!(faults[0].to_string().contains("the factor rule is wrong"), "{}", faults[0]);
}

#[test]
fn a_block_of_a_family_is_named() {
    let blocks = family(0..5, |k| {
        let factor = if k == 3 { 1.01 } else { 1.0 };
        let forward = |x: &[f64], y: &mut [f64]| y.copy_from_slice(&x[..y.len()]);
        let adjoint = move |y: &[f64], x: &mut [f64]| {
            x.fill(0.0);
            x.iter_mut().zip(y).for_each(|(x, y)| *x = factor * y);
        };
        Ok(Op::new(function(8, 2 + k, forward, adjoint).build()?))
    });
    let op = blocks.unwrap().vstack().unwrap();
    let mut context = adjoin::expr::LowerContext::new();
    context.term(&op).unwrap();
    let operator = context.operators[0].clone();
    let faults = checked(&operator);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let text = faults[0].to_string();
    // Blocks 0, 1 and 2 have 2, 3 and 4 rows.
    assert!(text.starts_with("A[3]: the adjoint has a factor 1.010000"), "{text}");
    assert!(text.ends_with("at [9..14] of part 0 of its range"), "{text}");
    assert_eq!(leaf("A", &*operator, Some(2)).unwrap(), []);
    assert_eq!(leaf("A", &*operator, Some(3)).unwrap().len(), 1);
}
