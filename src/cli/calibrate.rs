//! `adjoin calibrate`: measures this machine.

use super::args::Calibrate;
use super::job::{chosen, start, together};
use super::{Failure, text};
use crate::machine::{self, Effort, Machine, Readings};
use crate::runtime::{RunError, World};
use std::thread::available_parallelism;

pub(super) fn run(args: &Calibrate) -> Result<(), Failure> {
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let world = start(None)?;
    let known = together(&world, args.from.as_deref().map(chosen).transpose())?;
    let measured = match (args.ranks, world.backend()) {
        (asked, "threads") => threads(asked, &args.name, known, effort),
        (Some(asked), _) if asked != world.ranks() => {
            let here = world.ranks();
            return Err(Failure::User(format!("--ranks {asked}, but the job has {here}")));
        }
        _ => match known {
            Some(known) => machine::crowd(&world, &known, effort, &mut Readings::default()),
            None => machine::calibrate(&world, &args.name, effort, &mut Readings::default()),
        },
    };
    let measured = machine::text(&together(&world, measured.map_err(Into::into))?);
    match &args.output {
        _ if !world.is_root() => Ok(()),
        Some(path) => text::write(path, &measured),
        None => text::print(&measured),
    }
}

/// Threads with a core each, and then as many as are asked for: without a word more than there are
/// cores, to see what they wait that take turns.
fn threads(
    asked: Option<usize>,
    name: &str,
    known: Option<Machine>,
    effort: Effort,
) -> Result<Machine, RunError> {
    let world = |ranks: usize| World::threads(ranks).with_threads_per_rank(1);
    let cores = available_parallelism().map_or(1, usize::from);
    let ranks = asked.unwrap_or(2 * cores);
    let readings = &mut Readings::default();
    let known = match known {
        Some(known) => known,
        None => machine::calibrate(&world(ranks.min(cores))?, name, effort, readings)?,
    };
    if ranks > cores { machine::crowd(&world(ranks)?, &known, effort, readings) } else { Ok(known) }
}
