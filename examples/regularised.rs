//! Regularised least squares: an image from sums over its pixels, and the wish that it is smooth.
//!
//! Minimises `‖G x − d‖² + ‖ε L x‖²` with CGLS, where `G` has fewer rows than the image has pixels.
//! The true image is bilinear, so that its Laplacian is zero and it is the answer for every `ε`.
//!
//! ```text
//! ADJOIN_RANKS=4 cargo run --example regularised
//! mpiexec -n 4 cargo run --features mpi --example regularised
//! ```

mod support;

use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{Op, param, vstack};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use std::error::Error;
use std::sync::Arc;
use support::ranks;

const DIMS: [usize; 2] = [16, 20];
const SUMS: usize = 120;

fn main() -> Result<(), Box<dyn Error>> {
    let pixels = DIMS[0] * DIMS[1];
    // Each rank asks the function for its tile of the matrix only.
    let weights = Source::function([SUMS, pixels], move |tile| {
        let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| weight(i, j)));
        rows.collect::<Vec<f64>>()
    });
    let g = Op::new(ops::matrix_mult(weights).build()?).named("G");
    let l = Op::new(ops::laplacian(DIMS).weights([1.0, 1.0]).build()?).named("L");
    let a = vstack([("data", g), ("smooth", param("eps", 1.0) * &l)])?;

    let world = World::with_ranks(ranks())?;
    let system = System::new(&a, &[Dtype::F64; 2])?;
    let settings = Settings { niter: 400, tol: 1e-14, damp: 0.0 };
    let plan = Planner::new(Ranks(world.ranks())).solve(Arc::new(Cgls), &system, settings)?;
    if world.is_root() {
        println!("{plan}");
    }

    let truth: Vec<f64> = (0..pixels).map(bilinear).collect();
    let sums: Vec<f64> =
        (0..SUMS).map(|i| truth.iter().enumerate().map(|(j, x)| weight(i, j) * x).sum()).collect();
    // Another eps needs no other plan.
    for eps in [1.0, 3.0] {
        let data = inputs().part("data", sums.clone()).zero("smooth").set("eps", eps);
        let solution = plan.run(&world, &data)?;
        let x = solution.gather(0)?.into_vec::<f64>()?;
        let error = distance(&x, &truth);
        if world.is_root() {
            let niter = solution.outcome.map_or(0, |outcome| outcome.niter);
            println!("eps = {eps}: error {error:.1e} after {niter} iterations");
        }
        assert!(error < 1e-5, "the image is not the true one: {error}");
    }
    Ok(())
}

/// A number in -1..1 that looks random.
fn weight(i: usize, j: usize) -> f64 {
    ((2 * i + 1) as f64 * (j * j + 7) as f64).sin()
}

fn bilinear(pixel: usize) -> f64 {
    let (i, j) = ((pixel / DIMS[1]) as f64, (pixel % DIMS[1]) as f64);
    1.0 + 0.3 * i - 0.1 * j + 0.02 * i * j
}

/// `‖x − y‖ / ‖y‖`
fn distance(x: &[f64], y: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut x.iter().zip(y).map(|(x, y)| x - y)) / norm(&mut y.iter().copied())
}
