//! The command line: `adjoin plan | apply | solve | check | compare | calibrate`.
//!
//! Exit codes: 0 done, 2 the user's error, 1 ours.
//! Rank 0 prints; a launcher that announces other ranks than there are is refused before anything
//! is written.

mod args;
mod failure;
mod job;
mod noted;
mod table;
mod text;

mod apply;
mod calibrate;
mod check;
mod compare;
mod dump;
mod explain;
mod plan;
mod saved;
mod solve;
mod sweep;
mod write;

use crate::runtime::World;
use args::{Args, Command};
use clap::Parser;
use clap::error::ErrorKind;
pub use failure::Failure;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Runs a command line, whose first word is the name of the program; the exit code.
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            alone(|| {
                let _ = error.print();
            });
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                _ => 2,
            };
        }
    };
    let command = AssertUnwindSafe(|| match &args.command {
        Command::Plan(plan) => plan::run(plan),
        Command::Apply(apply) => apply::run(apply),
        Command::Solve(solve) => solve::run(solve),
        Command::Check(check) => check::run(check),
        Command::Compare(compare) => compare::run(compare),
        Command::Calibrate(calibrate) => calibrate::run(calibrate),
    });
    match catch_unwind(command) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => {
            alone(|| eprint!("{}", failure.render()));
            failure.code()
        }
        Err(_) => {
            alone(|| eprintln!("adjoin: internal error; please report it"));
            1
        }
    }
}

/// How long the other tasks of a launcher wait before they leave without a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says something once where the tasks of a launcher do not know each other.
///
/// The others leave later, since a launcher ends all tasks after the first that leaves with an
/// error.
fn alone(say: impl FnOnce()) {
    if World::speaks() { say() } else { sleep(PATIENCE) }
}
