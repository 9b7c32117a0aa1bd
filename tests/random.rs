//! Random expressions: every prefix of the pipeline agrees with the reference evaluator, the
//! certificate proves the finished plan, and it runs alike on threads.
//!
//! `ADJOIN_CASES` sets how many are drawn, `ADJOIN_SEED` which.

mod support;

use adjoin::Dtype::{C128, F64};
use adjoin::Mesh;
use adjoin::data::Array;
use adjoin::expr::{Op, Parts, Vector, block, input, lower, stack, vstack};
use adjoin::ops::{self, Kind};
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
    let operators = ops::completed(&compiled.plan, &lowered.operators);
    match check_trace(trace, &operators, &lowered.slots) {
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

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// A stencil, a convolution or weights, or the adjoint of one.
    fn near(&mut self, dims: &[usize]) -> Op {
        let axis = self.below(dims.len()) as isize;
        let kind = [Kind::Forward, Kind::Backward, Kind::Centered][self.below(3)];
        let edge = self.below(2) == 0;
        let values = |n: usize| (0..n).map(|k| 0.5 + (k * 7 % 5) as f64).collect::<Vec<f64>>();
        let made = match self.below(6) {
            0 => ops::first_derivative(dims).axis(axis).kind(kind).edge(edge).build(),
            1 => ops::first_derivative(dims).axis(axis).order(5).edge(edge).build(),
            2 => ops::second_derivative(dims).axis(axis).kind(kind).edge(edge).build(),
            3 => ops::laplacian(dims).axes((0..dims.len() as isize).collect::<Vec<_>>()).build(),
            4 => {
                let weights = Array::new(dims.to_vec(), values(dims.iter().product())).unwrap();
                ops::diagonal(weights).build()
            }
            _ => {
                // A filter that is longer than its axis makes it longer.
                let length = 1 + self.below(4.min(dims[axis as usize]));
                let offset = self.below(2);
                let filter = Array::from(values(length));
                ops::convolve1d(dims, filter).axis(axis).offset(offset.min(length - 1)).build()
            }
        };
        let op = Op::new(made.unwrap());
        if self.below(2) == 0 { op.h() } else { op }
    }

    /// A chain of products, normal operators and sums.
    fn chain(&mut self, dims: &[usize]) -> Op {
        let mut chain = self.near(dims);
        for _ in 0..=self.below(3) {
            chain = match self.below(4) {
                0 => self.near(dims) * chain,
                1 => {
                    let near = self.near(dims);
                    near.h() * (near * chain)
                }
                2 => self.near(dims) * (&chain + 0.5 * self.near(dims)),
                _ => {
                    let stack = vstack([self.near(dims), self.near(dims)]).unwrap();
                    stack.h() * (&stack * chain)
                }
            };
        }
        chain
    }
}

/// A machine on which work is dear enough to be split, and a message dearer than rows at a rim.
fn slow_messages() -> Machine {
    Machine::default().with_link(3e-4, 1e13).with_flops(1e5).with_launch(0.0)
}

/// Blocks are often thinner than ghosts, and some ranks own nothing.
#[test]
fn chains_of_stencils_agree_however_deep_their_ghosts_are() {
    let mut draw = Draw(u64::from(number("ADJOIN_SEED", 0)));
    let (mut split, mut widened, cases) = (0, 0, number("ADJOIN_CASES", 60));
    for case in 0..cases {
        let shapes: [&[usize]; 6] = [&[9], &[23], &[40], &[7, 5], &[16, 3], &[6, 12]];
        let dims = shapes[draw.below(shapes.len())];
        let mesh = ["p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=3,c=2"][draw.below(6)];
        let dtype = [F64, C128][draw.below(2)];
        let op = draw.chain(dims);
        let vector = &op * input("x", dims, dtype);
        let place = format!("case {case}: {vector}\non {mesh}");
        let planner = Planner::new(Mesh::parse(mesh).unwrap()).machine(slow_messages());
        let planned = planner.apply(&vector).unwrap_or_else(|e| panic!("{place}: {e}"));
        check(&planned).unwrap_or_else(|e| panic!("{place}: {e}\n{planned}"));
        let text = planned.to_string();
        let count = |what: &str| text.matches(what).count();
        let halos = count("= halo");
        let made = text.lines().any(|line| line.contains("= apply") && line.contains('~'));
        split += u32::from(halos > 0);
        widened += u32::from(halos > 0 && made);
    }
    println!("{split} of {cases} are split, {widened} work on ghosts");
    assert!(2 * split > cases && 4 * widened > cases, "{split} and {widened} of {cases}");
}
