//! Normal equations: `(A.H A + ε² L.H L) x = A.H d` by CG, on a grid of ranks where there are four.
//!
//! The dense `A` lies on a grid in blocks; the stencil `L` exchanges the rims of its tiles.
//! The right-hand side is evaluated as an expression, and so is the operator's action on the truth.

mod support;

use adjoin::data::Source;
use adjoin::expr::{Op, param};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cg, Settings, System};
use adjoin::{Dtype, Mesh};
use std::error::Error;
use std::sync::Arc;
use support::ranks;

const CELLS: usize = 64;
const ROWS: usize = 96;

fn main() -> Result<(), Box<dyn Error>> {
    let matrix = Source::function([ROWS, CELLS], |tile| {
        let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| weight(i, j)));
        rows.collect::<Vec<f64>>()
    });
    let a = Op::new(ops::matrix_mult(matrix).build()?).named("A");
    let l = Op::new(ops::second_derivative([CELLS]).build()?).named("L");
    let eps = param("eps", 0.5);
    let normal = a.h() * &a + &eps * &eps * (l.h() * &l);

    let world = World::with_ranks(ranks())?;
    let ranks = world.ranks();
    let planner =
        if ranks == 4 { Planner::new(Mesh::grid(2, 2)) } else { Planner::new(Ranks(ranks)) };
    let system = System::new(&normal, &[Dtype::F64])?;
    let settings = Settings { niter: 200, tol: 1e-18, damp: 0.0 };
    let plan = planner.solve(Arc::new(Cg), &system, settings)?;
    if world.is_root() {
        println!("{plan}");
    }

    let truth: Vec<f64> = (0..CELLS).map(|j| 1.0 + 0.1 * j as f64).collect();
    // The truth is a line, of which L makes nothing: the right-hand side needs A alone.
    let side = planner.apply(&(a.h() * (&a * a.input("x", Dtype::F64))))?;
    let side = side.run(&world, &inputs().part("x", truth.clone()))?.gather(0)?;

    let solution = plan.run(&world, &inputs().data(side))?;
    let x = solution.gather(0)?.into_vec::<f64>()?;
    let worst = x.iter().zip(&truth).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    if world.is_root() {
        let niter = solution.outcome.map_or(0, |outcome| outcome.niter);
        println!("{niter} iterations: worst error {worst:.1e}");
    }
    assert!(worst < 1e-6, "the model is not the true one: {worst}");
    Ok(())
}

/// A number in -1..1 that looks random.
fn weight(i: usize, j: usize) -> f64 {
    ((2 * i + 1) as f64 * (j * j + 7) as f64).sin()
}
