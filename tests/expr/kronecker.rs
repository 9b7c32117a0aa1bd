//! Kronecker products: structure, and the permutation inside.

use crate::operators::{dense, fourier, matrix, term};
use adjoin::Dtype::F64;
use adjoin::Mesh;
use adjoin::data::Source;
use adjoin::expr::{LowerContext, Op, input, kronecker, lower, vstack};
use adjoin::ops;
use adjoin::planned::Planner;
use adjoin::run::inputs;
use adjoin::runtime::World;
use num_complex::Complex64;

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
        @"(Transpose.H B*[2] Transpose2 A*[4, 6])"
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

fn lowered(op: &Op) -> String {
    let mut context = LowerContext::new();
    let id = context.term(op).unwrap();
    term(&context.plan, id)
}

fn one(_: usize, _: usize) -> f64 {
    1.0
}

#[test]
fn the_operator_that_leaves_less_work_goes_first() {
    let (wide, tall) = (matrix(2, 9, one).named("W"), matrix(9, 2, one).named("T"));
    insta::assert_snapshot!(lowered(&kronecker(&wide, &tall).unwrap()), @"(Transpose.H T*[2] Transpose2 W*[2])");
    insta::assert_snapshot!(lowered(&kronecker(&tall, &wide).unwrap()), @"(T*[2] Transpose.H W*[2] Transpose2)");
}

/// The real part of a product is another thing than the product of a real part.
#[test]
fn an_operator_that_is_not_complex_linear_keeps_its_place() {
    let (f, tall) = (fourier(3).named("F"), matrix(9, 2, one).named("T"));
    insta::assert_snapshot!(lowered(&kronecker(&f, &tall).unwrap()), @"(F*[9] Transpose.H T*[3] Transpose2)");
    let k = kronecker(&f, &tall).unwrap();
    assert!(lowered(&(k.h() * &k)).matches("Transpose").count() > 2);
}

#[test]
fn products_that_fit_are_products_of_the_operands_where_that_is_less_work() {
    let (a, b) = (matrix(5, 4, one).named("A"), matrix(9, 3, one).named("B"));
    let k = kronecker(&a, &b).unwrap().named("K");
    insta::assert_snapshot!(lowered(&(k.h() * &k)), @"((A.H A)*[3] Transpose.H (B.H B)*[4] Transpose)");
    insta::assert_snapshot!(lowered(&(&k * k.h())), @"((Transpose.H B*[5] Transpose2 A*[3]) (Transpose.H B*[5] Transpose2 A*[3]).H)");
}

/// Rows, columns and elements.
type Entries = (usize, usize, fn(usize, usize) -> Complex64);

fn built((rows, columns, entry): Entries) -> Op {
    let all = (0..rows * columns).map(|k| entry(k / columns, k % columns)).collect::<Vec<_>>();
    let all = adjoin::data::Array::from(all).reshape([rows, columns]).unwrap();
    Op::new(ops::matrix_mult(Source::array(all)).build().unwrap())
}

/// `(A ⊗ B) x` from its definition, or with the adjoint.
fn defined(a: Entries, b: Entries, adjoint: bool, x: &[Complex64]) -> Vec<Complex64> {
    let entry = |m: Entries, i: usize, j: usize| if adjoint { m.2(j, i).conj() } else { m.2(i, j) };
    let sides = |m: Entries| if adjoint { (m.1, m.0) } else { (m.0, m.1) };
    let ((am, an), (bm, bn)) = (sides(a), sides(b));
    let element = |k: usize| {
        let terms =
            (0..an * bn).map(|l| entry(a, k / bm, l / bn) * entry(b, k % bm, l % bn) * x[l]);
        terms.sum()
    };
    (0..am * bm).map(element).collect()
}

#[test]
fn products_are_what_their_definition_says_on_any_number_of_ranks() {
    let wave = |i: usize, j: usize| {
        Complex64::new((1.0 + (i * 7 + j) as f64).sin(), (i + 3 * j) as f64 / 9.0)
    };
    let other =
        |i: usize, j: usize| Complex64::new((2.0 + (i + 5 * j) as f64).cos(), (i * j) as f64 / 7.0);
    let cases: [(Entries, Entries); 3] = [
        ((2, 7, wave), (6, 3, other)),
        ((7, 2, wave), (2, 5, other)),
        ((4, 4, wave), (1, 6, other)),
    ];
    for (a, b) in cases {
        let k = kronecker(built(a), built(b)).unwrap();
        let x: Vec<_> = (0..a.1 * b.1).map(|k| wave(k, 2 * k)).collect();
        let image = defined(a, b, false, &x);
        let normal = defined(a, b, true, &image);
        for mesh in ["p=1", "p=3", "r=2,c=2"] {
            let mesh = Mesh::parse(mesh).unwrap();
            for (op, expected) in [(k.clone(), &image), (k.h() * &k, &normal)] {
                let y = &op * op.input("x", adjoin::Dtype::C128);
                let planned = Planner::new(mesh.clone()).apply(&y).unwrap();
                let given = inputs().part("x", Source::array(x.clone()));
                let found = planned.run(&World::threads(mesh.ranks()), &given).unwrap();
                let found = found.gather_flat().unwrap().into_vec::<Complex64>().unwrap();
                let near =
                    |(y, z): (&Complex64, &Complex64)| (y - z).norm() < 1e-9 * (1.0 + z.norm());
                assert!(found.iter().zip(expected).all(near) && found.len() == expected.len());
            }
        }
    }
}
