//! Kronecker products: structure, and the permutation inside.

use crate::operators::{dense, fourier, term, typed};
use adjoin::Dtype::{C128, F64};
use adjoin::Mesh;
use adjoin::data::Source;
use adjoin::expr::{LowerContext, Op, input, kronecker, lower, vstack};
use adjoin::ops;
use adjoin::planned::Planner;
use adjoin::run::inputs;
use adjoin::runtime::World;
use num_complex::Complex64;

#[test]
fn it_is_lowered_as_it_is_written() {
    let (a, b) = (dense(2, [3]).named("A"), dense(5, [4, 6]).named("B"));
    let k = kronecker(&a, &b).unwrap();
    assert_eq!((k.to_string().as_str(), k.shape()), ("Kronecker(A, B)", (10, 72)));
    assert_eq!((k.dims(), k.dimsd()), (vec![3, 4, 6], vec![2, 5]));
    insta::assert_snapshot!(lowered(&(k.h() * &k)), @"((A ⊗ B).H (A ⊗ B))");
    let flat = &k * input("x", [72], F64);
    assert_eq!(flat.dims(), [2, 5]);
    assert!(lower(&flat).is_ok());
}

#[test]
fn operands_without_a_name_go_by_that_of_the_product() {
    let k = kronecker(dense(2, [3]), dense(5, [4])).unwrap().named("K");
    insta::assert_snapshot!(lowered(&k), @"(K ⊗ K2)");
}

#[test]
fn sides_of_several_parts_count_as_flat() {
    let a = dense(2, [3]).named("A");
    let v = vstack([&a, &a]).unwrap();
    let k = kronecker(&v, &a).unwrap();
    assert_eq!((k.dims(), k.dimsd()), (vec![3, 3], vec![4, 2]));
    insta::assert_snapshot!(lowered(&k), @"(([[2], [2]]>[[4]] v[A, A]) ⊗ A)");
    let wide = dense(2, [3, 4]);
    let k = kronecker(vstack([&wide, &wide]).unwrap(), &a).unwrap();
    assert_eq!((k.dims(), k.dimsd()), (vec![12, 3], vec![4, 2]));
    assert!(lower(&(k.h() * (&k * k.input("x", F64)))).is_ok());
    let bad = kronecker(&a + a.h(), &a);
    assert!(bad.unwrap_err().to_string().contains("Kronecker(A + A.H, A)"));
}

#[test]
fn an_imaginary_part_is_not_lost_between_the_operands() {
    let (f, c) = (fourier(3).named("F"), typed(C128, 2, 2).named("C"));
    assert!(kronecker(&c, &f).is_ok());
    insta::assert_snapshot!(kronecker(&f, &c).err().unwrap(), @r"
    F takes real vectors and C gives complex ones: an imaginary part would be lost
      Kronecker(F, C)
                   ^
    help: apply Real to C
    ");
}

fn lowered(op: &Op) -> String {
    let mut context = LowerContext::new();
    let id = context.term(op).unwrap();
    term(&context.plan, id)
}

/// The operators that the finished plan applies, in order.
fn applied(op: &Op) -> String {
    let planned = Planner::new(Mesh::line(1)).apply(&(op * op.input("x", F64))).unwrap();
    let plan = planned.to_string();
    let names = plan.lines().filter_map(|line| line.split_once("= apply ")?.1.split(' ').next());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_operator_that_leaves_less_work_goes_first() {
    let (wide, tall) = (dense(2, [9]).named("W"), dense(9, [2]).named("T"));
    assert_eq!(applied(&kronecker(&wide, &tall).unwrap()), "W Transpose T Transpose2.H");
    assert_eq!(applied(&kronecker(&tall, &wide).unwrap()), "Transpose W Transpose2.H T");
}

#[test]
fn products_of_pinned_stacked_and_scaled_ones_are_products_of_operands() {
    let (a, b) = (dense(5, [4]).named("A"), dense(9, [3]).named("B"));
    let k = kronecker(&a, &b).unwrap();
    let once = applied(&(k.h() * &k));
    assert_eq!(once.matches("Transpose").count(), 2, "{once}");
    let scaled = 2.0 * k.on("replicated");
    let l = dense(7, [12]).named("L");
    let stacked = vstack([&scaled, &l]).unwrap();
    let more = applied(&(stacked.h() * &stacked));
    assert_eq!(more.matches("Transpose").count(), 2, "{more}");
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
