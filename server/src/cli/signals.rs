//! Signals that ask a process to end, or to read its settings again.

use anyhow::Context;
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// Listens for SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| unix::signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// The next of them.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
        }
    }
}

/// Listens for SIGHUP.
pub(super) struct Hangups(unix::Signal);

impl Hangups {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self(unix::signal(SignalKind::hangup()).context("cannot listen for signals")?))
    }

    /// The next one; several that came meanwhile are one.
    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}
