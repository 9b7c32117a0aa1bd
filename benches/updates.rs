//! CGLS on a block diagonal of diagonals: vector updates and nothing else, and what a call costs.
//!
//! With 10⁶ unknowns on a rank memory is the limit, with 1000 the time of calls and messages.
//! Plans run with their regions and without, in turn. Ranks are threads; under `mpiexec`, with
//! `--features mpi`, they are its processes. `-- 4 8` chooses the numbers of ranks.

mod support;

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::expr::{Op, block_diag};
use adjoin::ops;
use adjoin::planned::{Planned, Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::comm::{Comm, Elem, Operation, ReduceOp};
use adjoin::runtime::{Program, RunError, World};
use adjoin::solve::{Cgls, Settings, System};
use adjoin_passes::{Context, Mesh, Plan, compile, ir, text};
use std::sync::Arc;
use std::time::Instant;
use support::{Bandwidth, median};

/// Numbers that a step reads or writes for each unknown: `c d → q`, `x c s q d → x s r` and
/// `r c → c`.
const STREAMS: f64 = 3.0 + 8.0 + 3.0;
const ROUNDS: usize = 15;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() {
    let launched = World::new().expect("a world");
    match launched.ranks() {
        1 => {}
        2 => return all(&launched),
        _ => return more(&launched),
    }
    let chosen: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let wanted = |ranks: &usize| chosen.is_empty() || chosen.contains(ranks);
    for ranks in [1, 2].into_iter().filter(wanted) {
        all(&World::threads(ranks).with_threads_per_rank(1).expect("no more threads"));
    }
    for ranks in [4, 8].into_iter().filter(wanted) {
        more(&World::threads(ranks));
    }
}

/// What many ranks on few cores can do.
fn more(world: &World) {
    updates(world, 1000);
    reduction(world);
}

fn all(world: &World) {
    updates(world, 1_000_000);
    updates(world, 1000);
    local(world);
    reduction(world);
}

/// A step of CGLS with so many unknowns on each rank.
fn updates(world: &World, each: usize) {
    let planned = planned(world.ranks(), each);
    let with = planned.plan().clone();
    let mut without = with.clone();
    without.blocks.iter_mut().for_each(|block| block.regions.clear());
    let rounds = if each > 100_000 { 10 } else { 200 };
    let times = world.run(|rank| {
        let comm = rank.comm().clone();
        let mut programs = [program(&planned, &with, &comm)?, program(&planned, &without, &comm)?];
        let mut times = [Vec::new(), Vec::new()];
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            for (program, times) in programs.iter_mut().zip(&mut times) {
                // From the beginning, as numbers close to zero take their time.
                start(program, planned.plan())?;
                comm.barrier()?;
                let begin = Instant::now();
                for _ in 0..rounds {
                    program.run("step")?;
                }
                times.push(begin.elapsed().as_secs_f64() / f64::from(rounds));
            }
            comm.barrier()?;
            // As many bytes as the state, the operator and what a step keeps.
            rates.push(Bandwidth::measure(6 * 8 * each, 3).update);
        }
        Ok((times.map(median), median(rates)))
    });
    let Ok(times) = times else { panic!("{}", times.err().unwrap()) };
    let ([with, without], rate) = times[0];
    let whole = planned.run(world, &data(&planned)).expect("a run");
    let iterations = whole.outcome.as_ref().expect("a solve").niter.max(1);
    let whole = whole.cost.iterate / iterations as f64;
    let floor = STREAMS * 8.0 * each as f64 / rate;
    let (backend, ranks) = (world.backend(), world.ranks());
    if world.is_root() {
        println!("\nCGLS, {each} unknowns on each of {ranks} ranks ({backend})");
        println!("  step, call by call   {:10.1} us", 1e6 * without);
        println!(
            "  step, with regions   {:10.1} us, {:.2} times as fast",
            1e6 * with,
            without / with
        );
        println!("  iteration of a solve {:10.1} us", 1e6 * whole);
        println!("  traffic floor        {:10.1} us, {:.0} %", 1e6 * floor, 100.0 * floor / with);
    }
}

