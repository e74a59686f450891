//! `guildpulse serve`: the server.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::Failure;
use super::signals::{Hangups, Signals};
use crate::config::{self, Config, Flags};
use crate::server::{Reloaded, Reloader, Server};

/// What holds whatever `GUILDPULSE_LOG` says: below info, hyper logs heads of requests, with the
/// tokens in them.
const LOG_CAP: &str = "hyper=info,hyper_util=info";

pub(super) fn run(flags: Flags) -> Result<ExitCode, Failure> {
    let config = Config::load(flags.clone())?;
    log()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::running)?;
    let ended = runtime.block_on(async {
        // Listening comes first: from here on, no signal ends the process by itself. Both listen for
        // the same, so the one that waits for a second signal sees the first, too.
        let (mut first, mut second) = listen().map_err(Failure::running)?;
        let hangups = Hangups::listen().map_err(Failure::running)?;
        let data = config.data.clone();
        let server = Server::bind(config).await.map_err(Failure::usage)?;
        for made in server.made() {
            tracing::info!("{made}");
        }
        let admin = server.admin_addr().map(tracing::field::display);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            data = %data.display(),
            admin,
            "listening on http://{}",
            server.addr()
        );
        let stop = async {
            first.next().await;
            tracing::info!("saying goodbye to all streams; a second signal ends at once");
        };
        let hurry = async {
            second.next().await;
            second.next().await;
        };
        let reloads = reload_on(hangups, flags, server.reloader());
        tokio::select! {
            never = reloads => match never {},
            () = server.run(stop) => {
                tracing::info!("stopped");
                Ok(ExitCode::SUCCESS)
            }
            () = hurry => Ok(ExitCode::FAILURE),
        }
    });
    // Neither a reload nor a write that waits for the disk holds up the end.
    runtime.shutdown_background();
    ended
}

/// Reads settings, keys and secrets again at each signal.
async fn reload_on(mut hangups: Hangups, flags: Flags, reloader: Reloader) -> Infallible {
    loop {
        hangups.next().await;
        let flags = flags.clone();
        match reloader.aside(|reloader| reload(flags, reloader)).await {
            Ok(Reloaded { made, waiting }) => {
                for made in made {
                    tracing::info!("{made}");
                }
                tracing::info!("took over keys, secrets and bot tokens");
                if !waiting.is_empty() {
                    tracing::warn!("these settings have changed and need a restart: {}", waiting.join(", "));
                }
            }
            Err(error) => tracing::error!("keys, secrets and bot tokens stay as they were: {error:#}"),
        }
    }
}

fn reload(flags: Flags, reloader: &Reloader) -> anyhow::Result<Reloaded> {
    Ok(reloader.reload(&Config::load(flags)?)?)
}

fn listen() -> anyhow::Result<(Signals, Signals)> {
    Ok((Signals::listen()?, Signals::listen()?))
}

fn log() -> Result<(), Failure> {
    let wanted = config::log_filter()?;
    let filter = format!("{},{LOG_CAP}", wanted.as_deref().unwrap_or("info"));
    let filter = EnvFilter::try_new(filter).context("GUILDPULSE_LOG").map_err(Failure::usage)?;
    let colour = std::io::stderr().is_terminal();
    // The library would tell standard error that nobody reads standard error, and panic. A terminal
    // that closes sends SIGHUP, too, and must not end the server in the midst of its streams.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).log_internal_errors(false);
    log.with_ansi(colour).with_writer(std::io::stderr).init();
    Ok(())
}
