//! Measures the machine on the ranks of a world.
//!
//! Local work is measured on one core alone and on all cores at once, connections between ranks
//! with a core each; all by plans of single operators and single collectives.
//! What ranks wait that take turns on cores is measured by more ranks than there are cores, which
//! a world of its own tells best: whoever has no core of his own may wait otherwise.
//! A number is the first quartile of several parts of some milliseconds, of each the slowest rank's,
//! in all turns, and in all earlier sittings whose [`Readings`] are known: others that use the
//! machine make parts longer.
//! How large working sets grow and how long parts take is the caller's choice ([`Effort`]).
//! The connections between ranks are measured as one level: a file for a machine of several
//! levels is put together from runs within a node and across nodes.

mod effort;
mod fit;
mod kernels;
mod links;
mod memory;
mod readings;
mod team;
mod trials;

use super::{Flops, Machine};
use crate::runtime::{RunError, World};
pub use effort::Effort;
pub use readings::{Readings, quartile};
use std::collections::BTreeMap;
use team::{Job, Team};

/// The model of this machine, whose ranks have a thread each.
///
/// Ranks beyond its cores sleep, but for the number that only they can tell.
/// Readings are what was measured before, if anything, and what is known afterwards.
pub fn calibrate(
    world: &World,
    name: &str,
    effort: Effort,
    readings: &mut Readings,
) -> Result<Machine, RunError> {
    let machine = on(world, effort, readings, |team| measure(team, name))?;
    crowd(world, &machine, effort, readings)
}

/// A model of this machine, with what more ranks than cores wait, if the world has so many.
pub fn crowd(
    world: &World,
    machine: &Machine,
    effort: Effort,
    readings: &mut Readings,
) -> Result<Machine, RunError> {
    on(world, effort, readings, |team| crowded(team, machine))
}

/// What the ranks of a world, which have a thread each, say together.
fn on(
    world: &World,
    effort: Effort,
    readings: &mut Readings,
    measure: impl Fn(&Team<'_>) -> Result<Machine, RunError> + Send + Sync,
) -> Result<Machine, RunError> {
    single(world)?;
    let known = &*readings;
    let all = world.run(|rank| {
        let team = Team::new(&**rank.comm(), effort, known)?;
        Ok((measure(&team)?, team.readings()))
    })?;
    let (machine, seen) = all.into_iter().next().unwrap_or_default();
    *readings = seen;
    Ok(machine)
}

/// The model is of ranks with one thread.
fn single(world: &World) -> Result<(), RunError> {
    match world.threads_per_rank() {
        1 => Ok(()),
        threads => {
            Err(RunError::Unfit(format!("ranks to be measured have one thread, not {threads}")))
        }
    }
}

fn measure(team: &Team<'_>, name: &str) -> Result<Machine, RunError> {
    let mut machine = once(team, name)?;
    for _ in 1..team.effort.turns {
        machine = once(team, name)?;
    }
    Ok(machine)
}

fn once(team: &Team<'_>, name: &str) -> Result<Machine, RunError> {
    let flops = flops(team)?;
    let (launch, step) = kernels::launch(team)?;
    let memory = memory::levels(team)?;
    let (overlap, link) = (links::overlap(team)?, links::link(team)?);
    let machine = Machine {
        name: name.into(),
        source: format!("measured by {} ranks on {} cores", team.ranks, team.cores),
        launch: rounded(launch),
        step: rounded(step),
        capacity: None,
        cores: Some(team.cores),
        flops,
        memory,
        overlap,
        links: vec![link],
        kernels: BTreeMap::new(),
        sharers: 1,
    };
    let kernels = kernels::all(team, &machine)?;
    Ok(Machine { kernels, ..machine })
}

fn flops(team: &Team<'_>) -> Result<Flops, RunError> {
    let rate = |what: &str, job: Job| team.seconds(what, team.busy, || Ok(job));
    let single = rate("a product in f32", kernels::product::<f32>(team.effort))?;
    let double = rate("a product in f64", kernels::product::<f64>(team.effort))?;
    Ok(Flops { single: rounded(1.0 / single), double: rounded(1.0 / double) })
}

fn crowded(team: &Team<'_>, machine: &Machine) -> Result<Machine, RunError> {
    if team.ranks <= team.cores {
        return Ok(machine.clone());
    }
    let mut more = Machine { cores: Some(team.cores), ..machine.clone() };
    more.links.iter_mut().for_each(|link| link.crowded = 0.0);
    let crowded = links::crowded(team, &more.among(team.ranks))?;
    more.links.iter_mut().for_each(|link| link.crowded = crowded);
    let source = machine.source.trim_end();
    let by = format!("what ranks wait that take turns by {} of them", team.ranks);
    more.source = if source.is_empty() { by } else { format!("{source}, {by}") };
    Ok(more)
}

/// Three digits: more would be noise.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().unwrap_or(number)
}
