//! Whole pipelines on plan text, certified.

use adjoin_passes::certify::{Verdict, certify};
use adjoin_passes::{Context, Mesh, Plan, compile, text};

fn finished(source: &str, mesh: &str) -> Plan {
    let source = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let mesh = Mesh::parse(mesh).unwrap();
    let cx = Context { mesh, ..Context::default() };
    let compiled = compile(&source, &cx).unwrap_or_else(|e| panic!("{e}"));
    compiled.plan
}

const NORMAL: &str = "
mesh 1 rank
let A[0] = (i) <- (j) : f64[1024, 4096]
let A[1] = (i) <- (j) : f64[3072, 4096]
term t0 = vstack A[0] A[1]
term t1 = t0.H
%0 = input x : f64[4096]
%1, %2 = apply t0 %0 : f64[1024], f64[3072]
%3 = apply t1 %1 %2 : f64[4096]
return %3
";

#[test]
fn the_normal_operator_of_two_dense_blocks_on_a_grid_is_the_plan_of_the_design() {
    insta::assert_snapshot!(finished(NORMAL, "r=2,c=2"), @"
    mesh r=2 c=2 (4 ranks)
    let A[0] = (i) <- (j)           : f64[1024/r, 4096/c]
    let A[1] = (i) <- (j)           : f64[3072/r, 4096/c]
    %0 = input x                    : f64[4096/c]
    %1 = apply A[0] %0              : f64[1024/r] +c
    %2 = apply A[1] %0              : f64[3072/r] +c
    %3, %4 = all_reduce c %1 %2     : f64[1024/r], f64[3072/r]
    %5 = apply A[0].H %3            : f64[4096/c] +r
    %6 = apply A[1].H %4            : f64[4096/c] +r
    %7 = add %5 %6                  : f64[4096/c] +r
    %8 = all_reduce r %7            : f64[4096/c]
    return %8
    comm 2 calls, 32 KiB per rank
    ");
}

#[test]
fn small_plans_are_proven_on_every_mesh() {
    let small = NORMAL.replace("1024", "5").replace("3072", "7").replace("4096", "9");
    for mesh in ["p=1", "p=2", "p=3", "p=4", "p=7", "p=12", "r=2,c=2", "r=2,c=3", "r=3,c=2"] {
        let source = text::parse(&small).unwrap();
        let cx = Context { mesh: Mesh::parse(mesh).unwrap(), ..Context::default() };
        let compiled = compile(&source, &cx).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            certify(&compiled.source, &compiled.plan),
            Verdict::Proven,
            "{mesh}\n{}",
            compiled.plan
        );
    }
}

/// However a normal operator of a stack is written, its plan is the same.
#[test]
fn every_writing_of_a_normal_operator_has_one_plan() {
    let head = "mesh 1 rank
let A = (i) <- (j) : f64[64, 48]
let B = (i) <- (j) : f64[96, 48]
let F = (i!) <- (j!) isometry : f64[72, 64]
term t0 = A.H
term t1 = B.H
term t2 = vstack A B
term t3 = F @ A
term t4 = vstack t3 B
";
    let writings = [
        "term t5 = t2.H\nterm t7 = t5 @ t2",
        "term t5 = t2.T\nterm t7 = t5 @ t2",
        "term t5 = t2.H\nterm t6 = t5 @ t2\nterm t7 = t6.H",
        "term t5 = hstack t0 t1\nterm t7 = t5 @ t2",
        "term t5 = t0 @ A\nterm t6 = t1 @ B\nterm t7 = sum t5 t6",
        "term t5 = t4.H\nterm t7 = t5 @ t4",
    ];
    let blocks = |writing: &str, mesh: &str| {
        let apply = "%0 = input x : f64[48]\n%1 = apply t7 %0 : f64[48]\nreturn %1\n";
        let mut plan = finished(&format!("{head}{writing}\n{apply}"), mesh);
        plan.leaves.truncate(2);
        plan.blocks
    };
    for mesh in ["p=1", "p=2", "r=2,c=2"] {
        let first = blocks(writings[0], mesh);
        for writing in &writings[1..] {
            assert_eq!(blocks(writing, mesh), first, "{writing} on {mesh}");
        }
        let regions: usize = first.iter().map(|b| b.regions.len()).sum();
        assert!(mesh != "p=1" || regions == 2, "{first:?}");
    }
}
