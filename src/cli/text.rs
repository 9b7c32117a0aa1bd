//! Text that goes to the terminal or to files.

use super::Failure;
use std::io::{ErrorKind, Write, stdout};
use std::path::Path;

/// Prints; a reader that has gone is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::User(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::User(format!("cannot write {}: {error}", path.display())))
}
