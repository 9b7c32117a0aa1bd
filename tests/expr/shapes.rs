//! Shapes of composite expressions, and their texts.

use crate::operators::dense;
use adjoin::Dtype;
use adjoin::expr::{Op, Parts, block, block_diag, hstack, input, param, stack, vstack, zeros};
use num_complex::Complex64;

fn names(parts: &Parts) -> Vec<Option<&str>> {
    parts.0.iter().map(|p| p.name.as_deref()).collect()
}

#[test]
fn adjoints_swap_and_products_join() {
    let a = dense(4, [2, 3]).named("A");
    assert_eq!(a.shape(), (4, 6));
    assert_eq!((a.h().dims(), a.h().dimsd()), (vec![4], vec![2, 3]));
    let n = a.h() * &a;
    assert_eq!((n.dims(), n.dimsd()), (vec![2, 3], vec![2, 3]));
    assert_eq!(n.pow(3).to_string(), "(A.H @ A) ** 3");
    assert_eq!(Op::identity_like(&a).shape(), (6, 6));
}

#[test]
fn stacks_have_a_part_for_each_block() {
    let (a, b) = (dense(4, [6]).named("A"), dense(5, [2, 3]).named("B"));
    let v = vstack([("top", &a), ("low", &(0.1 * &b))]).unwrap();
    assert_eq!(v.range().shapes(), [[4], [5]]);
    assert_eq!(names(v.range()), [Some("top"), Some("low")]);
    assert_eq!(v.dims(), [6]);
    let h = hstack([&a.h(), &b.h()]).unwrap();
    assert_eq!((h.domain().len(), h.shape()), (2, (6, 9)));
    let nested = block_diag([("x", &v), ("y", &h)]).unwrap();
    assert_eq!(names(nested.range()), [Some("x.top"), Some("x.low"), Some("y")]);
    assert_eq!(names(nested.domain()), [Some("x"), Some("y.0"), Some("y.1")]);
    let rows = block([[("m", &a), ("n", &a)], [("m", &b), ("n", &b)]]).unwrap();
    assert_eq!((rows.shape(), names(rows.domain())), ((9, 12), vec![Some("m"), Some("n")]));
    assert_eq!(rows.to_string(), "Block([m = A, n = A], [m = B, n = B])");
}

#[test]
fn texts_have_as_few_parentheses_as_it_takes() {
    let (a, b) = (dense(3, [3]).named("A"), dense(3, [3]).named("B"));
    let x = input("x", [3], Dtype::F32);
    let eps = param("eps", 0.1);
    let one = Complex64::new(0.5, -1.0);
    let texts = [
        (a.h() * (&b * &x)).to_string(),
        (&a * &b * &x).to_string(),
        ((&a - &b) * (&a + -&b)).to_string(),
        (&a - (&b - &a)).to_string(),
        (2 * (&a * &b) + one * &a).to_string(),
        ((&eps * &eps - 2.0) * &a / 3.0).to_string(),
        (-(&a + &b).t().conj()).to_string(),
        (-&eps * (-2.5 * &a)).to_string(),
        (&x - 2 * &a * &x).to_string(),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    A.H @ (B @ x)
    A @ B @ x
    (A - B) @ (A + -B)
    A - (B - A)
    2.0 * (A @ B) + (0.5 - 1j) * A
    (eps * eps - 2.0) * A / 3.0
    -(A + B).T.conj()
    -eps * (-2.5 * A)
    x - 2.0 * A @ x
    ");
}

#[test]
fn vectors_are_regrouped_or_batched_where_that_fits() {
    let a = dense(4, [2, 3]);
    let dims = |x: [usize; 1]| (&a * input("x", x, Dtype::F32)).dims();
    assert_eq!(dims([6]), [4]);
    let batch = |x: &[usize]| (&a * input("x", x, Dtype::F32)).dims();
    assert_eq!(batch(&[2, 3, 5]), [4, 5]);
    assert_eq!(batch(&[6, 5]), [4, 5]);
    assert_eq!(batch(&[2, 3, 1]), [4, 1]);
    let parts = stack([("p", input("p", [2], Dtype::F32)), ("q", zeros([4], Dtype::F32))]);
    assert_eq!((&a * parts.unwrap()).dims(), [4]);
}

#[test]
fn long_texts_stop_at_a_limit() {
    let mut a = dense(3, [3]);
    for _ in 0..200 {
        a = &a * (&a + &a);
    }
    assert!(a.check().is_ok());
    assert!(a.to_string().len() < 2100);
}
