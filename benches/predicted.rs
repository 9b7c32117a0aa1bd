//! The time of an iteration as the machine model foresees it, beside what it takes: eight problems
//! on 1, 2 and 4 ranks, threads and MPI processes.
//!
//! ```text
//! cargo bench --features mpi --bench predicted                  calibrates, then threads and MPI
//! cargo bench --features mpi --bench predicted -- MDD --trace   one problem, and each of its calls
//! ```
//! The machine is calibrated once for each back end, on problems of its own, as `adjoin calibrate`
//! does; `--threads FILE` and `--mpi FILE` take files instead, `--only threads` and `--only mpi` one
//! of both.
//! All problems are measured in turn, several times.
//! MPI processes are started by the program itself, with `mpiexec` or what `MPIEXEC` says.

#[path = "predicted/problems.rs"]
mod problems;

use adjoin::machine::{self, Effort};
use adjoin::planned::Planned;
use adjoin::run::{Inputs, Session};
use adjoin::runtime::{RunError, World};
use adjoin::trace::Trace;
use adjoin_passes::machine::Machine;
use problems::{GROUPS, Problem};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const RANKS: [usize; 3] = [1, 2, 4];

/// Seconds of a round, how many there are at a time, and how many times.
const ROUND: f64 = 0.05;
const ROUNDS: usize = 5;
const TURNS: usize = 3;

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
    predicted: f64,
    measured: f64,
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
        let file = args.files[k].clone().map_or_else(|| calibrated(backend), Ok)?;
        print(backend, &rows(backend, &file, &args)?);
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

/// A new file with the machine as it is under a back end.
fn calibrated(backend: &str) -> Fallible<PathBuf> {
    let file = std::env::temp_dir().join(format!("adjoin-{}-{backend}.toml", std::process::id()));
    let begin = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (ranks, what) in [(cores, "calibrate"), (2 * cores, "crowd")] {
        if backend == "threads" {
            calibrate(&threads(ranks)?, what, &file)?;
        } else if !launch(ranks)?.arg("--mpi").arg(&file).arg(what).status()?.success() {
            return Err(format!("mpiexec -n {ranks} failed to {what}").into());
        }
    }
    println!("calibrated in {:.0} s: {}", begin.elapsed().as_secs_f64(), file.display());
    Ok(file)
}

/// With a core for each rank, or what more of them wait.
fn calibrate(world: &World, what: &str, file: &Path) -> Fallible<()> {
    let machine = match what {
        "crowd" => {
            machine::crowd(world, &machine::named(&file.display().to_string())?, Effort::FULL)?
        }
        _ => machine::calibrate(world, world.backend(), Effort::FULL)?,
    };
    if world.is_root() {
        std::fs::write(file, machine::text(&machine))?;
    }
    Ok(())
}

/// This program on so many MPI ranks.
fn launch(ranks: usize) -> Fallible<Command> {
    let mut command = Command::new(std::env::var_os("MPIEXEC").unwrap_or("mpiexec".into()));
    command.arg("-n").arg(ranks.to_string()).arg(std::env::current_exe()?).arg("--child");
    Ok(command)
}

/// The rows of all turns, and of each problem one with its best turn.
fn rows(backend: &str, file: &Path, args: &Args) -> Fallible<Vec<Row>> {
    let mut turns: Vec<Vec<Row>> = Vec::new();
    for turn in 0..if args.trace { 1 } else { TURNS } {
        for ranks in RANKS {
            let rows = if backend == "threads" {
                here(&threads(ranks)?, file, args)?
            } else {
                launched(ranks, file, args)?
            };
            for (k, row) in rows.into_iter().enumerate() {
                match turn {
                    0 => turns.push(vec![row]),
                    _ => turns[ranks.trailing_zeros() as usize * args.problems().count() + k]
                        .push(row),
                }
            }
        }
    }
    let merged = |of: Vec<Row>| {
        let measured = quiet(of.iter().map(|row| row.measured).collect());
        of.into_iter().next().map(|row| Row { measured, ..row })
    };
    Ok(turns.into_iter().filter_map(merged).collect())
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
        println!("= {}\t{}\t{}\t{}", row.problem, row.ranks, row.predicted, row.measured);
    }
    Ok(())
}

impl Row {
    fn read(text: &str) -> Fallible<Row> {
        let [problem, ranks, predicted, measured] = text.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("no row: {text}").into());
        };
        let (predicted, measured) = (predicted.parse()?, measured.parse()?);
        Ok(Row { problem: problem.into(), ranks: ranks.parse()?, predicted, measured })
    }

    fn ratio(&self) -> f64 {
        self.predicted / self.measured
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
    let measured = measured(world, &planned, &data)?;
    let (name, ranks) = (problem.name.to_owned(), world.ranks());
    let predicted = planned.account().iteration();
    Ok(world.is_root().then_some(Row { problem: name, ranks, predicted, measured }))
}

/// Seconds of an iteration in the steady state: of rounds between barriers.
fn measured(world: &World, planned: &Planned, data: &Inputs) -> Result<f64, RunError> {
    let times = world.run(|rank| {
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
        Ok(quiet(times.split_off(1)))
    })?;
    Ok(times[0])
}

/// The first quartile, as the model was fitted: other users of the machine only make rounds longer.
fn quiet(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 4]
}

fn print(backend: &str, rows: &[Row]) {
    println!("\n| {backend} | ranks | predicted | measured | ratio |\n|---|---|---|---|---|");
    for row in rows {
        let micro = |seconds: f64| format!("{:.1} µs", 1e6 * seconds);
        let (predicted, measured) = (micro(row.predicted), micro(row.measured));
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
