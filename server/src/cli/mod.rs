//! The command line: one module per command.
//!
//! Exit codes: 0 fine, 1 failed while running, 2 bad usage or configuration. An error is one line
//! on standard error.

mod backup;
mod beat;
mod client;
mod healthcheck;
mod serve;
mod signals;
mod token;
mod watch;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, Flags};

/// Live status of a Discord bot, per guild, over Server-Sent Events.
#[derive(Debug, Parser)]
#[command(name = "guildpulse", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Flags),
    /// Print a new token
    Token(token::Arguments),
    /// Beat for a process that it runs
    Beat(beat::Arguments),
    /// Show the status of guilds, live
    Watch(watch::Arguments),
    /// Copy the database into a new file; a running server goes on
    Backup(backup::Arguments),
    /// Print the settings in force, secrets hidden
    Config(Flags),
    /// Ask a server whether it is alive; for containers
    Healthcheck(healthcheck::Arguments),
}

/// Why a command ended.
#[derive(Debug)]
enum Failure {
    /// Exit code 2: the caller has to change something.
    Usage(anyhow::Error),
    /// Exit code 1: it went wrong while running.
    Running(anyhow::Error),
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    fn running(error: impl Into<anyhow::Error>) -> Self {
        Self::Running(error.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

/// Runs the command that the arguments name.
#[expect(clippy::print_stderr, reason = "this is where errors reach the terminal")]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let result = match cli.command {
        Command::Serve(flags) => serve::run(flags),
        Command::Token(arguments) => token::run(&arguments),
        Command::Beat(arguments) => beat::run(arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Backup(arguments) => backup::run(arguments),
        Command::Config(flags) => print_config(flags),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(Failure::Usage(error)) => {
            eprintln!("guildpulse: {error:#}");
            ExitCode::from(2)
        }
        Err(Failure::Running(error)) => {
            eprintln!("guildpulse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says in one line what clap says in ten; help and version are printed as they are.
#[expect(clippy::print_stderr, reason = "this is where errors reach the terminal")]
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_help || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe behind `--help` is nobody's problem.
        error.print().ok();
        return ExitCode::from(if is_help { 0 } else { 2 });
    }
    let text = error.to_string();
    let told = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
    let line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("guildpulse: {line} (see guildpulse --help)");
    ExitCode::from(2)
}

#[expect(clippy::print_stdout, reason = "the settings are what the command prints")]
fn print_config(flags: Flags) -> Result<ExitCode, Failure> {
    let config = Config::load(flags)?;
    print!("{}", toml::to_string(&config).map_err(Failure::running)?);
    Ok(ExitCode::SUCCESS)
}

/// A runtime for a command that talks to a server.
fn client_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::running)
}
