//! Kronecker products: structure, and the permutation inside.

use crate::operators::{dense, term};
use adjoin::Dtype::{self, F64};
use adjoin::elements::{Slice, SliceMut};
use adjoin::expr::{LowerContext, input, kronecker, lower, vstack};
use adjoin::ops::{Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;

#[test]
fn it_is_two_lifted_operators_between_permutations() {
    let (a, b) = (dense(2, [3]).named("A"), dense(5, [4, 6]).named("B"));
    let k = kronecker(&a, &b).unwrap();
    assert_eq!((k.to_string().as_str(), k.shape()), ("Kronecker(A, B)", (10, 72)));
    assert_eq!((k.dims(), k.dimsd()), (vec![3, 4, 6], vec![2, 5]));
    let mut context = LowerContext::new();
    let id = context.term(&k).unwrap();
    insta::assert_snapshot!(
        term(&context.plan, id),
        @"(A*[5] Transpose.H B*[3] Transpose2)"
    );
    let flat = &k * input("x", [72], F64);
    assert_eq!(flat.dims(), [2, 5]);
    assert!(lower(&flat).is_ok());
}

#[test]
fn sides_of_several_parts_count_as_flat() {
    let a = dense(2, [3]).named("A");
    let v = vstack([&a, &a]).unwrap();
    let k = kronecker(&v, &a).unwrap();
    assert_eq!((k.dims(), k.dimsd()), (vec![3, 3], vec![4, 2]));
    let bad = kronecker(&a + a.h(), &a);
    assert!(bad.unwrap_err().to_string().contains("Kronecker(A + A.H, A)"));
}

#[test]
fn the_permutation_moves_a_tile() {
    let k = kronecker(dense(1, [2]), dense(1, [3])).unwrap();
    let mut context = LowerContext::new();
    context.term(&k).unwrap();
    let at = context.plan.leaves.iter().position(|l| l.signature.domain == [[2, 3]]).unwrap();
    let tile = Tile { factors: vec![1..3, 0..2], domain: Dtype::F64, range: Dtype::F64, rank: 0 };
    let mut local = context.operators[at].build(&tile).unwrap();
    // The tile of the domain is x[0..2, 1..3], with a batch of 1; the patch holds one column more.
    let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let mut y = [9.0; 4];
    let (hx, hy) = ([0..2, 0..3, 0..1], [1..3, 0..2, 0..1]);
    let from = [Patch { data: Slice::F64(&x), held: &hx }];
    let mut into = [PatchMut { data: SliceMut::F64(&mut y), held: &hy }];
    local.forward(0, &from, &mut into, Acc::Set).unwrap();
    assert_eq!(y, [1.0, 4.0, 2.0, 5.0]);
    let mut back = [1.0; 6];
    let from = [Patch { data: Slice::F64(&y), held: &hy }];
    let mut into = [PatchMut { data: SliceMut::F64(&mut back), held: &hx }];
    local.adjoint(0, &from, &mut into, Acc::Add).unwrap();
    assert_eq!(back, [1.0, 2.0, 3.0, 1.0, 5.0, 6.0]);
}
