//! What may be written on the command line.

use super::sweep::{self, Sweep};
use adjoin_passes::Mesh;
use adjoin_passes::pipeline::Numerics;
use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A compiler for distributed linear operators.
#[derive(Debug, Parser)]
#[command(name = "adjoin", version, about)]
pub(super) struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prints the plan of an expression, or of the solver's program; reads headers, no data
    Plan(Plan),
    /// Evaluates an expression
    Apply(Apply),
    /// Solves the problem of the file
    Solve(Solve),
    /// Says what is proven of a plan, and checks each operator on its real kernels
    Check(Check),
    /// Compares plans for several meshes and machines: time, traffic, memory
    Compare(Compare),
    /// Measures this machine, on threads or on the ranks of an MPI job
    Calibrate(Calibrate),
}

/// The file, and how many ranks.
#[derive(Arguments, Debug)]
pub(super) struct Common {
    /// The problem file, TOML or JSON
    pub file: PathBuf,
    /// How many ranks; their arrangement is chosen
    #[arg(long, value_name = "N", conflicts_with = "mesh", value_parser = ranks)]
    pub ranks: Option<usize>,
    /// How the ranks are arranged, such as r=2,c=3
    #[arg(long, value_name = "AXES", value_parser = Mesh::parse)]
    pub mesh: Option<Mesh>,
    /// The machine to plan for: a built-in one, or a file, as `calibrate` writes it
    #[arg(long, value_name = "MACHINE")]
    pub machine: Option<String>,
    /// What may happen to the numbers: strict, reassociate (as before, but sums in another order;
    /// the default) or recurrence (other recurrences, which are less accurate)
    #[arg(long, value_name = "CONTRACT", value_parser = contract)]
    pub numerics: Option<Numerics>,
    /// Another value for a parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Prints nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// What runs on the threads of ranks.
#[derive(Arguments, Debug)]
pub(super) struct Working {
    /// How many threads each rank works with; by default 1 for a rank of an MPI job, else the
    /// cores divided by the ranks
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// What is noted while ranks run.
#[derive(Arguments, Debug)]
pub(super) struct Noting {
    /// Where to write every call of every rank with its time, for Perfetto or Chrome
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Prints at the end how often and how long each kind of call ran
    #[arg(long)]
    pub log_view: bool,
}

#[derive(Arguments, Debug)]
pub(super) struct Plan {
    #[command(flatten)]
    pub common: Common,
    /// An expression, such as "A.H @ (A @ d)"; the solver's program if absent
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value = "plan")]
    pub dump: Dump,
    /// Whose calls to print
    #[arg(long, value_name = "R", default_value = "0")]
    pub rank: usize,
    /// Plans for many numbers of ranks and prints a table of times, such as ranks=1,2,4,..,1024
    #[arg(long, value_parser = sweep::parse, conflicts_with_all = ["ranks", "mesh", "dump"])]
    pub sweep: Option<Sweep>,
    /// Where to draw the times of a sweep, as SVG
    #[arg(long, value_name = "FILE", requires = "sweep")]
    pub svg: Option<PathBuf>,
    /// Where to write it instead of printing it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The forms of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dump {
    /// The finished plan
    Plan,
    /// The plan after each pass that changed something
    Trace,
    /// What one rank does
    Calls,
    /// Placements, bytes, and what is proven
    Explain,
    /// The finished plan as JSON
    Json,
    /// One page for a browser: graph, timeline, traffic, costs, every pass
    Html,
}

#[derive(Arguments, Debug)]
pub(super) struct Apply {
    #[command(flatten)]
    pub common: Common,
    /// An expression, such as "A @ d"
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: String,
    /// What runs the ranks
    #[arg(long, value_enum)]
    pub backend: Option<Backend>,
    /// Where to write the result
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub working: Working,
    #[command(flatten)]
    pub noting: Noting,
}

#[derive(Arguments, Debug)]
pub(super) struct Solve {
    #[command(flatten)]
    pub common: Common,
    /// What runs the ranks
    #[arg(long, value_enum)]
    pub backend: Option<Backend>,
    /// A plan that was reviewed: run exactly this one, or say what differs
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Where to write the solution
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where to write a report, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub working: Working,
    #[command(flatten)]
    pub noting: Noting,
}

#[derive(Arguments, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    pub common: Common,
    /// An expression; the solver's operator if absent
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: Option<String>,
    /// One operator, or one block of a family, such as A[3]
    #[arg(long, value_name = "NAME")]
    pub block: Option<String>,
    #[command(flatten)]
    pub working: Working,
}

#[derive(Arguments, Debug)]
pub(super) struct Compare {
    /// The problem file, TOML or JSON
    pub file: PathBuf,
    /// An expression; the solver's program if absent
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: Option<String>,
    /// How the ranks are arranged, such as p=32 or r=4,c=8; may be repeated
    #[arg(long, value_name = "AXES", value_parser = Mesh::parse)]
    pub mesh: Vec<Mesh>,
    /// Numbers of ranks, arranged as is best, such as 1,2,4
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = ranks)]
    pub ranks: Vec<usize>,
    /// A machine: a built-in one, or a file; may be repeated
    #[arg(long, value_name = "MACHINE")]
    pub machine: Vec<String>,
    /// How many iterations are asked for; those of the file if absent
    #[arg(long, value_name = "N")]
    pub iterations: Option<usize>,
    /// Ranks of a node, for node-hours
    #[arg(long, value_name = "N")]
    pub ranks_per_node: Option<usize>,
    /// Another value for a parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Where to draw the times over the ranks, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[derive(Arguments, Debug)]
pub(super) struct Calibrate {
    /// How many threads, two for each core otherwise; the ranks of the job under a launcher
    #[arg(long, value_name = "N", value_parser = ranks)]
    pub ranks: Option<usize>,
    /// What to call the machine
    #[arg(long, default_value = "this machine")]
    pub name: String,
    /// A machine that was measured, to which only what more ranks than cores wait is added
    #[arg(long, value_name = "MACHINE")]
    pub from: Option<String>,
    /// Measure small working sets for a short time: rough numbers, and nothing of main memory
    #[arg(long)]
    pub quick: bool,
    /// Where to write the model instead of printing it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What runs the ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Backend {
    /// Threads of this process
    Threads,
    /// The ranks of an MPI job
    Mpi,
}

fn contract(text: &str) -> Result<Numerics, String> {
    let known = Numerics::ALL.map(Numerics::name).join(", ");
    Numerics::named(text).ok_or_else(|| format!("`{text}` is none of {known}"))
}

/// A number of ranks.
pub(super) fn ranks(text: &str) -> Result<usize, String> {
    number(text, 1 << 24, "ranks")
}

fn threads(text: &str) -> Result<usize, String> {
    number(text, 1 << 16, "threads")
}

fn number(text: &str, most: usize, what: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|n| (1..=most).contains(n));
    n.ok_or_else(|| format!("`{text}` is no number of {what}, which is 1 to {most}"))
}
