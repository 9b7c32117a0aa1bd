//! `adjoin compare`: one line for each mesh and machine.

use super::args::{Common, Compare};
use super::job::{Job, chosen, start};
use super::table::Table;
use super::{Failure, plan, text};
use crate::machine::Machine;
use crate::planned::{Arrangement, Drive, Planned, PlanningError, Ranks};
use crate::report::curve::{Curve, svg};
use crate::report::units::{bytes, seconds};
use adjoin_passes::Mesh;
use adjoin_passes::cost::Account;
use adjoin_passes::error::PlanError;

pub(super) fn run(args: &Compare) -> Result<(), Failure> {
    let world = start(None)?;
    // One process is enough.
    if !world.is_root() {
        return Ok(());
    }
    let meshes = meshes(args)?;
    let machines = match &args.machine[..] {
        [] => vec![Machine::default()],
        names => names.iter().map(|name| chosen(name)).collect::<Result<_, _>>()?,
    };
    let mut table = Table::new([
        "machine",
        "mesh",
        "iteration",
        "least",
        "calls",
        "sends",
        "memory",
        "load",
        "all",
        "node-hours",
        "",
    ]);
    let mut curves = Vec::new();
    for machine in machines {
        let job = Job { machine, ..Job::read(&common(args), args.expr.as_deref())? };
        let machine = &job.machine;
        let mut curve = Curve { name: machine.name.clone(), points: Vec::new() };
        for ranks in &meshes {
            let line = Line::of(&job, ranks.clone(), args.iterations)?;
            curve.points.push((ranks.ranks() as f64, line.account.iteration()));
            table.row(line.cells(args));
        }
        curves.push(curve);
    }
    if let Some(path) = &args.svg {
        text::write(path, &svg(&curves, "ranks", "seconds of an iteration"))?;
    }
    text::print(&table.to_string())
}

/// The meshes that are named, and so many ranks as are best.
fn meshes(args: &Compare) -> Result<Vec<Arrangement>, Failure> {
    let ranks = args.ranks.iter().map(|&n| Ranks(n).into());
    let all: Vec<_> = args.mesh.iter().cloned().map(Arrangement::from).chain(ranks).collect();
    if all.is_empty() {
        return Err(Failure::User("nothing to compare: give --mesh or --ranks".into()));
    }
    Ok(all)
}

/// What the comparison shares with other commands.
fn common(args: &Compare) -> Common {
    Common {
        file: args.file.clone(),
        ranks: None,
        mesh: None,
        machine: None,
        numerics: None,
        set: args.set.clone(),
        quiet: false,
    }
}

/// What there is to say of one plan.
pub(super) struct Line<'a> {
    pub mesh: Mesh,
    pub machine: &'a Machine,
    pub account: Account,
    pub iterations: usize,
}

impl<'a> Line<'a> {
    /// The plan of a job on a mesh, or on so many ranks; the iterations are those of the file if none are given.
    pub fn of(
        job: &'a Job,
        ranks: impl Into<Arrangement>,
        iterations: Option<usize>,
    ) -> Result<Self, Failure> {
        let planner = job.planner(ranks);
        let planned = |machine: &Machine| {
            plan::planned(job, &mut job.model()?, &planner.clone().machine(machine.clone()))
        };
        // What does not fit is shown as it would be with more memory.
        let planned = match planned(&job.machine) {
            Err(Failure::Planning(PlanningError::Plan(PlanError::TooLarge(_)))) => {
                planned(&Machine { capacity: None, ..job.machine.clone() })?
            }
            planned => planned?,
        };
        let iterations = iterations.unwrap_or_else(|| self::iterations(&planned));
        let mesh = planned.plan().mesh.clone();
        Ok(Line { mesh, machine: &job.machine, account: planned.account(), iterations })
    }

    /// What would not fit, if anything.
    pub fn fits(&self) -> String {
        match self.machine.capacity {
            Some(room) if self.account.peak() > room => {
                format!("does not fit into {}", bytes(room))
            }
            _ => String::new(),
        }
    }

    fn cells(&self, args: &Compare) -> [String; 11] {
        let account = &self.account;
        let calls = account.step().map(|block| block.calls).unwrap_or_default();
        let least: f64 = account.step().map_or(0.0, |block| block.floor.seconds());
        // Operator data come from files at the bandwidth of the outermost connection.
        let read = self.machine.links.last().map_or(0.0, |l| account.operators / l.bandwidth);
        let load = account.setup + read;
        let all = load + self.iterations as f64 * account.iteration();
        let nodes = match args.ranks_per_node.or(self.machine.links[0].ranks) {
            Some(ranks) => self.mesh.ranks().div_ceil(ranks),
            None => 1,
        };
        [
            self.machine.name.clone(),
            self.mesh.to_string(),
            seconds(account.iteration()),
            seconds(least),
            calls.calls.to_string(),
            bytes(calls.bytes as f64),
            bytes(account.peak()),
            seconds(load),
            seconds(all),
            format!("{:.3}", all * nodes as f64 / 3600.0),
            self.fits(),
        ]
    }
}

/// The iterations that the file asks for; an expression is evaluated once.
fn iterations(planned: &Planned) -> usize {
    match planned.drive() {
        Drive::Apply => 1,
        Drive::Solve(_, settings) => settings.niter,
    }
}
