//! `--trace` and `--log-view`: what a run notes, and where it goes.

use super::args::Noting;
use super::job::together;
use super::{Failure, text, write};
use crate::run::Inputs;
use crate::runtime::World;
use crate::trace::Trace;

/// What the command line wants to know of the runs of a command.
pub(super) struct Noted<'a> {
    wanted: &'a Noting,
    trace: Option<Trace>,
}

impl<'a> Noted<'a> {
    pub fn new(wanted: &'a Noting) -> Self {
        let trace = match (&wanted.trace, wanted.log_view) {
            (Some(_), _) => Some(Trace::new()),
            (None, true) => Some(Trace::sums()),
            (None, false) => None,
        };
        Noted { wanted, trace }
    }

    /// Runs something under a name with inputs that note it.
    pub fn run<T>(&self, name: &str, inputs: Inputs, run: impl FnOnce(&Inputs) -> T) -> T {
        match &self.trace {
            None => run(&inputs),
            Some(trace) => {
                let _section = trace.section(name);
                run(&inputs.trace(trace))
            }
        }
    }

    /// Writes the file and prints the summary, with `--quiet` as well: it was asked for.
    pub fn finish(&self, world: &World) -> Result<(), Failure> {
        let Some(trace) = &self.trace else { return Ok(()) };
        let record = together(world, trace.collect(world).map_err(Into::into))?;
        write::once(world, || {
            let Some(record) = &record else { return Ok(()) };
            if let Some(path) = &self.wanted.trace {
                text::write(path, &record.chrome())?;
            }
            if self.wanted.log_view { text::print(&record.table()) } else { Ok(()) }
        })
    }
}
