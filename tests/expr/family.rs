//! Families: signatures, errors, and tiles that hold some of the blocks.

#![allow(clippy::single_range_in_vec_init)] // What a patch of one dim holds.

use crate::operators::{dense, matrix};
use adjoin::Dtype::F64;
use adjoin::elements::{Slice, SliceMut};
use adjoin::expr::{Family, LowerContext, Op, family};
use adjoin::ops::{LocalOperator, Operator, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_passes::signature::{Binding, Spread};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks of 1, 2 and 3 rows by 2 columns, of elements `10 i + j`.
fn blocks() -> Family {
    family(0..3, |i| Ok(matrix(i + 1, 2, |i, j| (10 * i + j) as f64))).unwrap()
}

fn operator(op: &Op) -> Arc<dyn Operator> {
    let mut context = LowerContext::new();
    context.term(op).unwrap();
    context.operators[0].clone()
}

fn build(op: &Op, b: Range<usize>) -> Box<dyn LocalOperator> {
    let operator = operator(op);
    let rule = &operator.signature().rule;
    let of =
        |f: &adjoin_passes::signature::Factor| if f.name == "b" { b.clone() } else { 0..f.size };
    let factors = rule.factors.iter().map(of).collect();
    operator.build(&Tile { factors, domain: F64, range: F64, rank: 0 }).unwrap()
}

#[test]
fn it_is_one_leaf_with_a_ragged_factor() {
    let v = blocks().vstack().unwrap();
    assert_eq!((v.shape(), v.range().len()), ((6, 2), 1));
    let operator = operator(&v);
    let s = operator.signature();
    assert_eq!(s.check(), Ok(()));
    let counts = Spread::from_counts([1, 2, 3]);
    assert_eq!(s.rule.range, [[Binding::ragged(0, counts)]]);
    assert_eq!(s.rule.factors[0].weights, Some(Arc::new(vec![333, 667, 1000].into())));
    assert!(s.rule.factors[1].whole);
    assert_eq!(s.cost.flops, 24.0);
    for op in [blocks().block_diag().unwrap(), v.h()] {
        assert!(op.check().is_ok());
    }
    let rows = family(0..3, |i| Ok(matrix(2, i, |_, _| 1.0))).unwrap().hstack().unwrap();
    assert_eq!((rows.shape(), self::operator(&rows).signature().check()), ((2, 3), Ok(())));
}

#[test]
fn blocks_that_do_not_fit_are_named() {
    let uneven = family(2..5, |i| Ok(dense(3, [i]))).unwrap();
    insta::assert_snapshot!(uneven.vstack().unwrap_err(), @r"
    block 2 takes [2] elements and block 3 [3]
      family(2..5)
      ^^^^^^^^^^^^
    ");
    let composite = family(0..2, |_| Ok(2 * dense(3, [3]).named("A")));
    insta::assert_snapshot!(composite.err().unwrap(), @r"
    block 0 is the expression 2.0 * A: a block must be a single operator
      family(0..2)
      ^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(family(0..9, |_| Err("no such shot".into())).err().unwrap(), @r"
    block 0 cannot be made: no such shot
      family(0..9)
      ^^^^^^^^^^^^
    ");
    assert!(family(3..3, |_| Ok(dense(1, [1]))).is_err());
}

fn run(
    local: &mut dyn LocalOperator,
    adjoint: bool,
    (from, held_from): (&[f64], &[Range<usize>]),
    (into, held_into): (&mut [f64], &[Range<usize>]),
    acc: Acc,
) {
    let x = [Patch { data: Slice::F64(from), held: held_from }];
    let mut y = [PatchMut { data: SliceMut::F64(into), held: held_into }];
    let run = if adjoint { LocalOperator::adjoint } else { LocalOperator::forward };
    run(local, &x, &mut y, acc).unwrap();
}

#[test]
fn a_tile_applies_its_blocks() {
    for family in [blocks(), blocks().transient()] {
        let mut v = build(&family.vstack().unwrap(), 1..3);
        let mut y = [0.0; 5];
        run(&mut *v, false, (&[1.0, 2.0], &[0..2]), (&mut y, &[1..6]), Acc::Set);
        assert_eq!(y, [2.0, 32.0, 2.0, 32.0, 62.0]);
        let mut x = [7.0; 2];
        run(&mut *v, true, (&[1.0, 1.0, 1.0, 1.0, 1.0], &[1..6]), (&mut x, &[0..2]), Acc::Set);
        assert_eq!(x, [40.0, 45.0]);
        run(&mut *v, true, (&[1.0, 0.0, 0.0, 0.0, 0.0], &[1..6]), (&mut x, &[0..2]), Acc::Add);
        assert_eq!(x, [40.0, 46.0]);
        let mut none = build(&family.vstack().unwrap(), 3..3);
        run(&mut *none, true, (&[], &[6..6]), (&mut x, &[0..2]), Acc::Set);
        assert_eq!(x, [0.0, 0.0]);
    }
}

#[test]
fn a_batch_goes_through_a_diagonal() {
    let mut d = build(&blocks().block_diag().unwrap(), 0..2);
    let mut y = [1.0; 6];
    let x = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    run(&mut *d, false, (&x, &[0..4, 0..2]), (&mut y, &[0..3, 0..2]), Acc::Add);
    assert_eq!(y, [1.0, 2.0, 1.0, 2.0, 11.0, 12.0]);
    let mut back = [0.0; 8];
    run(&mut *d, true, (&x[..6], &[0..3, 0..2]), (&mut back, &[0..4, 0..2]), Acc::Set);
    assert_eq!(back, [0.0, 0.0, 1.0, 0.0, 10.0, 0.0, 11.0, 1.0]);
}

#[test]
fn only_blocks_of_the_tile_are_made() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let op = family(0..10, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(matrix(1, 1, |_, _| 1.0))
    });
    let op = op.unwrap().vstack().unwrap();
    assert_eq!(made.load(Ordering::Relaxed), 10);
    build(&op, 4..6);
    assert_eq!(made.load(Ordering::Relaxed), 12);
}
