//! Deconvolution: spikes from traces that a known wavelet has blurred.
//!
//! Solves `F.H D F x = d` with CGLS on complex traces: `F` transforms each trace, and the diagonal
//! `D` is the spectrum of the wavelet.
//! Traces are independent, so that ranks hold some of them each and only dots are communicated.

mod support;

use adjoin::Dtype;
use adjoin::data::Array;
use adjoin::expr::Op;
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use num_complex::Complex64;
use std::error::Error;
use std::f64::consts::TAU;
use std::sync::Arc;
use support::ranks;

const TRACES: usize = 10;
const SAMPLES: usize = 48;
const DIMS: [usize; 2] = [TRACES, SAMPLES];

fn main() -> Result<(), Box<dyn Error>> {
    let f = ops::fft(DIMS).norm(ops::Norm::Ortho).dtype(Dtype::C128);
    let f = Op::new(f.build()?).named("F");
    let spectrum: Vec<Complex64> = (0..SAMPLES).map(wavelet).collect();
    let d = Op::new(ops::diagonal(spectrum).dims(DIMS).axis(1).build()?).named("D");
    let blur = f.h() * d * &f;

    let world = World::with_ranks(ranks())?;
    let planner = Planner::new(Ranks(world.ranks()));
    let system = System::new(&blur, &[Dtype::C128])?;
    let settings = Settings { niter: 100, tol: 1e-20, damp: 0.0 };
    let plan = planner.solve(Arc::new(Cgls), &system, settings)?;
    if world.is_root() {
        println!("{plan}");
    }

    let truth: Vec<Complex64> = (0..TRACES * SAMPLES).map(spike).collect();
    let spikes = Array::from(truth.clone()).reshape(DIMS)?;
    let modelling = planner.apply(&(&blur * &blur.input("x", Dtype::C128)))?;
    let traces = modelling.run(&world, &inputs().part("x", spikes))?.gather(0)?;

    let solution = plan.run(&world, &inputs().data(traces))?;
    let x = solution.gather(0)?.into_vec::<Complex64>()?;
    let worst = x.iter().zip(&truth).map(|(x, y)| (x - y).norm()).fold(0.0, f64::max);
    if world.is_root() {
        let niter = solution.outcome.map_or(0, |outcome| outcome.niter);
        println!("{TRACES} traces after {niter} iterations: worst error {worst:.1e}");
    }
    assert!(worst < 1e-8, "the spikes are not the true ones: {worst}");
    Ok(())
}

/// The spectrum of a wavelet that lets each frequency pass, some of them badly.
fn wavelet(k: usize) -> Complex64 {
    let phase = TAU * k as f64 / SAMPLES as f64;
    Complex64::from_polar(1.0 + 0.8 * phase.cos(), 2.0 * phase.sin())
}

/// Each trace has three spikes of its own.
fn spike(k: usize) -> Complex64 {
    let (trace, sample) = (k / SAMPLES, k % SAMPLES);
    match sample {
        s if s == 5 + trace => Complex64::new(1.0, 0.0),
        s if s == 20 + 2 * trace => Complex64::new(0.0, -0.7),
        47 => Complex64::new(0.2, 0.1 * trace as f64),
        _ => Complex64::ZERO,
    }
}
