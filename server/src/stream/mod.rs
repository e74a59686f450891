//! Open streams (PROTOCOL.md, "The stream").
//!
//! A stream is opened by an answer to a request: head and first status ([`Opening`]). Then its socket
//! leaves HTTP with an [`Adoption`], and one of few threads ([`Reactor`]) writes to it whatever comes.
//! It must never know who the viewer is.

mod arrivals;
mod index;
mod look;
mod opening;
mod reactor;
mod ring;
#[cfg(test)]
mod tests;
mod viewer;

use std::time::Duration;

pub use arrivals::{Desk, Reactors};
pub use look::Source;
pub use opening::{Handoff, Opening};
pub use reactor::Reactor;
pub use viewer::STALL;

use crate::gateway::Lease;
use crate::hub::Subject;
use crate::limits::Place;
use crate::liveness::Monotonic;
use crate::metrics::{Metrics, OpenStream};
use crate::wire::UnixMillis;
use crate::wire::sse::{Framing, SNAPSHOT_INTERVAL};

/// A status is repeated a little before it must be, so that it is not late on the wire.
const REFRESH: Duration = SNAPSHOT_INTERVAL.saturating_sub(Duration::from_millis(500));
/// The bounds of `retry`, drawn for each viewer so that they do not come back as one wave.
const RETRY_MS: std::ops::RangeInclusive<u64> = 1000..=5000;

/// Everything that goes with a stream when its socket leaves HTTP.
#[derive(Debug)]
pub struct Adoption {
    /// What is watched, and the number of the revision that was sent of each.
    guilds: Vec<(Subject, u64)>,
    framing: Framing,
    /// When the viewer's token ends, leeway included.
    token: UnixMillis,
    /// When the first statuses were read.
    joined: Monotonic,
    permits: Permits,
}

/// What is given back when the stream is over, however it ended.
#[derive(Debug)]
pub struct Permits {
    open: OpenStream,
    _place: Place,
    /// The right to watch, if somebody else may take it back.
    lease: Option<Lease>,
}

impl Permits {
    /// A stream that counts as open in its place.
    pub fn new(place: Place, metrics: Metrics) -> Self {
        Self { open: OpenStream::new(metrics), _place: place, lease: None }
    }

    /// The same for a stream that ends with this lease.
    pub fn with(self, lease: Lease) -> Self {
        Self { lease: Some(lease), ..self }
    }
}
