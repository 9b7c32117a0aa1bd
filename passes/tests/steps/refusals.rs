//! Wrong steps are refused: by the parser, by a named rule, or by the certificate.

use crate::programs::*;
use adjoin_passes::certify::{Verdict, certify};
use adjoin_passes::verify::verify;
use adjoin_passes::{Compiled, Plan, text};

/// The text of a placed program on two ranks, with single spaces; its updates are not gathered,
/// so that values are numbered in the order of the program.
fn placed(program: &str) -> String {
    let Compiled { trace, .. } = compiled(&real(program), "p=2", slow_memory());
    let before = trace.iter().take_while(|(pass, _)| *pass != "fuse-updates").last();
    let plan = before.unwrap().1.to_string();
    let lines: Vec<_> = plan.lines().map(|l| l.split(' ').filter(|w| !w.is_empty())).collect();
    lines.into_iter().map(|words| words.collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// The text with one place of its step (or of the head before it) changed.
fn harmed(plan: &str, from: &str, to: &str) -> String {
    let (head, rest) = plan.split_once("block setup").unwrap();
    let (setup, rest) = rest.split_once("block step").unwrap();
    let (step, rest) = rest.split_once("\ncomm").unwrap();
    let change = |part: &str| part.replacen(from, to, 1);
    let found = head.matches(from).count() + step.matches(from).count();
    assert_eq!(found, 1, "{from} in\n{head}{step}");
    format!("{}block setup{setup}block step{}\ncomm{rest}", change(head), change(step))
}

/// The rule that the harmed plan breaks.
fn rule(plan: &str, from: &str, to: &str) -> &'static str {
    match verify(&read(&harmed(plan, from, to))) {
        Ok(()) => panic!("`{to}` for `{from}` passes"),
        Err(violation) => violation.rule,
    }
}

fn read(plan: &str) -> Plan {
    text::parse(plan).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn controls_are_settled_numbers() {
    let cg = placed(CG);
    assert_eq!(rule(&cg, "control cost %16", "control cost %12"), "controls");
    assert_eq!(rule(&cg, "control cost %16", "control cost %9"), "controls");
    assert_eq!(rule(&cg, "control cost %16", "control cost %16\ncontrol cost %13"), "unique-names");
    assert_eq!(rule(&cg, "%16 = sqrt %13 :", "%16 = sqrt %12 :"), "map-place");
}

#[test]
fn states_keep_their_types() {
    let cg = placed(CG);
    assert_eq!(rule(&cg, "state x : f64[7/p]", "state x : f64[7]"), "get-types");
    assert_eq!(rule(&cg, "state kold : f64[]", "state kold : f32[]"), "get-types");
    assert_eq!(rule(&cg, "set x %9", "set x %4"), "return-types");
    assert_eq!(rule(&cg, "set kold %13", "set kold %12"), "return-types");
    assert_eq!(rule(&cg, "set x %9", "set x %9\nset x %15"), "returns-once");
}

#[test]
fn values_exist_before_they_are_used() {
    let cg = placed(CG);
    assert_eq!(rule(&cg, "%8 = div %3 %7 :", "%8 = div %3 %13 :"), "defined-before-use");
    let error = text::parse(&harmed(&cg, "set x %9", "set x %17")).unwrap_err();
    assert_eq!(error.expected, "a value of this block, found %17");
    let error = text::parse(&harmed(&cg, "set x %9", "set z %9")).unwrap_err();
    assert!(error.expected.starts_with("a state that is declared above"), "{error}");
    let error = text::parse(&harmed(&cg, "%14 = div", "%13 = div")).unwrap_err();
    assert!(error.expected.starts_with("a value that is not yet defined"), "{error}");
}

#[test]
fn a_reduction_cannot_be_left_out() {
    let cg = placed(CG);
    assert_eq!(rule(&cg, "%8 = div %3 %7 :", "%8 = div %3 %6 :"), "map-place");
    assert_eq!(rule(&cg, "%5 = apply A %4 :", "%5 = apply A %2 :"), "apply-tile");
    assert_eq!(rule(&cg, "%6 = dot real %2 %5 :", "%6 = dot real %4 %5 :"), "dot-place");
}

#[test]
fn a_basis_is_whole_and_its_rows_are_alike() {
    let gmres = placed(GMRES);
    assert_eq!(rule(&gmres, "%10 = combine %9 %0", "%10 = combine %8 %0"), "index-place");
    assert_eq!(rule(&gmres, "%18 = put %0 %16 %17", "%18 = put %0 %16 %6"), "index-place");
    assert_eq!(rule(&gmres, "%5 = take %0 %4", "%5 = take %0 %3"), "index-types");
    assert_eq!(
        rule(&gmres, "%8 = dots %0 %7 : f64[6] +p", "%8 = dots %0 %7 : f64[6]"),
        "index-place"
    );
    assert_eq!(rule(&gmres, "call rotated %2 %9 %4", "call rotated %2 %17 %4"), "whole-place");
}

/// Steps that are well formed and compute something else.
#[test]
fn the_certificate_refuses_another_recurrence() {
    for (program, from, to) in [
        (CG, "set r %11", "set r %15"),
        (CG, "%11 = axpy %10 %5 %1", "%11 = axpy %8 %5 %1"),
        (CG, "%14 = div %13 %3", "%14 = div %3 %13"),
        (CG, "control cost %16", "control cost %13"),
        (GMRES, "%18 = put %0 %16 %17", "%18 = put %0 %4 %17"),
        (GMRES, "%11 = sub %7 %10", "%11 = sub %10 %7"),
        (GMRES, "call givens %2 %19 %14 %4", "call givens %2 %9 %14 %4"),
    ] {
        let Compiled { source, .. } = compiled(&real(program), "p=2", slow_memory());
        let plan = read(&harmed(&placed(program), from, to));
        verify(&plan).unwrap_or_else(|v| panic!("{v}"));
        match certify(&source, &plan) {
            Verdict::Refuted(reason) => assert!(reason.starts_with("block step: "), "{reason}"),
            other => panic!("`{to}` for `{from}` is {other:?}"),
        }
    }
}

/// A conjugate or a real part that is missing: only complex programs show it.
#[test]
fn the_certificate_sees_conjugates() {
    let Compiled { source, plan, .. } = compiled(POWER, "p=2", slow_memory());
    let text = plan.to_string();
    let step = text.find("block step").unwrap();
    let at = step + text[step..].find("= dot %").unwrap() + "= dot ".len();
    let (one, other) = text[at..].split_once(" : ").unwrap().0.trim().split_once(' ').unwrap();
    let swapped =
        format!("{}{other} {one}{}", &text[..at], &text[at + one.len() + 1 + other.len()..]);
    assert!(matches!(certify(&source, &read(&swapped)), Verdict::Refuted(_)), "{swapped}");
}