fn planned(ranks: usize, each: usize) -> Planned {
    let weights = |k: usize| {
        let weights: Vec<f64> = (0..each).map(|i| 1.0 + ((i + k) % 997) as f64 / 8.0).collect();
        let weights: Array = weights.into();
        Op::new(ops::diagonal(Source::array(weights)).build().unwrap())
    };
    let operator = block_diag((0..ranks).map(weights)).unwrap();
    let system = System::new(&operator, &vec![Dtype::F64; ranks]).unwrap();
    let settings = Settings { niter: 200, tol: 0.0, damp: 0.0 };
    let settings = if each > 100_000 { Settings { niter: 20, ..settings } } else { settings };
    Planner::new(Ranks(ranks)).solve(Arc::new(Cgls), &system, settings).unwrap()
}

fn parts(plan: &Plan) -> impl Iterator<Item = (&str, Vec<usize>)> {
    plan.blocks[0].nodes.iter().filter_map(|node| match &node.op {
        ir::Op::Input(name) => {
            Some((name.as_str(), plan.blocks[0].ty(node.results[0]).dims.clone()))
        }
        _ => None,
    })
}

fn ramp(dims: &[usize]) -> Source {
    let n: usize = dims.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (i % 13) as f64 - 5.5).collect();
    let array: Array = values.into();
    Source::array(array.reshape(dims.to_vec()).unwrap())
}

fn data(planned: &Planned) -> adjoin::run::Inputs {
    parts(planned.plan()).fold(inputs(), |all, (name, dims)| all.part(name, ramp(&dims)))
}

fn program(planned: &Planned, plan: &Plan, comm: &Arc<dyn Comm>) -> Result<Program, RunError> {
    let mut program = Program::of(plan).operators(planned.operators()).bind(comm.clone())?;
    for (slot, value) in plan.slots.iter().zip(planned.slots()) {
        program.set_slot(&slot.name, *value)?;
    }
    Ok(program)
}

fn start(program: &mut Program, plan: &Plan) -> Result<(), RunError> {
    for (name, dims) in parts(plan) {
        program.load("setup", name, &ramp(&dims))?;
    }
    program.run("setup")
}

/// The time of a local node on two numbers, from a block of many.
fn local(world: &World) {
    const NODES: usize = 200;
    let ranks = world.ranks();
    let nodes: String = (1..=NODES)
        .fold(String::new(), |all, k| all + &format!("%{k} = conj %{} : f64[2]\n", k - 1));
    let source = format!("mesh 1 rank\n%0 = input x : f64[2]\n{nodes}return %{NODES}\n");
    let source = text::parse(&source).expect("a plan");
    let cx = Context { mesh: Mesh::line(ranks), ..Context::default() };
    let mut plan = compile(&source, &cx).expect("a plan that compiles").plan;
    plan.blocks.iter_mut().for_each(|block| block.regions.clear());
    let times = world.run(|rank| {
        let mut program = Program::of(&plan).bind(rank.comm().clone())?;
        program.load("", "x", &ramp(&[2]))?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            for _ in 0..1000 {
                program.run("")?;
            }
            times.push(begin.elapsed().as_secs_f64() / (1000 * NODES) as f64);
        }
        Ok(median(times))
    });
    if world.is_root() {
        println!("a local node {:28.0} ns", 1e9 * times.expect("a run")[0]);
    }
}

/// The time of a reduction of one number.
fn reduction(world: &World) {
    let times = world.run(|rank| {
        let operation = Operation::AllReduce { count: 1, elem: Elem::F64, op: ReduceOp::Sum };
        let mut call = rank.comm().prepare(operation)?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            rank.comm().barrier()?;
            let begin = Instant::now();
            for _ in 0..5000 {
                call.run()?;
            }
            times.push(begin.elapsed().as_secs_f64() / 5000.0);
        }
        Ok(median(times))
    });
    if world.is_root() {
        println!("an all_reduce of 8 B {:20.0} ns", 1e9 * times.expect("a run")[0]);
    }
}
