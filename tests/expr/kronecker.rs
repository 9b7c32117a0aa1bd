//! Kronecker products: structure, and the permutation inside.

use crate::operators::{dense, term};
use adjoin::Dtype::F64;
use adjoin::expr::{LowerContext, input, kronecker, lower, vstack};

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
