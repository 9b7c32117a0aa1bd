//! The time of an iteration as the machine model foresees it, beside what it takes: eleven problems
//! on 1, 2 and 4 ranks, threads and MPI processes.
//!
//! ```text
//! cargo bench --features mpi --bench predicted                  calibrates, then threads and MPI
//! cargo bench --features mpi --bench predicted -- MDD --trace   one problem, and each of its calls
//! ```
//! The machine is calibrated for each back end, on problems of its own, as `adjoin calibrate` does;
//! `--threads FILE` and `--mpi FILE` take files instead, `--only threads` and `--only mpi` one of
//! both.
//! Others who use the host slow it down for moments or minutes, so calibrations and measurements
//! take turns: of both the first quartile of all rounds of all turns counts, and the model at the
//! end, fitted to what all calibrations have seen, says what it foresees of all problems.
//! A time counts if its plan is that of the last model.
//! MPI processes are started by the program itself, with `mpiexec` or what `MPIEXEC` says.

#[path = "predicted/problems.rs"]
mod problems;

use adjoin::machine::{self, Effort, Readings, quartile};
use adjoin::planned::Planned;
use adjoin::run::{Inputs, Session};
use adjoin::runtime::{RunError, World};
use adjoin::trace::Trace;
use adjoin_passes::machine::Machine;
use problems::{GROUPS, Problem};
use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const RANKS: [usize; 3] = [1, 2, 4];

/// Seconds of a round, how many there are at a time, and how many times.
const ROUND: f64 = 0.02;
const ROUNDS: usize = 7;
const TURNS: usize = 4;

/// What a calibration leaves for the next one, beside the machine's file.
const READINGS: &str = "readings";

/// How far apart foreseen and measured times may be to count as near.
const NEAR: f64 = 0.3;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What the command line asks for.
#[derive(Clone, Default)]
struct Args {
    wanted: Vec<String>,
    trace: bool,
    /// Whether this process is one of an MPI job.
    child: bool,
    /// The files with the machines of threads and of MPI, if they are given.
    files: [Option<PathBuf>; 2],
    only: Option<String>,
}

/// One line of the table.
struct Row {
    problem: String,
    ranks: usize,
    /// What plan it is of.
    plan: u64,
    predicted: f64,
    /// Of each round.
    rounds: Vec<f64>,
}

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() -> Fallible<()> {
    let args = Args::read()?;
    if args.child {
        return child(&job()?, &args);
    }
    for (k, backend) in ["threads", "mpi"].into_iter().enumerate() {
        if args.only.as_deref().is_some_and(|only| only != backend) {
            continue;
        }
        let given = args.files[k].clone();
        let own =
            std::env::temp_dir().join(format!("adjoin-{}-{backend}.toml", std::process::id()));
        let file = given.clone().unwrap_or(own);
        print(backend, &rows(backend, &file, given.is_none(), &args)?);
    }
    Ok(())
}

/// Ranks of one thread each, as those of MPI jobs are.
fn threads(ranks: usize) -> Fallible<World> {
    Ok(World::threads(ranks).with_threads_per_rank(1)?)
}

/// The ranks of the MPI job that this process belongs to.
#[cfg(feature = "mpi")]
fn job() -> Fallible<World> {
    Ok(World::mpi()?)
}

#[cfg(not(feature = "mpi"))]
fn job() -> Fallible<World> {
    Err("MPI needs --features mpi".into())
}

impl Args {
    fn read() -> Fallible<Args> {
        let mut args = Args::default();
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} of what?"));
            match word.as_str() {
                "--trace" => args.trace = true,
                "--child" => args.child = true,
                "--only" => args.only = Some(value()?),
                "--threads" => args.files[0] = Some(value()?.into()),
                "--mpi" => args.files[1] = Some(value()?.into()),
                _ => args.wanted.push(word),
            }
        }
        Ok(args)
    }

    fn problems(&self) -> impl Iterator<Item = &'static Problem> {
        let wanted =
            |p: &&Problem| self.wanted.is_empty() || self.wanted.iter().any(|w| w == p.name);
        GROUPS.iter().flat_map(|(_, problems)| *problems).filter(wanted)
    }
}

