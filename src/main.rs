//! The command `adjoin`.

use std::process::ExitCode;

#[global_allocator]
static PAGES: adjoin::LargePages = adjoin::LargePages;

fn main() -> ExitCode {
    adjoin::cli::main()
}
