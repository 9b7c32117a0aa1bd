//! Measures the machine on the ranks of a world.
//!
//! All ranks measure at the same time, as they work at the same time, and the slowest counts.
//! A number is the median of several rounds.
//! The connections between ranks are measured as one level: a file for a machine of several
//! levels is put together from runs within a node and across nodes.

use super::{Flops, Link, Machine, Memory};
use crate::runtime::comm::{Comm, Elem, Operation, ReduceOp};
use crate::runtime::{Program, RunError, World};
use adjoin_kernels::host::combine::linear;
use adjoin_kernels::host::dense::{self, Matrix};
use adjoin_kernels::host::{Acc, Scalar};
use adjoin_passes::text;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Working sets in bytes.
const SETS: [usize; 5] = [1 << 16, 1 << 19, 1 << 22, 1 << 25, 1 << 28];

/// Working sets whose bandwidths differ by less than this factor are one level.
const LEVEL: f64 = 1.15;

/// Rows, columns and right-hand sides of the matrix product that gives the flop rate.
const PRODUCT: usize = 320;

/// Bytes of the sum that gives the bandwidth between ranks.
const LARGE: usize = 1 << 23;

/// Local nodes of the program that gives the time to begin one.
const NODES: usize = 256;

const ROUNDS: usize = 9;

/// The model of this machine for as many ranks as the world has; seconds to a minute.
pub fn calibrate(world: &World, name: &str) -> Result<Machine, RunError> {
    let machines = world.run(|rank| measure(&**rank.comm(), name))?;
    Ok(machines.into_iter().next().unwrap_or_default())
}

fn measure(comm: &dyn Comm, name: &str) -> Result<Machine, RunError> {
    let largest = Largest::new(comm)?;
    let ranks = comm.size();
    Ok(Machine {
        name: name.into(),
        source: format!("measured by {ranks} ranks at once"),
        launch: rounded(largest.of(launch(comm)?)?),
        capacity: None,
        flops: Flops {
            single: rounded(1.0 / largest.of(flop::<f32>())?),
            double: rounded(1.0 / largest.of(flop::<f64>())?),
        },
        memory: levels(&largest)?,
        overlap: overlap(comm, &largest)?,
        links: vec![link(comm, &largest)?],
    })
}

/// The largest of a number over the ranks.
struct Largest<'a>(std::cell::RefCell<Box<dyn crate::runtime::comm::Prepared + 'a>>);

impl<'a> Largest<'a> {
    fn new(comm: &'a dyn Comm) -> Result<Self, RunError> {
        let max = Operation::AllReduce { count: 1, elem: Elem::F64, op: ReduceOp::Max };
        Ok(Largest(comm.prepare(max)?.into()))
    }

    fn of(&self, number: f64) -> Result<f64, RunError> {
        let mut max = self.0.borrow_mut();
        max.send_as::<f64>()[0] = number;
        max.run()?;
        Ok(max.recv_as::<f64>()[0])
    }
}

/// Three digits: more would be noise.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().unwrap_or(number)
}

/// The median time of a round, of which each is long enough for the clock.
fn median(mut round: impl FnMut() -> Result<(), RunError>) -> Result<f64, RunError> {
    round()?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        round()?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}

/// Seconds of a floating point operation in a product of matrices.
fn flop<S: Scalar>() -> f64 {
    let n = PRODUCT;
    let (a, x) = (vec![S::ONE; n * n], vec![S::ONE; n * n]);
    let mut y = vec![S::ONE; n * n];
    let seconds = median(|| {
        dense::apply(Matrix::new(&a, n, n), n, black_box(&x), &mut y, Acc::Set);
        black_box(&y);
        Ok(())
    });
    seconds.unwrap_or(f64::INFINITY) / (2 * n * n * n) as f64
}

