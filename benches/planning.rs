//! The time to plan: an expression of some 200 nodes, and a family of 10 000 blocks, for 4 to
//! 100 000 ranks.
//!
//! Nothing of it may grow with the number of ranks. On a line, on a grid, and where the planner
//! chooses between them.

use adjoin::data::Source;
use adjoin::expr::{Op, Vector, family, vstack};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::{Dtype, Mesh};
use std::time::Instant;

const ROUNDS: usize = 3;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() {
    let (large, blocks) = (large(), blocks());
    let titles = ["a line", "a grid", "chosen", "blocks, a line", "blocks, chosen"];
    println!("{:>10}{}", "ranks", titles.map(|title| format!("{title:>17}")).concat());
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let ranks = if asked.is_empty() { vec![4, 64, 1024, 16384, 100_000] } else { asked };
    for ranks in ranks {
        let side = (ranks as f64).sqrt() as usize;
        let (line, grid) = (Mesh::line(ranks), Mesh::grid(side, ranks / side));
        let chosen = Planner::new(Ranks(ranks));
        let times = [
            median(|| plan(&Planner::new(line.clone()), &large)),
            median(|| plan(&Planner::new(grid.clone()), &large)),
            median(|| plan(&chosen, &large)),
            median(|| plan(&Planner::new(line.clone()), &blocks)),
            median(|| plan(&chosen, &blocks)),
        ];
        println!("{ranks:>10}{}", times.map(|ms| format!("{ms:>14.1} ms")).concat());
    }
    let plan = Planner::new(Ranks(100_000)).apply(&large).expect("a plan").plan().clone();
    println!("nodes: {}", plan.blocks[0].nodes.len());
    let plan = Planner::new(Ranks(100_000)).apply(&blocks).expect("a plan");
    println!("\n{plan}");
}

fn plan(planner: &Planner, vector: &Vector) {
    planner.apply(vector).expect("a plan");
}

/// Milliseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            1e3 * start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn dense(rows: usize, cols: usize) -> Op {
    let none = |_: &adjoin::data::Region| Vec::<f64>::new();
    Op::new(ops::matrix_mult(Source::function([rows, cols], none)).build().expect("a matrix"))
}

/// Normal operators of twenty stacks of a matrix and a stencil, one after the other.
fn large() -> Vector {
    let n = 1 << 12;
    let mut x = None;
    for _ in 0..20 {
        let smooth = Op::new(ops::laplacian([64, 64]).build().expect("a stencil"));
        let a = vstack([("data", dense(8192, n)), ("smooth", 0.1 * smooth)]).expect("a stack");
        let y = match x {
            None => &a * &a.input("x", Dtype::F64),
            Some(x) => &a * &x,
        };
        x = Some(a.h() * y);
    }
    x.expect("a vector")
}

/// The normal operator of a family.
fn blocks() -> Vector {
    let blocks = family(0..10_000, |k| Ok(dense(64 + k % 7, 256))).expect("a family");
    let a = blocks.vstack().expect("a stack");
    a.h() * (&a * &a.input("x", Dtype::F64))
}