/// The machine as it is under a back end, in a file, by what this calibration and all before saw.
fn calibrated(backend: &str, file: &Path) -> Fallible<()> {
    let begin = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (ranks, what) in [(cores, "calibrate"), (2 * cores, "crowd")] {
        if backend == "threads" {
            calibrate(&threads(ranks)?, what, file)?;
        } else if !launch(ranks)?.arg("--mpi").arg(file).arg(what).status()?.success() {
            return Err(format!("mpiexec -n {ranks} failed to {what}").into());
        }
    }
    println!("calibrated in {:.0} s: {}", begin.elapsed().as_secs_f64(), file.display());
    Ok(())
}

/// With a core for each rank, or what more of them wait.
fn calibrate(world: &World, what: &str, file: &Path) -> Fallible<()> {
    let effort = Effort::FULL.once();
    let known = file.with_extension(READINGS);
    let mut readings = match std::fs::read_to_string(&known) {
        Ok(text) => Readings::parse(&text)?,
        Err(_) => Readings::default(),
    };
    let machine = match what {
        "crowd" => {
            let machine = machine::named(&file.display().to_string())?;
            machine::crowd(world, &machine, effort, &mut readings)?
        }
        _ => machine::calibrate(world, world.backend(), effort, &mut readings)?,
    };
    if world.is_root() {
        std::fs::write(file, machine::text(&machine))?;
        std::fs::write(known, readings.text())?;
    }
    Ok(())
}

/// This program on so many MPI ranks.
fn launch(ranks: usize) -> Fallible<Command> {
    let mut command = Command::new(std::env::var_os("MPIEXEC").unwrap_or("mpiexec".into()));
    command.arg("-n").arg(ranks.to_string()).arg(std::env::current_exe()?).arg("--child");
    Ok(command)
}

/// Of each problem a row of the last model, with the best time of all turns.
fn rows(backend: &str, file: &Path, calibrates: bool, args: &Args) -> Fallible<Vec<Row>> {
    let mut seen: BTreeMap<(String, usize), Vec<Row>> = BTreeMap::new();
    let mut order = Vec::new();
    for turn in 0..if args.trace { 1 } else { TURNS } {
        if calibrates {
            calibrated(backend, file)?;
        }
        for ranks in RANKS {
            let rows = if backend == "threads" {
                here(&threads(ranks)?, file, args)?
            } else {
                launched(ranks, file, args)?
            };
            for row in rows {
                let key = (row.problem.clone(), ranks);
                if turn == 0 {
                    order.push(key.clone());
                }
                seen.entry(key).or_default().push(row);
            }
        }
    }
    let last = |key: (String, usize)| {
        let mut turns = seen.remove(&key)?;
        let mut last = turns.pop()?;
        let same = turns.into_iter().filter(|row| row.plan == last.plan);
        let rounds: Vec<f64> = same.flat_map(|row| row.rounds).collect();
        last.rounds.extend(rounds);
        Some(last)
    };
    Ok(order.into_iter().filter_map(last).collect())
}

/// The rows of all problems on a world.
fn here(world: &World, file: &Path, args: &Args) -> Fallible<Vec<Row>> {
    let machine = machine::named(&file.display().to_string())?;
    let rows = args.problems().map(|problem| row(world, problem, &machine, args.trace));
    Ok(rows.collect::<Fallible<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The rows of all problems on MPI processes.
fn launched(ranks: usize, file: &Path, args: &Args) -> Fallible<Vec<Row>> {
    let mut command = launch(ranks)?;
    command.arg("--mpi").arg(file).args(&args.wanted);
    if args.trace {
        command.arg("--trace");
    }
    let out = command.stderr(std::process::Stdio::inherit()).output()?;
    let text = String::from_utf8(out.stdout)?;
    if !out.status.success() {
        return Err(format!("mpiexec -n {ranks} failed: {text}").into());
    }
    let mut rows = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("= ") {
            Some(row) => rows.push(Row::read(row)?),
            None => println!("{line}"),
        }
    }
    Ok(rows)
}

/// What a rank of an MPI job does: it calibrates, or prints its rows.
fn child(world: &World, args: &Args) -> Fallible<()> {
    let file = args.files[1].as_deref().ok_or("--mpi FILE is missing")?;
    if let [what @ ("calibrate" | "crowd")] =
        args.wanted.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return calibrate(world, what, file);
    }
    for row in here(world, file, args)? {
        let Row { problem, ranks, plan, predicted, rounds } = row;
        let rounds: Vec<String> = rounds.iter().map(f64::to_string).collect();
        println!("= {problem}\t{ranks}\t{plan}\t{predicted}\t{}", rounds.join(" "));
    }
    Ok(())
}

