//! The side of adjoin in the runs beside PyLops-MPI: it waits for orders and does one at a time.
//!
//! `benches/peer/run` starts it, on MPI ranks or alone, with a problem file, an expression or `-`
//! for its `[solve]`, and a folder in which `adjoin.R` is a pipe with the orders of rank R:
//!
//! ```text
//! run N TIMES      N iterations, so many times     -> seconds, calls and bytes of one, the median
//! save N FILE      N iterations, then the result   -> ready
//! memory BYTES     sweeps over so many bytes       -> bytes a second, of all ranks
//! flops f32|f64    products in a cache             -> flops a second, of all ranks
//! ```
//! Rank 0 answers in a line of JSON that begins with `=`.
//! Without `mpiexec` there are `ADJOIN_PEER_RANKS` ranks, and each has `ADJOIN_PEER_THREADS`
//! threads; one if nothing is said.

mod support;

use adjoin::planned::{Drive, Planned, Planner, Ranks};
use adjoin::problem::build::Expression;
use adjoin::problem::{Catalog, Formula, Model, Problem, Resolved};
use adjoin::run::{Inputs, Session, inputs};
use adjoin::runtime::{RankContext, RunError, World};
use adjoin_kernels::host::crew;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::sync::{Barrier, OnceLock};
use std::time::Instant;
use support::Bandwidth;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [file, expr, pipes] = &args[..] else {
        println!("benches/peer/run starts this program");
        return Ok(());
    };
    let asked = |name| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let world = World::with_ranks(asked("ADJOIN_PEER_RANKS"))?;
    let world = world.with_threads_per_rank(asked("ADJOIN_PEER_THREADS"))?;
    let (planned, inputs) = problem(file, expr, world.ranks())?;
    if std::env::var_os("ADJOIN_PEER_PLAN").is_some() && world.is_root() {
        eprintln!("{planned}");
    }
    world.run(|rank| serve(&planned, &inputs, Path::new(pipes), rank))?;
    Ok(())
}

/// The plan of a problem, and its data.
fn problem(file: &str, expr: &str, ranks: usize) -> Result<(Planned, Inputs), Box<dyn Error>> {
    let formulas = if expr == "-" { vec![] } else { vec![Formula::parse("EXPR", expr)?] };
    let problem = Problem::parse(file, &std::fs::read_to_string(file)?)?;
    let resolved = Resolved::new(problem, &Catalog::standard(), formulas)?;
    let model = Model::open(&resolved, Path::new(file).parent().unwrap_or(Path::new("")))?;
    let planner = Planner::new(Ranks(ranks)).contract(resolved.contract);
    if let Some(Expression::Vector(vector)) = model.expressions()?.into_iter().next() {
        let planned = planner.apply(&vector)?;
        let labels = planned.input_labels();
        let wanted = model.sources().filter(|(name, _)| labels.iter().any(|label| label == name));
        let data = wanted.fold(inputs(), |all, (name, source)| all.part(name, source.clone()));
        return Ok((planned, data));
    }
    let task = model.task()?.ok_or("neither a vector nor a [solve]")?;
    let planned = planner.solve(task.solver.clone(), &task.system, task.settings)?;
    let parts = task.system.data_labels("d").into_iter().zip(&task.data);
    let data = parts.fold(inputs(), |all, (label, source)| all.part(label, source.clone()));
    Ok((planned, data))
}

/// Orders, one after the other.
fn serve(
    planned: &Planned,
    inputs: &Inputs,
    pipes: &Path,
    rank: &RankContext,
) -> Result<(), RunError> {
    let mut session = Session::bind(planned, inputs, rank)?;
    session.start()?;
    answer(rank, &serde_json::json!({ "ready": true }));
    let pipe = File::open(pipes.join(format!("adjoin.{}", rank.rank())));
    let pipe = pipe.map_err(|error| rank.error(error.to_string()))?;
    for order in BufReader::new(pipe).lines() {
        let order = order.map_err(|error| rank.error(error.to_string()))?;
        let reply = match order.split(' ').collect::<Vec<_>>()[..] {
            ["run", n, times] => median(&mut session, planned, rank, [count(n), count(times)])?,
            ["save", n, file] => save(&mut session, planned, rank, count(n), file)?,
            ["memory", bytes] => memory(rank, count(bytes))?,
            ["flops", kind] => flops(rank, kind)?,
            _ => return Err(rank.error(format!("no order: {order}"))),
        };
        answer(rank, &reply);
    }
    Ok(())
}

fn count(word: &str) -> usize {
    word.parse().expect("a number")
}

