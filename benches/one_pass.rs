//! The time of `AᴴA x` with and without a region, beside one read of `A`.

use adjoin::Mesh;
use adjoin::data::{Array, Source};
use adjoin::ops::{self, Handle};
use adjoin::runtime::{Program, World};
use adjoin_passes::{Context, Plan, compile, text};
use std::hint::black_box;
use std::time::Instant;

const ROWS: usize = 8192;
const COLS: usize = 4096;
const RUNS: usize = 15;

fn main() {
    let n = ROWS * COLS;
    let elements: Vec<f64> = (0..n).map(|k| (k % 17) as f64 - 8.0).collect();
    let floor = median(|| {
        black_box(sum(black_box(&elements)));
    });
    let matrix: Array = elements.into();
    let a = ops::matrix_mult(Source::array(matrix.reshape([ROWS, COLS]).unwrap())).build().unwrap();
    let plan = normal();
    let mut plain = plan.clone();
    plain.blocks.iter_mut().for_each(|block| block.regions.clear());
    let (with, without) = (time(&plan, &a), time(&plain, &a));
    println!("one read of A {:8.2} ms", 1e3 * floor);
    println!("two passes    {:8.2} ms, {:.2} reads", 1e3 * without, without / floor);
    println!("one pass      {:8.2} ms, {:.2} reads", 1e3 * with, with / floor);
    println!("ratio         {:8.2}", without / with);
}

fn sum(elements: &[f64]) -> f64 {
    let mut sums = [0.0; 32];
    for chunk in elements.chunks_exact(32) {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().sum()
}

fn normal() -> Plan {
    let source = format!(
        "mesh 1 rank
let A = (i) <- (j) : f64[{ROWS}, {COLS}]
term t0 = A
term t1 = A.H
%0 = input x : f64[{COLS}]
%1 = apply t0 %0 : f64[{ROWS}]
%2 = apply t1 %1 : f64[{COLS}]
return %2
"
    );
    let source = text::parse(&source).expect("a plan");
    let cx = Context { mesh: Mesh::line(1), ..Context::default() };
    compile(&source, &cx).expect("a plan that compiles").plan
}

fn time(plan: &Plan, a: &Handle) -> f64 {
    let times = World::threads(1).run(|rank| {
        let operators = [a.clone()];
        let mut program = Program::of(plan).operators(&operators).bind(rank.comm().clone())?;
        let ones: Array = vec![1.0_f64; COLS].into();
        program.load("", "x", &Source::array(ones))?;
        program.run("")?;
        Ok(median(|| program.run("").expect("a run")))
    });
    times.expect("a rank")[0]
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
