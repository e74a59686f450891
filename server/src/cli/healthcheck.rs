//! `guildpulse healthcheck`: exit code 0 if the server answers, else 1.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::client::{Client, ServerAddress};
use super::{Failure, client_runtime};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    server: ServerAddress,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let client = Client::new(&arguments.server, None)?;
    let asked = client_runtime()?.block_on(client.get("/healthz"));
    let server = arguments.server.url.origin().ascii_serialization();
    asked.with_context(|| format!("{server} is not healthy")).map_err(Failure::running)?;
    Ok(ExitCode::SUCCESS)
}
