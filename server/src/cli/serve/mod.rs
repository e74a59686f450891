//! `guildpulse serve`: the server.

mod log;
mod welcome;

use std::convert::Infallible;
use std::process::ExitCode;

use super::Failure;
use super::signals::{Hangups, Signals};
use crate::config::{Config, Flags};
use crate::server::{Reloaded, Reloader, Server};

pub(super) fn run(flags: Flags) -> Result<ExitCode, Failure> {
    let config = Config::load(flags.clone())?;
    log::begin(config.log_format, config.demo)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::running)?;
    let ended = runtime.block_on(async {
        // Listening comes first: from here on, no signal ends the process by itself. Both listen for
        // the same, so the one that waits for a second signal sees the first, too.
        let (mut first, mut second) = listen().map_err(Failure::running)?;
        let hangups = Hangups::listen().map_err(Failure::running)?;
        let (demo, data) = (config.demo, config.data.clone());
        let upstream = config.upstream.upstream.clone();
        let public_url = config.public_url.clone();
        let server = Server::bind(config).await.map_err(Failure::usage)?;
        for made in server.made() {
            tracing::info!("{made}");
        }
        let admin = server.admin_addr().map(tracing::field::display);
        let mode = match upstream {
            Some(_) => "gateway",
            None if demo => "demo",
            None => "server",
        };
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            mode,
            data = if mode == "server" { data.display().to_string() } else { "none, all in memory".into() },
            upstream = upstream.map(tracing::field::display),
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
        let welcome = welcome::show(&server, demo, public_url.as_ref());
        tokio::select! {
            never = reloads => match never {},
            never = welcome => match never {},
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
