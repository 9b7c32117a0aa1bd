//! Element types: promotion, weak literals, and imaginary parts that are not lost.

use crate::operators::{dense, fourier, typed};
use adjoin::Dtype::{C64, C128, F32, F64};
use adjoin::expr::{Op, block_diag, hstack, input, lower_operator, param, stack, vstack};
use adjoin_passes::ir::Elementwise;
use num_complex::Complex64;

#[test]
fn application_promotes_as_numpy() {
    let (a, b) = (typed(F32, 3, 3), typed(C64, 3, 3));
    let x = |dtype| input("x", [3], dtype);
    assert_eq!((&a * x(F32)).dtypes(), [F32]);
    assert_eq!((0.1 * &a * x(F32)).dtypes(), [F32]);
    assert_eq!((Complex64::new(0.0, 1.0) * &a * x(F32)).dtypes(), [C64]);
    assert_eq!((&b * x(F64)).dtypes(), [C128]);
    assert_eq!((param("e", 1.0) * (&a * x(F32)) + x(F64)).dtypes(), [F64]);
    let z = param("z", Complex64::from(1.0));
    assert_eq!((x(F32) * z).dtypes(), [C64]);
}

#[test]
fn parts_of_a_stack_keep_their_types() {
    let v = vstack([typed(F32, 3, 3), typed(C128, 2, 3)]).unwrap();
    let x = input("x", [3], F32);
    assert_eq!((&v * &x).dtypes(), [F32, C128]);
    assert_eq!((v.h() * (&v * &x)).dtypes(), [C128]);
}

#[test]
fn types_of_vectors_are_those_of_their_plan() {
    let v = hstack([typed(F32, 3, 2), 2 * typed(C64, 3, 3) + dense(3, [3])]).unwrap();
    let x = stack([input("p", [2], F64), input("q", [3], F32)]).unwrap();
    let y = v.h() * (&v * &x) - Complex64::new(1.0, 1.0) * &x;
    let lowered = adjoin::expr::lower(&y).unwrap();
    let block = &lowered.plan.blocks[0];
    let types: Vec<_> = block.returns.iter().map(|r| block.ty(r.value).dtype).collect();
    assert_eq!(types, y.dtypes());
}

#[test]
fn an_imaginary_part_is_not_lost_unasked() {
    let f = fourier(4).named("F");
    let g = typed(F32, 4, 4).named("G");
    let x = input("x", [4], C64);
    insta::assert_snapshot!((&f * &x).check().unwrap_err(), @r"
    F takes real vectors and x is complex: its imaginary part would be lost
      F @ x
          ^
    help: apply Real to x first
    ");
    insta::assert_snapshot!((f.h() * (&f * (&f * input("y", [4], F32)))).check().unwrap_err(), @r"
    F takes real vectors and F @ y is complex: its imaginary part would be lost
      F.H @ (F @ (F @ y))
                  ^^^^^
    help: apply Real to F @ y first
    ");
    insta::assert_snapshot!((&f * &g * typed(C64, 4, 4)).check().unwrap_err(), @r"
    F @ G takes real vectors and MatrixMult gives complex ones: an imaginary part would be lost
      F @ G @ MatrixMult
              ^^^^^^^^^^
    help: apply Real to MatrixMult
    ");
    let real = Op::element(Elementwise::Real, [4]);
    assert!((&f * &real * &x).check().is_ok());
    assert!((f.h() * (&f * &real)).check().is_ok());
    assert!((vstack([&f, &f]).unwrap() * &x).check().is_err());
    assert!((vstack([&f, &g]).unwrap() * &x).check().is_ok());
    assert!((hstack([&f, &g]).unwrap() * stack([&x, &x]).unwrap()).check().is_err());
    assert!(
        (hstack([&f, &g]).unwrap() * stack([&input("r", [4], F32), &x]).unwrap()).check().is_ok()
    );
}

#[test]
fn an_operator_is_lowered_for_the_types_of_its_parts() {
    let h = hstack([("p", &dense(3, [2])), ("q", &typed(C64, 3, 3))]).unwrap();
    let lowered = lower_operator(&h, &[F64, F32]).unwrap();
    assert_eq!(lowered.outputs[0].dtype, C128);
    assert!(lower_operator(&h, &[F64, F32, F32]).is_err());
}

#[test]
fn elements_that_change_parts_keep_their_imaginary_part() {
    let x = stack([input("p", [3], C64), input("q", [2], F32)]).unwrap();
    let other = stack([input("r", [2], C64), input("s", [3], F32)]).unwrap();
    let sum = other + &x;
    assert_eq!(sum.dtypes(), [C64, C64]);
    let lowered = adjoin::expr::lower(&sum).unwrap();
    assert_eq!(lowered.outputs.iter().map(|o| o.dtype).collect::<Vec<_>>(), [C64, C64]);
    let y = block_diag([typed(F32, 2, 2), typed(F32, 3, 3)]).unwrap() * &x;
    let lowered = adjoin::expr::lower(&y).unwrap();
    assert_eq!(lowered.outputs.iter().map(|o| o.dtype).collect::<Vec<_>>(), [C64, C64]);
    let h = hstack([dense(3, [2]), fourier(3).h()]).unwrap();
    assert_eq!((&h * &x).dtypes(), [C64]);
    let h = hstack([dense(3, [2]), fourier(3)]).unwrap();
    assert!((&h * &x).check().is_err());
}
