//! Measures what a viewer, a delivery and a beat cost.
//!
//! `run` starts everything that it needs, prints one table and ends what it started. What each
//! line means, and what could distort it, is in SCENARIOS.md. This program shares no code with the
//! server: it knows PROTOCOL.md and nothing else.

mod beat;
mod clock;
mod floor;
mod frames;
mod load;
mod message;
mod parser;
mod process;
mod scenario;
mod soak;
mod table;
mod token;

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::{Parser, Subcommand};

use process::Cores;
use scenario::{Bench, Measure, Scenario};
use soak::Length;
use table::Table;

/// Measures what a viewer, a delivery and a beat cost, beside what the kernel charges for the same
/// bytes. Exit codes: 0 every target is met, 1 one is missed, 2 one could not be measured.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs scenarios and prints the table
    Run {
        /// The server, built with --release
        #[arg(long, value_name = "PATH", default_value = "target/release/guildpulse")]
        server: PathBuf,
        /// Which ones; a name also stands for all that begin with it [default: all]
        #[arg(value_name = "SCENARIO")]
        scenarios: Vec<String>,
    },
    /// Names the scenarios
    List,
    /// Lets five million viewers come and go, and looks at what the server keeps of them
    Soak {
        /// The server
        #[arg(long, value_name = "PATH", default_value = "target/release/guildpulse")]
        server: PathBuf,
        /// Only forty thousand
        #[arg(long)]
        short: bool,
    },
    /// Measures the server beside its peers, which have to be installed, and prints the table
    Peers {
        /// The server, built with --release
        #[arg(long, value_name = "PATH", default_value = "target/release/guildpulse")]
        server: PathBuf,
    },
    /// The floor, which `run` starts by itself
    #[command(hide = true)]
    Floor,
}

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Run { server, scenarios } => run(server, &scenarios),
        Command::List => list(),
        Command::Soak { server, short } => soak(server, if short { Length::SHORT } else { Length::FULL }),
        Command::Peers { server } => peers(server),
        Command::Floor => floor::run().map(|()| 0),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Where nobody reads standard error, the exit code has to do.
            writeln!(stderr(), "bench: {error:#}").ok();
            ExitCode::from(2)
        }
    }
}

fn list() -> Result<u8> {
    for scenario in Scenario::ALL {
        writeln!(stdout(), "{:18} {}", scenario.name(), scenario.about())?;
    }
    Ok(0)
}

/// What is measured, on two cores, until somebody wants an end.
fn bench(server: PathBuf) -> Result<Bench> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    process::raise_descriptor_limit()?;
    let cores = Cores::choose()?;
    cores.take_load()?;
    Ok(Bench::new(server, cores, stop))
}

fn soak(server: PathBuf, length: Length) -> Result<u8> {
    let table = soak::run(&bench(server)?, length)?;
    write!(stdout(), "{table}")?;
    Ok(table.exit_code())
}

fn peers(server: PathBuf) -> Result<u8> {
    let bench = bench(server)?;
    let versions = scenario::versions(&bench)?;
    let mut table = Table::default();
    for measure in Measure::ALL {
        writeln!(stderr(), "{} …", measure.name())?;
        if let Err(error) = measure.run(&bench, &mut table) {
            writeln!(stderr(), "{} could not be measured: {error:#}", measure.name())?;
            table.fail(measure.name());
        }
        if bench.is_stopped() {
            break;
        }
    }
    write!(stdout(), "{table}\n{versions}")?;
    Ok(table.exit_code())
}

fn run(server: PathBuf, names: &[String]) -> Result<u8> {
    let chosen = Scenario::choose(names)?;
    let bench = bench(server)?;
    let mut table = Table::default();
    for scenario in chosen {
        writeln!(stderr(), "{} …", scenario.name())?;
        let begin = clock::now();
        match scenario.run(&bench) {
            Ok(rows) => table.add(rows),
            Err(error) => {
                writeln!(stderr(), "{} could not be measured: {error:#}", scenario.name())?;
                table.fail(scenario.name());
            }
        }
        writeln!(stderr(), "{} took {:.0} s", scenario.name(), begin.elapsed().as_secs_f64())?;
        if bench.is_stopped() {
            break;
        }
    }
    write!(stdout(), "{table}")?;
    Ok(table.exit_code())
}
