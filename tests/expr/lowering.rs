//! The plans that expressions are lowered to.

use crate::operators::{dense, show, term, typed};
use adjoin::Dtype::{F32, F64};
use adjoin::expr::{LowerContext, Op, input, lower, lower_operator, param, stack, vstack, zeros};
use num_complex::Complex64;

fn lowered(op: &Op) -> String {
    let mut context = LowerContext::new();
    let id = context.term(op).unwrap();
    term(&context.plan, id)
}

#[test]
fn applications_are_nodes() {
    let a = typed(F32, 4096, 1024).named("A");
    let y = a.h() * (&a * input("x", [1024], F32));
    let lowered = lower(&y).unwrap();
    insta::assert_snapshot!(show(&lowered), @r"
    %0 = input x : f32[1024]
    %1 = apply A %0 : f32[4096]
    %2 = apply A.H %1 : f32[1024]
    return %2
    ");
    assert_eq!((lowered.operators.len(), lowered.plan.blocks[0].name.as_str()), (1, ""));
    assert!(lowered.plan.mesh.axes.is_empty());
}

#[test]
fn stacks_have_values_for_parts() {
    let (g, l) = (dense(5, [6]).named("G"), dense(6, [2, 3]).named("L"));
    let a = vstack([("data", &g), ("smooth", &(param("eps", 0.1) * &l))]).unwrap();
    let y = a.h() * (&a * a.input("x", F64));
    insta::assert_snapshot!(show(&lower(&y).unwrap()), @r"
    %0 = input x : f64[6]
    %1 %2 = apply v[G, (eps L [[6]]>[[2, 3]])] %0 : f64[5], f64[6]
    %3 = apply v[G, (eps L [[6]]>[[2, 3]])].H %1 %2 : f64[6]
    return %3
    ");
    insta::assert_snapshot!(show(&lower_operator(&a.h(), &[F32]).unwrap()), @r"
    %0 = input x.data : f32[5]
    %1 = input x.smooth : f32[6]
    %2 = apply v[G, (eps L [[6]]>[[2, 3]])].H %0 %1 : f32[6]
    return %2
    ");
}

#[test]
fn numbers_become_slots() {
    let (a, b) = (dense(3, [3]).named("A"), dense(3, [3]).named("B"));
    let (eps, i) = (param("eps", 0.1), Complex64::new(0.0, 1.5));
    let op = 2 * &a + &eps * (-2.0 * &b) - i * &a + (&eps - 1) * &b / 2;
    let mut context = LowerContext::new();
    let id = context.term(&op).unwrap();
    let text = term(&context.plan, id);
    insta::assert_snapshot!(text, @"(c0 A + eps -c0 B + -c1 A + c2 (eps B + -B))");
    let slots = context.plan.slots.iter().map(|s| (s.name.as_str(), s.dtype.is_complex()));
    let expected = [("c0", false), ("eps", false), ("c1", true), ("c2", false)];
    assert_eq!(slots.collect::<Vec<_>>(), expected);
    let values = [2.0.into(), 0.1.into(), i, 0.5.into()];
    assert_eq!(context.slots, values);
}

#[test]
fn a_literal_is_no_parameter_of_the_same_value() {
    let a = dense(3, [3]).named("A");
    assert_eq!(lowered(&(param("e", 2.0) * &a + 2 * &a)), "(e A + c0 A)");
}

#[test]
fn only_complex_parameters_are_conjugated() {
    let a = dense(3, [3]).named("A");
    let c = param("z", Complex64::new(1.0, 1.0)) * param("e", 2.0);
    assert_eq!((c.conj() * &a).to_string(), "e * z.conj() * A");
    assert_eq!(lowered(&(c.conj() * &a)), "e z* A");
    let y = c.conj() * input("x", [3], F32);
    assert!(show(&lower(&y).unwrap()).contains("= conj %3 : c128[]"));
}

#[test]
fn a_parameter_may_have_the_name_of_a_literal() {
    let a = dense(3, [3]).named("A");
    assert_eq!(lowered(&(2 * &a + param("c0", 1.0) * &a)), "(c1 A + c0 A)");
}

#[test]
fn sums_and_products_of_the_same_kind_become_one() {
    let a = dense(3, [3]).named("A");
    assert_eq!(lowered(&(&a - (&a - &a) * (&a * &a))), "(A + -((A + -A) A A))");
    assert_eq!(lowered(&(&a - (&a - &a))), "(A + -A + A)");
    assert_eq!(lowered(&a.pow(3)), "(A A A)");
    assert_eq!(lowered(&a.pow(0)), "Identity[[3]]");
}

#[test]
fn an_operator_used_twice_is_one_leaf() {
    let a = dense(3, [3]);
    let b = a.named("B");
    let lowered = lower_operator(&(&a * b.h() * dense(3, [3]) * &b), &[F64]).unwrap();
    let names: Vec<_> = lowered.plan.leaves.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["B", "MatrixMult"]);
}

#[test]
fn unnamed_blocks_are_named_after_their_stack() {
    let stack = |a: Op, b: Op| vstack([2 * a, b.h()]).unwrap();
    let a = stack(dense(4, [3]), dense(3, [2])).named("A");
    assert_eq!(lowered(&a), "v[c0 A[0], A[1].H]");
    assert_eq!(lowered(&stack(dense(4, [3]), dense(3, [2]))), "v[c0 MatrixMult, MatrixMult2.H]");
}

#[test]
fn vectors_add_cast_and_scale() {
    let d = stack([("u", input("d", [2], F32)), ("v", zeros([3], F64))]).unwrap();
    let x = input("x", [5], F32);
    let y = &d - param("eps", 0.1) * &x + 3 * &d;
    insta::assert_snapshot!(show(&lower(&y).unwrap()), @r"
    %0 = input d : f32[2]
    %1 = zero : f64[3]
    %2 = input x : f32[5]
    %3 = slot eps : f64[]
    %4 = scale %3 %2 : f32[5]
    %5 %6 = apply [[5]]>[[2], [3]] %4 : f32[2], f32[3]
    %7 = slot c0 : f64[]
    %8 = scale %7 %0 : f32[2]
    %9 = scale %7 %1 : f64[3]
    %10 = neg %5 : f32[2]
    %11 = add %0 %10 %8 : f32[2]
    %12 = cast %6 : f64[3]
    %13 = neg %12 : f64[3]
    %14 = add %1 %13 %9 : f64[3]
    return %11 %14
    ");
}
