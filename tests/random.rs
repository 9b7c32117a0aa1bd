//! Random expressions: every prefix of the pipeline agrees with the reference evaluator, the
//! certificate proves the finished plan, and it runs alike on threads.
//!
//! `ADJOIN_CASES` sets how many are drawn, `ADJOIN_SEED` which.

mod support;

use adjoin::Dtype::{C128, F64};
use adjoin::Mesh;
use adjoin::data::Array;
use adjoin::expr::{Op, Parts, Vector, block, input, lower, stack};
use adjoin::ops;
use adjoin::planned::Planner;
use adjoin_passes::ir::Elementwise;
use adjoin_passes::machine::Machine;
use adjoin_passes::{Context, compile};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::time::Instant;
use support::check::{check, check_trace};
use support::trees::{Case, cases};

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn holds(case: &Case) -> Result<(), String> {
    let vector = case.vector();
    let place = format!("{vector}\non {}", case.mesh);
    let (mesh, machine) = (Mesh::parse(case.mesh)?, case.machine());
    let planned = Planner::new(mesh.clone()).machine(machine.clone()).apply(&vector);
    let fault = match &planned {
        Ok(planned) => check(planned),
        Err(error) => Err(format!("{error}\n{}", culprit(&vector, mesh, machine))),
    };
    fault.map_err(|e| format!("{place}: {e}"))
}

/// The first pass that breaks what was refuted, if a run of its plan shows it.
fn culprit(vector: &Vector, mesh: Mesh, machine: Machine) -> String {
    let context = Context { mesh, machine, ..Context::default() };
    let lowered = lower(vector).expect("a sound expression");
    let Ok(compiled) = compile(&lowered.plan, &context) else { return String::new() };
    let trace = (&compiled.source, &compiled.trace[..]);
    match check_trace(trace, &lowered.operators, &lowered.slots) {
        Ok(_) => format!("though every run agrees with\n{}\n{}", compiled.source, compiled.plan),
        Err(fault) => fault,
    }
}

fn matrix(rows: usize, columns: usize) -> Op {
    let entries: Vec<f64> = (0..rows * columns).map(|k| ((k * 37 % 101) as f64).sin()).collect();
    Op::new(ops::matrix_mult(Array::new([rows, columns], entries).unwrap()).build().unwrap())
}

/// Each row of blocks takes the real part of another part of its vector; elements of both rows
/// reach both parts of the next vector, and all of them are complex however the power is written.
#[test]
fn parts_that_are_cut_anew_promote_each_other() {
    let real = |n| Op::element(Elementwise::Real, Parts::one([n]));
    let b = block([[matrix(2, 1) * real(1), matrix(2, 3)], [matrix(2, 1), matrix(2, 3) * real(3)]])
        .unwrap();
    let x = stack([input("p", [1], F64), input("q", [3], C128)]);
    let x = x.unwrap();
    let y = b.pow(3) * &x;
    assert_eq!(y.dtypes(), [C128, C128]);
    assert_eq!((&b * (&b * (&b * x))).dtypes(), y.dtypes());
    for mesh in ["p=1", "p=3"] {
        let planned = Planner::new(Mesh::parse(mesh).unwrap()).apply(&y).unwrap();
        check(&planned).unwrap();
    }
}

#[test]
fn every_prefix_of_the_pipeline_agrees_with_the_reference() {
    let config = Config {
        cases: number("ADJOIN_CASES", 150),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("ADJOIN_SEED", 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let begin = Instant::now();
    let test = |case: Case| holds(&case).map_err(TestCaseError::fail);
    let outcome = TestRunner::new_with_rng(config, rng).run(&cases(4), test);
    println!("{:.1} s", begin.elapsed().as_secs_f64());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
