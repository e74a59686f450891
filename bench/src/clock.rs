//! The only place that reads clocks, and the bound of every wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the program")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the program")]
pub(crate) fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the machine's clock is behind 1970").as_secs()
}

/// How long a scenario may take, and whether somebody wants the program to stop. Every loop asks
/// this, so that the program ends in time and by its own hand: only then is what it started ended,
/// too.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    end: Instant,
    stop: Arc<AtomicBool>,
}

impl Bound {
    /// Until so long from now, or until the flag is set.
    pub(crate) fn new(time: Duration, stop: Arc<AtomicBool>) -> Self {
        Self { end: now() + time, stop }
    }

    /// Fails when it is over.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.stop.load(Ordering::Relaxed), "interrupted");
        ensure!(now() < self.end, "took longer than it may");
        Ok(())
    }
}
