//! Shots: one model seen by seven experiments of very different sizes, in code of your own.
//!
//! Solves `VStack(S₀, …, S₆) x = d` with CGLS, where each shot is a pair of closures that says what
//! it costs.
//! Whole shots go to ranks so that their costs balance; the adjoint ends with one reduction of the
//! model.

mod support;

use adjoin::Dtype;
use adjoin::expr::{Op, family};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use adjoin_passes::signature::Cost;
use std::error::Error;
use std::sync::Arc;
use support::ranks;

const CELLS: usize = 60;
const RECEIVERS: [usize; 7] = [4, 40, 7, 12, 1, 25, 16];

fn main() -> Result<(), Box<dyn Error>> {
    let shots = family(0..RECEIVERS.len(), |shot| Ok(Op::new(engine(shot)?)))?;
    let a = shots.vstack()?.named("S");

    let world = World::with_ranks(ranks())?;
    let system = System::new(&a, &[Dtype::F64])?;
    let settings = Settings { niter: 300, tol: 1e-18, damp: 0.0 };
    let plan = Planner::new(Ranks(world.ranks())).solve(Arc::new(Cgls), &system, settings)?;
    if world.is_root() {
        println!("{plan}");
    }

    let truth: Vec<f64> = (0..CELLS).map(|j| 2.0 + (j as f64 / 7.0).sin()).collect();
    let mut data = Vec::new();
    for (shot, &receivers) in RECEIVERS.iter().enumerate() {
        let record = |k| (0..CELLS).map(|j| ray(shot, k, j) * truth[j]).sum::<f64>();
        data.extend((0..receivers).map(record));
    }
    let solution = plan.run(&world, &inputs().data(data))?;
    let x = solution.gather(0)?.into_vec::<f64>()?;

    let worst = x.iter().zip(&truth).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    if world.is_root() {
        let niter = solution.outcome.map_or(0, |outcome| outcome.niter);
        println!("{niter} iterations: worst error {worst:.1e}");
    }
    assert!(worst < 1e-5, "the model is not the true one: {worst}");
    Ok(())
}

/// The modelling engine of a shot: any code that can do this and its adjoint.
fn engine(shot: usize) -> Result<ops::Handle, ops::OperatorError> {
    let receivers = RECEIVERS[shot];
    let forward = move |x: &[f64], y: &mut [f64]| {
        for (k, y) in y.iter_mut().enumerate() {
            *y = x.iter().enumerate().map(|(j, x)| ray(shot, k, j) * x).sum();
        }
    };
    let adjoint = move |y: &[f64], x: &mut [f64]| {
        for (j, x) in x.iter_mut().enumerate() {
            *x = y.iter().enumerate().map(|(k, y)| ray(shot, k, j) * y).sum();
        }
    };
    // A ray takes long to trace: the cost of a shot grows with its receivers.
    let cost = Cost { flops: 1e6 * (receivers * CELLS) as f64, ..Cost::default() };
    ops::function([CELLS], [receivers], forward, adjoint).kind("Shot").cost(cost).build()
}

/// How long the ray from a shot to a receiver stays in a cell.
fn ray(shot: usize, receiver: usize, cell: usize) -> f64 {
    let angle = ((shot + 1) * (2 * receiver + 3)) as f64;
    1.0 / (1.0 + receiver as f64) + (angle * (cell + 1) as f64).sin()
}
