//! Interpolation: a section of which only some columns were recorded.
//!
//! Minimises `‖R x − d‖² + ‖ε D₀ x‖² + ‖ε D₁ x‖²` with CGLS, where `R` keeps the recorded columns
//! and `D₀`, `D₁` are second derivatives along the two axes.
//! The true section is smooth, so that little curvature leads close to it.

mod support;

use adjoin::Dtype;
use adjoin::expr::{Op, param, vstack};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use std::error::Error;
use std::f64::consts::PI;
use std::sync::Arc;
use support::ranks;

const DIMS: [usize; 2] = [20, 31];

fn main() -> Result<(), Box<dyn Error>> {
    // Two of three columns are lost.
    let recorded: Vec<isize> = (0..31).step_by(3).collect();
    let keep = Op::new(ops::restriction(DIMS, recorded.clone()).axis(1).build()?).named("R");
    let down = Op::new(ops::second_derivative(DIMS).axis(0).build()?).named("D0");
    let across = Op::new(ops::second_derivative(DIMS).axis(1).build()?).named("D1");
    let eps = param("eps", 0.1);
    let a = vstack([("recorded", &keep), ("down", &(&eps * down)), ("across", &(eps * across))])?;

    let world = World::with_ranks(ranks())?;
    let system = System::new(&a, &[Dtype::F64; 3])?;
    let settings = Settings { niter: 200, tol: 1e-16, damp: 0.0 };
    let plan = Planner::new(Ranks(world.ranks())).solve(Arc::new(Cgls), &system, settings)?;
    if world.is_root() {
        println!("{plan}");
    }

    let columns: Vec<f64> =
        (0..DIMS[0]).flat_map(|i| recorded.iter().map(move |&j| section(i, j as usize))).collect();
    let data = inputs().part("recorded", columns).zero("down").zero("across");
    let solution = plan.run(&world, &data)?;
    let x = solution.gather(0)?.into_vec::<f64>()?;

    let worst = x
        .iter()
        .enumerate()
        .map(|(k, x)| (x - section(k / DIMS[1], k % DIMS[1])).abs())
        .fold(0.0, f64::max);
    if world.is_root() {
        println!("{} of {} columns recorded: worst error {worst:.1e}", recorded.len(), DIMS[1]);
    }
    assert!(worst < 0.03, "the section is not the true one: {worst}");
    Ok(())
}

/// Two smooth events with amplitudes of about one.
fn section(i: usize, j: usize) -> f64 {
    let (t, x) = (i as f64 / 19.0, j as f64 / 30.0);
    (PI * (t + x)).sin() + 0.5 * (PI * (2.0 * t - x)).cos()
}
