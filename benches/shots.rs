//! A migration of 37 shots that are code of somebody else, the dearest 30 times as dear as the
//! cheapest: how long ranks wait for each other.
//!
//! An engine sleeps as long as it says that it costs, as if it ran elsewhere, so that neither other
//! programs nor a lack of cores count. Ranks are 2 and 3 threads; under `mpiexec`, with
//! `--features mpi`, its processes.

use adjoin::Dtype;
use adjoin::expr::{Op, family};
use adjoin::ops::{Handle, OperatorError, function};
use adjoin::planned::{Planner, Ranks};
use adjoin::run::{Session, inputs};
use adjoin::runtime::World;
use adjoin::solve::{Lsqr, Settings, System};
use adjoin_passes::signature::Cost;
use std::cell::Cell;
use std::error::Error;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SHOTS: usize = 37;
const CELLS: usize = 5000;
const ITERATIONS: usize = 8;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() -> Result<(), Box<dyn Error>> {
    let launched = World::new()?;
    if launched.ranks() > 1 {
        return migrate(&launched);
    }
    for ranks in [2, 3] {
        migrate(&World::threads(ranks))?;
    }
    Ok(())
}

/// What a shot costs, as a multiple of the cheapest: in no order.
fn cost(shot: usize) -> usize {
    1 + (shot * 17) % 30
}

fn migrate(world: &World) -> Result<(), Box<dyn Error>> {
    let shots = family(0..SHOTS, |shot| Ok(Op::new(engine(shot)?)))?;
    let operator = shots.vstack()?.named("S");
    let system = System::new(&operator, &[Dtype::F32])?;
    // Only the number of iterations ends it.
    let solver = Lsqr { atol: 0.0, btol: 0.0, conlim: 0.0, calc_var: false };
    let settings = Settings { niter: ITERATIONS, tol: 0.0, damp: 0.0 };
    let plan = Planner::new(Ranks(world.ranks())).solve(Arc::new(solver), &system, settings)?;
    let data: Vec<f32> = (0..operator.shape().0).map(|k| (k % 17) as f32 - 8.0).collect();
    let given = inputs().data(data);
    let found = world.run(|rank| {
        let mut session = Session::bind(&plan, &given, rank)?;
        session.start()?;
        rank.comm().barrier()?;
        BUSY.set(Duration::ZERO);
        let begin = Instant::now();
        let (outcome, cost) = session.run(None)?;
        rank.comm().barrier()?;
        let done = outcome.map_or(1, |outcome| outcome.niter.max(1)) as f64;
        let seconds = begin.elapsed().as_secs_f64() / done;
        let busy = BUSY.get().as_secs_f64() / done;
        let all = rank.comm().all_gather_bytes(&busy.to_ne_bytes())?;
        let all = all.iter().map(|b| b.as_slice().try_into().map_or(0.0, f64::from_ne_bytes));
        Ok([seconds, all.sum::<f64>(), cost.traffic.reductions as f64 / done])
    })?;
    if world.is_root() {
        let [seconds, busy, reductions] = found[0];
        let busy = busy / world.ranks() as f64;
        let (ranks, backend) = (world.ranks(), world.backend());
        println!(
            "{SHOTS} shots on {ranks} ranks ({backend}): {:.1} ms an iteration",
            1e3 * seconds
        );
        println!("  engines, a rank's mean     {:7.1} ms", 1e3 * busy);
        println!("  idle                       {:7.1} %", 100.0 * (1.0 - busy / seconds));
        println!("  reductions in an iteration {reductions:7.1}");
    }
    Ok(())
}

thread_local! {
    /// How long the engines of this rank have worked.
    static BUSY: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Works as long as the shot takes.
fn work(shot: usize) {
    let begin = Instant::now();
    sleep(Duration::from_micros(100 * cost(shot) as u64));
    BUSY.set(BUSY.get() + begin.elapsed());
}

fn weight(receiver: usize) -> f32 {
    1.0 + (receiver % 11) as f32
}

/// The engine of a shot: any code that can do this and its adjoint.
fn engine(shot: usize) -> Result<Handle, OperatorError> {
    let receivers = 40 + 3 * shot;
    let forward = move |x: &[f32], y: &mut [f32]| {
        work(shot);
        for (k, y) in y.iter_mut().enumerate() {
            *y = weight(k) * x[(shot * 131 + k * 37) % CELLS];
        }
    };
    let adjoint = move |y: &[f32], x: &mut [f32]| {
        work(shot);
        x.fill(0.0);
        for (k, y) in y.iter().enumerate() {
            x[(shot * 131 + k * 37) % CELLS] += weight(k) * y;
        }
    };
    let cost = Cost { flops: 1e7 * cost(shot) as f64, ..Cost::default() };
    function([CELLS], [receivers], forward, adjoint).kind("Shot").cost(cost).build()
}