fn answer(rank: &RankContext, reply: &serde_json::Value) {
    if rank.rank() == 0 {
        println!("= {reply}");
        stdout().flush().expect("an open pipe");
    }
}

/// So many iterations; what was counted in them.
fn iterate(session: &mut Session, planned: &Planned, n: usize) -> Result<[f64; 3], RunError> {
    let mut sum = [0.0; 3];
    let mut add = |cost: adjoin::run::RunCost| {
        let now = [cost.traffic.calls as f64, cost.traffic.bytes as f64];
        sum = [sum[0] + now[0], sum[1] + now[1], sum[2]];
    };
    if let Drive::Solve(_, settings) = planned.drive() {
        let settings = adjoin::solve::Settings { niter: n, tol: 0.0, ..*settings };
        let (outcome, cost) = session.run(Some(settings))?;
        add(cost);
        sum[2] = outcome.map_or(0, |outcome| outcome.niter) as f64;
    } else {
        for _ in 0..n {
            add(session.run(None)?.1);
        }
        sum[2] = n as f64;
    }
    Ok(sum)
}

fn median(
    session: &mut Session,
    planned: &Planned,
    rank: &RankContext,
    [n, times]: [usize; 2],
) -> Result<serde_json::Value, RunError> {
    let runs = (0..times).map(|_| timed(session, planned, rank, n));
    let mut runs = runs.collect::<Result<Vec<_>, _>>()?;
    runs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let [seconds, calls, bytes, done] = runs[times / 2];
    Ok(serde_json::json!({ "seconds": seconds, "calls": calls, "bytes": bytes, "done": done }))
}

fn timed(
    session: &mut Session,
    planned: &Planned,
    rank: &RankContext,
    n: usize,
) -> Result<[f64; 4], RunError> {
    session.start()?;
    rank.comm().barrier()?;
    let begin = Instant::now();
    let [calls, bytes, done] = iterate(session, planned, n)?;
    rank.comm().barrier()?;
    let seconds = begin.elapsed().as_secs_f64() / done;
    Ok([seconds, calls / done, bytes / done, done])
}

fn save(
    session: &mut Session,
    planned: &Planned,
    rank: &RankContext,
    n: usize,
    file: &str,
) -> Result<serde_json::Value, RunError> {
    session.start()?;
    iterate(session, planned, n)?;
    for part in 0..planned.outputs().len() {
        let array = session.gather(part)?;
        if rank.rank() == 0 {
            let file = format!("{file}.{part}.npy");
            array.save_npy(&file).map_err(|error| rank.error(error.to_string()))?;
        }
    }
    Ok(serde_json::json!({ "parts": planned.outputs().len() }))
}

/// The bandwidth of all ranks together, each with its share of the bytes.
fn memory(rank: &RankContext, bytes: usize) -> Result<serde_json::Value, RunError> {
    let each = (bytes / rank.size()).max(1 << 12);
    let rounds = ((1_usize << 28) / each).clamp(5, 2000);
    let (threads, failed) = (Barrier::new(crew::threads()), OnceLock::new());
    let meet = || {
        if threads.wait().is_leader()
            && let Err(error) = rank.comm().barrier()
        {
            let _ = failed.set(error);
        }
        threads.wait();
    };
    let Bandwidth { read, update } =
        on_threads(|threads| Bandwidth::together(each / threads, rounds, &meet))
            .into_iter()
            .reduce(|a, b| Bandwidth { read: a.read + b.read, update: a.update + b.update })
            .expect("a thread");
    if let Some(error) = failed.into_inner() {
        return Err(error.into());
    }
    let ranks = rank.size() as f64;
    Ok(serde_json::json!({ "read": ranks * read, "update": ranks * update }))
}

/// Multiplications and additions a second of products of matrices that fit in a cache.
fn flops(rank: &RankContext, kind: &str) -> Result<serde_json::Value, RunError> {
    rank.comm().barrier()?;
    let rates = on_threads(|_| match kind {
        "f32" => support::flops::<f32>(),
        _ => support::flops::<f64>(),
    });
    Ok(serde_json::json!({ "flops": rank.size() as f64 * rates.iter().sum::<f64>() }))
}

/// What all threads of the rank measure at the same time.
fn on_threads<T: Send>(measure: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut slots: Vec<Option<T>> = (0..crew::threads()).map(|_| None).collect();
    let threads = slots.len();
    crew::with(&mut slots, |_, slot| *slot = Some(measure(threads)));
    slots.into_iter().flatten().collect()
}
