//! Where the log goes, and how it is written.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::cli::Failure;
use crate::config::{self, LogFormat};

/// What holds whatever `GUILDPULSE_LOG` says: below info, hyper logs heads of requests, with the
/// tokens in them.
const CAP: &str = "hyper=info,hyper_util=info";

/// What the log says without `GUILDPULSE_LOG`.
const USUAL: &str = "info";
/// The processes of the demo's bot come and go all the time. Who has just started it is to see the
/// link, and not that.
const DEMO: &str = "info,guildpulse::http::beats=warn";

/// Begins the log, on standard error.
pub(super) fn begin(format: LogFormat, demo: bool) -> Result<(), Failure> {
    let wanted = config::log_filter()?;
    let filter = format!("{},{CAP}", wanted.as_deref().unwrap_or(if demo { DEMO } else { USUAL }));
    let filter = EnvFilter::try_new(filter).context("GUILDPULSE_LOG").map_err(Failure::usage)?;
    let colour = std::io::stderr().is_terminal();
    // The library would tell standard error that nobody reads standard error, and panic. A terminal
    // that closes sends SIGHUP, too, and must not end the server in the midst of its streams.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).log_internal_errors(false);
    let log = log.with_writer(std::io::stderr);
    match format {
        LogFormat::Human => log.with_ansi(colour).init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
    Ok(())
}
