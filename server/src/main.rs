//! The guildpulse command.

use std::process::ExitCode;

fn main() -> ExitCode {
    guildpulse::cli::main()
}