/// The bandwidths of `y += x`.
fn levels(largest: &Largest<'_>) -> Result<Vec<Memory>, RunError> {
    let mut levels: Vec<Memory> = Vec::new();
    for set in SETS {
        let n = set / 2 / size_of::<f64>();
        let (x, mut y) = (vec![1.0_f64; n], vec![1.0_f64; n]);
        let sweeps = (SETS[3] / set).max(1);
        let seconds = median(|| {
            for _ in 0..sweeps {
                linear(&[1e-9], &[black_box(&x)], &mut y, Acc::Add);
            }
            black_box(&y);
            Ok(())
        })?;
        let byte = seconds / (sweeps * 3 * n * size_of::<f64>()) as f64;
        let bandwidth = rounded(1.0 / largest.of(byte)?);
        let level = Memory { within: Some(set as f64), bandwidth };
        match levels.last_mut() {
            Some(last) if last.bandwidth < level.bandwidth * LEVEL => last.within = level.within,
            _ => levels.push(level),
        }
    }
    levels.last_mut().into_iter().for_each(|last| last.within = None);
    Ok(levels)
}

/// Seconds to begin a local node.
fn launch(comm: &dyn Comm) -> Result<f64, RunError> {
    let mut source = String::from("mesh 1 rank\n%0 = input x : f64[1]\n");
    for k in 0..NODES {
        let _ = writeln!(source, "%{} = neg %{k} : f64[1]", k + 1);
    }
    let _ = writeln!(source, "return %{NODES}");
    let plan = text::parse(&source).map_err(|error| RunError::Unfit(error.to_string()))?;
    let alone: Arc<dyn Comm> = comm.split(comm.rank(), 0)?;
    let mut program = Program::of(&plan).bind(alone)?;
    Ok(median(|| program.run(""))? / NODES as f64)
}

/// The share of a large sum that passes while ranks work and nobody waits for it.
fn overlap(comm: &dyn Comm, largest: &Largest<'_>) -> Result<f64, RunError> {
    let (count, elem, op) = (LARGE / size_of::<f64>(), Elem::F64, ReduceOp::Sum);
    let mut sum = comm.prepare(Operation::AllReduce { count, elem, op })?;
    let x = vec![1.0_f64; SETS[1] / size_of::<f64>()];
    let mut y = x.clone();
    let mut time = |sums: bool, sweeps: usize| {
        let seconds = median(|| {
            if sums {
                sum.send_as::<f64>().fill(1.0);
                sum.start()?;
            }
            (0..sweeps).for_each(|_| linear(&[1e-9], &[black_box(&x)], &mut y, Acc::Add));
            black_box(&y);
            if sums { Ok(sum.wait()?) } else { Ok(()) }
        })?;
        largest.of(seconds)
    };
    let wire = time(true, 0)?;
    // Twice as much work as the sum takes, the same on all ranks.
    let sweeps = (2.0 * wire / (time(false, 64)? / 64.0)).ceil() as usize;
    let (work, both) = (time(false, sweeps)?, time(true, sweeps)?);
    let share = ((wire + work - both) / wire).clamp(0.0, 1.0);
    // Less is noise.
    Ok(if comm.size() > 1 && share > 0.2 { rounded(share) } else { 0.0 })
}

/// What lies between the ranks.
fn link(comm: &dyn Comm, largest: &Largest<'_>) -> Result<Link, RunError> {
    let ranks = comm.size();
    if ranks == 1 {
        return Ok(Machine::default().links[0]);
    }
    let time = |count: usize, times: usize| {
        let sum = Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum };
        let mut sum = comm.prepare(sum)?;
        let seconds = median(|| {
            for _ in 0..times {
                sum.send_as::<f64>().fill(1.0);
                sum.run()?;
            }
            Ok(())
        })?;
        largest.of(seconds / times as f64)
    };
    let (small, large) = (time(1, 200)?, time(LARGE / size_of::<f64>(), 2)?);
    let steps = (ranks as f64).log2().ceil();
    let share = (ranks as f64 - 1.0) / ranks as f64;
    // What the model says of a large sum, solved for the bandwidth.
    let bytes = LARGE as f64;
    let whole = bytes * steps / (large - small).max(1e-9);
    let halves = 2.0 * share * bytes / (large - 2.0 * small).max(1e-9);
    let (latency, bandwidth) = (rounded(small / steps), rounded(whole.min(halves)));
    Ok(Link { ranks: None, start: 0.0, latency, bandwidth })
}
