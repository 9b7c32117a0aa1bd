//! The time of `AᴴA x` with and without a region, beside one read of `A`, in turn.
//!
//! `cargo bench --bench one_pass -- 16384 8192` is one matrix; otherwise several are measured, the
//! smallest of which is beyond the caches of most machines.

mod support;

use adjoin::data::{Array, Source};
use adjoin::ops;
use adjoin::runtime::{Program, RunError, World};
use adjoin_kernels::host::stream;
use adjoin_passes::{Context, Mesh, Plan, compile, text};
use std::hint::black_box;
use support::medians;

const ROUNDS: usize = 9;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let sizes = match given[..] {
        [rows, cols] => vec![(rows, cols)],
        _ => vec![(16_384, 8192), (32_768, 8192)],
    };
    for (rows, cols) in sizes {
        measure(rows, cols);
    }
}

fn measure(rows: usize, cols: usize) {
    let elements: Vec<f32> = (0..rows * cols).map(|k| (k % 17) as f32 - 8.0).collect();
    let matrix: Array = elements.clone().into();
    let a = ops::matrix_mult(Source::array(matrix.reshape([rows, cols]).unwrap())).build().unwrap();
    let plan = normal(rows, cols);
    let mut plain = plan.clone();
    plain.blocks.iter_mut().for_each(|block| block.regions.clear());
    let times = World::threads(1).run(|rank| {
        let bound = |plan: &Plan| -> Result<Program, RunError> {
            let operators = [a.clone()];
            let mut program = Program::of(plan).operators(&operators).bind(rank.comm().clone())?;
            let ones: Array = vec![1.0_f32; cols].into();
            program.load("", "x", &Source::array(ones))?;
            program.run("")?;
            Ok(program)
        };
        let (mut with, mut without) = (bound(&plan)?, bound(&plain)?);
        Ok(medians(
            ROUNDS,
            &mut [
                &mut || {
                    black_box(stream::read(black_box(&elements)));
                },
                &mut || without.run("").expect("a run"),
                &mut || with.run("").expect("a run"),
            ],
        ))
    });
    let times = times.expect("a rank").swap_remove(0);
    let [read, without, with] = times[..] else { unreachable!("three works") };
    let rate = |time: f64| (rows * cols * size_of::<f32>()) as f64 / time / 1e9;
    println!("f32[{rows}, {cols}], {} MiB", (rows * cols * size_of::<f32>()) >> 20);
    println!("  one read of A {:8.2} ms, {:5.1} GB/s", 1e3 * read, rate(read));
    println!("  two passes    {:8.2} ms, {:.2} reads", 1e3 * without, without / read);
    println!("  one pass      {:8.2} ms, {:.2} reads", 1e3 * with, with / read);
    println!("  ratio         {:8.2}, {:.0} % of the floor", without / with, 100.0 * read / with);
}

fn normal(rows: usize, cols: usize) -> Plan {
    let source = format!(
        "mesh 1 rank
let A = (i) <- (j) : f32[{rows}, {cols}]
term t0 = A
term t1 = A.H
%0 = input x : f32[{cols}]
%1 = apply t0 %0 : f32[{rows}]
%2 = apply t1 %1 : f32[{cols}]
return %2
"
    );
    let source = text::parse(&source).expect("a plan");
    let cx = Context { mesh: Mesh::line(1), ..Context::default() };
    compile(&source, &cx).expect("a plan that compiles").plan
}
