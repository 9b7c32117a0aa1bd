//! Random expressions: every prefix of the pipeline agrees with the reference evaluator, the
//! certificate proves the finished plan, and it runs alike on threads.
//!
//! `ADJOIN_CASES` sets how many are drawn, `ADJOIN_SEED` which.

mod support;

use adjoin::expr::{Vector, lower};
use adjoin::planned::Planner;
use adjoin_passes::machine::Machine;
use adjoin_passes::{Context, Mesh, compile};
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
