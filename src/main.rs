//! The command `adjoin`.

use std::process::ExitCode;

fn main() -> ExitCode {
    adjoin::cli::main()
}
