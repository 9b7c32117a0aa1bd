//! Certificates: of small plans as they are, of large ones on small copies.

mod sample;

use adjoin_passes::certify::{Verdict, certify, certify_calls};
use adjoin_passes::lower::lower_all;
use adjoin_passes::shrink::{ATTEMPTS, shrink};
use adjoin_passes::verify::verify;
use adjoin_passes::{Plan, text};
use sample::{PLANS, compiled, split};
use std::time::{Duration, Instant};

const MESHES: [&str; 7] = ["p=1", "p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=2,c=3"];

#[test]
fn every_plan_is_proven_at_its_own_sizes_and_in_a_small_copy() {
    for (name, source) in PLANS {
        for mesh in MESHES {
            for (source, placed) in split(source, mesh) {
                assert_eq!(certify(&source, &placed), Verdict::Proven, "{name} {mesh}\n{placed}");
                let small = (0..ATTEMPTS).find_map(|k| shrink(&source, &placed, k).ok());
                let small = small.unwrap_or_else(|| panic!("{name} {mesh}\n{placed}"));
                for plan in [&small.source, &small.placed] {
                    verify(plan).unwrap_or_else(|e| panic!("{name} {mesh} {e}\n{plan}\n{placed}"));
                }
                let calls = lower_all(&small.placed);
                let verdict = certify_calls(&small.source, &small.placed, &calls);
                assert_eq!(verdict, Verdict::Proven, "{name} {mesh}\n{}", small.placed);
            }
        }
    }
}

/// The plans with other sizes.
fn enlarged(source: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(source.to_string(), |s, (from, to)| s.replace(from, to))
}

fn source(name: &str) -> &'static str {
    PLANS.iter().find(|p| p.0 == name).map(|p| p.1).unwrap()
}

fn large() -> Vec<(&'static str, String)> {
    vec![
        ("stack", enlarged(source("stack"), &[("[5", "[1024"), ("[7", "[3072"), ("9]", "4096]")])),
        ("stencil", enlarged(source("stencil"), &[("[13, 6]", "[100003, 640]")])),
        ("damped", enlarged(source("damped"), &[("[8, 5]", "[3200, 400]"), ("40]", "1280000]")])),
        ("step", enlarged(source("step"), &[("[11", "[1000000"), ("7]", "70001]")])),
        (
            "columns",
            enlarged(
                source("columns"),
                &[("9, 6]", "9000000, 60000]"), ("[9, 4]", "[9000000, 4]"), ("6, 4]", "60000, 4]")],
            ),
        ),
    ]
}

#[test]
fn large_plans_are_proven_in_no_time_on_any_number_of_ranks() {
    for (name, source) in large() {
        for mesh in ["p=1", "p=4", "p=64", "r=4,c=8", "p=1000"] {
            let (source, placed) = compiled(&source, mesh);
            let begin = Instant::now();
            let verdict = certify(&source, &placed);
            println!("{name} {mesh}: {:?}", begin.elapsed());
            assert_eq!(verdict, Verdict::Proven, "{name} {mesh}\n{placed}");
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
    }
}

#[test]
fn shrinking_keeps_the_class_of_every_extent() {
    let text = "mesh p=300 (300 ranks)
let L = (i) <- (i~2:9)  : f64[2000/p]
let A = (i) <- (j)      : f64[7/p, 2000]
let B = (i) <- (j)      : f64[300/p, 600]
%0 = input x            : f64[2000/p]
%1 = halo %0            : f64[2000/p~2:9]
%2 = apply L %1         : f64[2000/p]
%3 = all_gather p %2    : f64[2000]
%4 = apply A %3         : f64[7/p]
%5 = input y            : f64[600]
%6 = apply B %5         : f64[300/p]
return %4 %6
comm 2 calls, 16 KiB per rank
";
    let placed = text::parse(text).unwrap();
    let mut source = text.replace("mesh p=300 (300 ranks)", "mesh 1 rank").replace("/p", "");
    source = source.replace("~2:9]", "]");
    source = source.replace("%1 = halo %0 ", "%1 = reshape %0 ").replace("all_gather p", "reshape");
    let source = text::parse(&source).unwrap();
    verify(&placed).unwrap_or_else(|e| panic!("{e}"));
    let text = "mesh p=3 (3 ranks)
let L = (i) <- (i~2:4)          : f64[7/p]
let A = (i) <- (j)              : f64[2/p, 7]
let B = (i) <- (j)              : f64[3/p, 2]
%0 = input x                    : f64[7/p]
%1 = halo %0                    : f64[7/p~2:4]
%2 = apply L %1                 : f64[7/p]
%3 = all_gather p %2            : f64[7]
%4 = apply A %3                 : f64[2/p]
%5 = input y                    : f64[2]
%6 = apply B %5                 : f64[3/p]
return %4 %6
comm 2 calls, 88 B per rank
";
    let small = (0..ATTEMPTS).find_map(|k| shrink(&source, &placed, k).ok()).unwrap();
    assert_eq!(small.placed.to_string(), text);
    assert_eq!(certify(&source, &placed), Verdict::Proven);
}

#[test]
fn laws_that_a_stand_in_lacks_are_assumed() {
    let text = "mesh 1 rank
let S = (i) <- (i~1:0) isometry : f64[6]
%0 = input x                    : f64[6]
%1 = apply S %0                 : f64[6]
return %1
";
    let (source, placed) = compiled(text, "p=2");
    let assumed = Verdict::Assumed(vec!["S: a law of a stencil".into()]);
    assert_eq!(certify(&source, &placed), assumed);
}

/// A plan of many nodes at true sizes.
fn chain(nodes: usize) -> String {
    let mut out = String::from(
        "mesh 1 rank
let A = (i) <- (j) : f64[4000000, 1000000]
let L = (i) <- (i~1:1) : f64[1000000]
slot a : f64
%0 = input x : f64[1000000]
%1 = slot a : f64[]
",
    );
    let mut at = 0;
    for k in 0..nodes / 5 {
        let n = 2 + 5 * k;
        let m = n + 1;
        let lines = [
            format!("%{n} = apply A %{at} : f64[4000000]"),
            format!("%{m} = apply A.H %{n} : f64[1000000]"),
            format!("%{} = apply L %{m} : f64[1000000]", n + 2),
            format!("%{} = dot %{} %{at} : f64[]", n + 3, n + 2),
            format!("%{} = axpy %{} %{} %{at} : f64[1000000]\n", n + 4, n + 3, n + 2),
        ];
        out += &lines.join("\n");
        at = n + 4;
    }
    out + &format!("return %{at} %1\n")
}

#[test]
fn two_hundred_nodes_take_milliseconds() {
    for mesh in ["p=4", "p=100000"] {
        let (source, placed) = compiled(&chain(200), mesh);
        let nodes: usize = placed.blocks.iter().map(|b| b.nodes.len()).sum();
        let begin = Instant::now();
        let verdict = certify(&source, &placed);
        println!("{nodes} nodes on {mesh}: {:?}", begin.elapsed());
        assert_eq!(verdict, Verdict::Proven);
    }
}

#[test]
fn mutants_of_large_plans_are_refuted_too() {
    let (source, placed) = compiled(&large()[0].1, "r=4,c=8");
    let text = adjoin_passes::text::print(&placed);
    let broken: Plan = text::parse(&text.replace("apply A[1].H", "apply A[1]")).unwrap();
    assert!(matches!(certify(&source, &broken), Verdict::Refuted(_)));
}
