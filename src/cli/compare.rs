//! `adjoin compare`: one line for each mesh and machine.

use super::args::{Common, Compare};
use super::job::{Job, chosen, start};
use super::table::Table;
use super::{Failure, plan, text};
use crate::machine::Machine;
use crate::planned::{Drive, Planned};
use crate::report::curve::{Curve, svg};
use crate::report::units::{bytes, seconds};
use adjoin_passes::Mesh;
use adjoin_passes::cost::Account;

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
    for machine in &machines {
        let mut curve = Curve { name: machine.name.clone(), points: Vec::new() };
        for mesh in &meshes {
            let line = Line::of(args, mesh, machine)?;
            curve.points.push((mesh.ranks() as f64, line.account.iteration()));
            table.row(line.cells(args));
        }
        curves.push(curve);
    }
    if let Some(path) = &args.svg {
        text::write(path, &svg(&curves, "ranks", "seconds of an iteration"))?;
    }
    text::print(&table.to_string())
}

/// The meshes that are named, and lines of so many ranks.
fn meshes(args: &Compare) -> Result<Vec<Mesh>, Failure> {
    let lines = args.ranks.iter().map(|&n| Mesh::line(n));
    let all: Vec<_> = args.mesh.iter().cloned().chain(lines).collect();
    if all.is_empty() {
        return Err(Failure::User("nothing to compare: give --mesh or --ranks".into()));
    }
    Ok(all)
}

/// What there is to say of one plan.
struct Line<'a> {
    mesh: &'a Mesh,
    machine: &'a Machine,
    account: Account,
    iterations: usize,
}

impl<'a> Line<'a> {
    fn of(args: &Compare, mesh: &'a Mesh, machine: &'a Machine) -> Result<Self, Failure> {
        let common = Common {
            file: args.file.clone(),
            ranks: None,
            mesh: Some(mesh.clone()),
            machine: None,
            set: args.set.clone(),
            quiet: false,
        };
        let job = Job { machine: machine.clone(), ..Job::read(&common, args.expr.as_deref())? };
        let mut model = job.model()?;
        let planned = plan::planned(&job, &mut model, &job.planner(mesh))?;
        let iterations = args.iterations.unwrap_or_else(|| iterations(&planned));
        Ok(Line { mesh, machine, account: planned.account(), iterations })
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
        let fits = match self.machine.capacity {
            Some(room) if account.peak() > room => format!("does not fit into {}", bytes(room)),
            _ => String::new(),
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
            fits,
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
