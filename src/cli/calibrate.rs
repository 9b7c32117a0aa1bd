//! `adjoin calibrate`: measures this machine.

use super::args::Calibrate;
use super::job::{start, together};
use super::{Failure, text};
use crate::machine;
use crate::runtime::World;

pub(super) fn run(args: &Calibrate) -> Result<(), Failure> {
    let world = start(None)?;
    let world = match (args.ranks, world.backend()) {
        (Some(asked), "threads") => World::threads(asked),
        (None, "threads") => {
            World::threads(std::thread::available_parallelism().map_or(1, Into::into))
        }
        (Some(asked), _) if asked != world.ranks() => {
            let here = world.ranks();
            return Err(Failure::User(format!("--ranks {asked}, but the job has {here}")));
        }
        _ => world,
    };
    let measured = machine::calibrate(&world, &args.name).map_err(Into::into);
    let measured = machine::text(&together(&world, measured)?);
    match &args.output {
        _ if !world.is_root() => Ok(()),
        Some(path) => text::write(path, &measured),
        None => text::print(&measured),
    }
}