impl Row {
    fn read(text: &str) -> Fallible<Row> {
        let parts: Vec<&str> = text.split('\t').collect();
        let [problem, ranks, plan, predicted, rounds] = parts[..] else {
            return Err(format!("no row: {text}").into());
        };
        let rounds: Result<_, _> = rounds.split(' ').map(str::parse).collect();
        let (plan, predicted, rounds) = (plan.parse()?, predicted.parse()?, rounds?);
        Ok(Row { problem: problem.into(), ranks: ranks.parse()?, plan, predicted, rounds })
    }

    /// Seconds of an iteration, as the model was fitted: others only make rounds longer.
    fn measured(&self) -> f64 {
        quartile(&mut self.rounds.clone())
    }

    fn ratio(&self) -> f64 {
        self.predicted / self.measured()
    }

    fn near(&self) -> bool {
        (self.ratio() - 1.0).abs() <= NEAR
    }
}

/// A problem on a world; a row on rank 0.
fn row(world: &World, problem: &Problem, machine: &Machine, trace: bool) -> Fallible<Option<Row>> {
    let (planned, data) = problem.planned(world.ranks(), machine)?;
    if trace {
        let trace = Trace::sums();
        planned.run(world, &data.clone().trace(&trace))?;
        if let Some(record) = trace.collect(world)? {
            println!(
                "{}, {} ({})\n{}",
                problem.title,
                world.ranks(),
                world.backend(),
                record.table()
            );
        }
    }
    let rounds = measured(world, &planned, &data)?;
    let (name, ranks) = (problem.name.to_owned(), world.ranks());
    let predicted = planned.account().iteration();
    let mut plan = DefaultHasher::new();
    planned.plan().to_string().hash(&mut plan);
    let plan = plan.finish();
    Ok(world.is_root().then_some(Row { problem: name, ranks, plan, predicted, rounds }))
}

/// Seconds of an iteration in the steady state, of each round between barriers.
fn measured(world: &World, planned: &Planned, data: &Inputs) -> Result<Vec<f64>, RunError> {
    let mut times = world.run(|rank| {
        let mut session = Session::bind(planned, data, rank)?;
        let mut times = Vec::new();
        for _ in 0..=ROUNDS {
            let (mut seconds, mut iterations) = (0.0, 0);
            while seconds < ROUND {
                session.start()?;
                rank.comm().barrier()?;
                let begin = Instant::now();
                let (outcome, _) = session.run(None)?;
                rank.comm().barrier()?;
                let mut took = begin.elapsed().as_secs_f64().to_ne_bytes().to_vec();
                // All ranks go on as long as rank 0 does.
                rank.comm().broadcast_bytes(0, &mut took)?;
                seconds += took.as_slice().try_into().map_or(0.0, f64::from_ne_bytes);
                iterations += outcome.map_or(1, |outcome| outcome.niter.max(1));
            }
            times.push(seconds / iterations as f64);
        }
        // The first round brought the caches and the clock of the cores into their state.
        Ok(times.split_off(1))
    })?;
    Ok(times.swap_remove(0))
}

fn print(backend: &str, rows: &[Row]) {
    println!("\n| {backend} | ranks | predicted | measured | ratio |\n|---|---|---|---|---|");
    for row in rows {
        let micro = |seconds: f64| format!("{:.1} µs", 1e6 * seconds);
        let (predicted, measured) = (micro(row.predicted), micro(row.measured()));
        let mark = if row.near() { "" } else { " far" };
        let (problem, ranks, ratio) = (&row.problem, row.ranks, row.ratio());
        println!("| {problem} | {ranks} | {predicted} | {measured} | {ratio:.2}{mark} |");
    }
    println!();
    for (group, problems) in GROUPS {
        let names = |row: &&Row| problems.iter().any(|problem| problem.name == row.problem);
        let mine: Vec<&Row> = rows.iter().filter(names).collect();
        let near = mine.iter().filter(|row| row.near()).count();
        if !mine.is_empty() {
            println!("{group}: {near} of {} within {:.0} %", mine.len(), 100.0 * NEAR);
        }
    }
}
