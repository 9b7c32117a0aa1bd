//! The texts of errors: one sentence, the expression, a caret.

use crate::operators::{dense, typed};
use adjoin::Dtype::F64;
use adjoin::expr::{Op, block, block_diag, hstack, input, lower, param, stack, vstack, zeros};

#[test]
fn an_operator_and_a_vector_do_not_fit() {
    let a = typed(F64, 4096, 1024).named("A");
    let y = input("y", [4000], F64);
    insta::assert_snapshot!((a.h() * (&a * &y)).check().unwrap_err(), @r"
    A is 4096×1024 and cannot be applied to y, which has 4000 elements
      A.H @ (A @ y)
                 ^
    ");
    assert!((a.h() * (&a * &y)).parts().is_empty());
}

#[test]
fn the_first_error_wins_and_keeps_its_place() {
    let (a, b) = (dense(3, [4]).named("A"), dense(5, [4]).named("B"));
    let bad = vstack([&(2 * &a), &(&a + &b), &b]).unwrap_err();
    insta::assert_snapshot!(bad, @r"
    A is 3×4 and B is 5×4: only operators of the same shape can be added
      VStack(2.0 * A, A + B, B)
                          ^
    ");
    let sum = &a + &b;
    insta::assert_snapshot!((&sum + &a - (&b * &b)).check().unwrap_err(), @r"
    A is 3×4 and B is 5×4: only operators of the same shape can be added
      A + B + A - B @ B
          ^
    ");
    insta::assert_snapshot!((a.h() * &a * (&b * &a)).check().unwrap_err(), @r"
    B is 5×4 and cannot be applied to A, whose range has 3 elements
      A.H @ A @ (B @ A)
                     ^
    ");
}

#[test]
fn stacks_say_what_does_not_fit() {
    let (a, b) = (dense(3, [4]).named("A"), dense(5, [4]).named("B"));
    insta::assert_snapshot!(hstack([&a, &b]).unwrap_err(), @r"
    A has 3 rows and B has 5 rows: the blocks share one range
      HStack(A, B)
                ^
    ");
    insta::assert_snapshot!(block([[&a, &a], [&b, &a]]).unwrap_err(), @r"
    B has 5 rows and A has 3 rows: the blocks share one range
      Block([A, A], [B, A])
                        ^
    ");
    insta::assert_snapshot!(vstack([("d", &a), ("d", &b)]).unwrap_err(), @r"
    two parts are named d
      VStack(d = A, d = B)
      ^^^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(block_diag(Vec::<Op>::new()).unwrap_err(), @r"
    a stack of nothing has no shape
      BlockDiag()
      ^^^^^^^^^^^
    ");
    insta::assert_snapshot!(stack([("0", &zeros([3], F64))]).unwrap_err(), @r"
    `0` is no name for a part
      stack(0 = zeros(3))
                ^^^^^^^^
    ");
}

#[test]
fn powers_and_scalars() {
    let a = dense(3, [4]).named("A");
    insta::assert_snapshot!((a.pow(2)).check().unwrap_err(), @r"
    A is 3×4: only square operators have powers
      A ** 2
      ^
    ");
    insta::assert_snapshot!((&a * f64::NAN).check().unwrap_err(), @r"
    NaN is not a finite number
      NaN * A
      ^^^^^^^
    ");
    insta::assert_snapshot!((&a / param("eps", 0.5)).check().unwrap_err(), @r"
    division by the parameter eps
      A / eps
      ^^^^^^^
    help: make its reciprocal the parameter and multiply
    ");
    insta::assert_snapshot!((input("x", [3], F64) / 0.0).check().unwrap_err(), @r"
    division by zero
      x / 0.0
      ^^^^^^^
    ");
}

#[test]
fn names_mean_one_thing() {
    let (a, b) = (dense(3, [4]).named("A"), dense(3, [4]).named("A"));
    insta::assert_snapshot!((&a + &b).check().unwrap_err(), @r"
    two operators are named A
      A + A
          ^
    help: the same operator, used twice, may keep its name
    ");
    let two = param("eps", 0.1) * &a + param("eps", 0.2) * &a;
    insta::assert_snapshot!(two.check().unwrap_err(), @r"
    the parameter eps has two different defaults
      eps * A + eps * A
                ^^^^^^^
    ");
    let sum = &a * input("x", [4], F64) + &a * (2 * input("x", [2, 2], F64));
    insta::assert_snapshot!(lower(&sum).err().unwrap(), @r"
    two different inputs are named x
      A @ x + A @ (2.0 * x)
                         ^
    ");
    insta::assert_snapshot!(a.named("2A").check().unwrap_err(), @r"
    `2A` is no name for an operator
      2A
      ^^
    help: a name has letters, digits and _, and starts with none
    ");
}

#[test]
fn sizes_and_depths_end_somewhere() {
    let big = Op::identity([1 << 40, 1 << 40]);
    assert!(big.check().unwrap_err().message.contains("than any memory"));
    let mut a = dense(3, [3]);
    for _ in 0..100_000 {
        a = -a;
    }
    assert_eq!(
        a.check().unwrap_err().message,
        "the expression is nested more than 400 levels deep"
    );
}
