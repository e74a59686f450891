//! What guildpulse counts of itself.
//!
//! It owns the numbers and the words of their labels, and writes them as OpenMetrics text. It must
//! never know where they come from: what is not counted as it happens is handed in as a [`Scrape`].

mod delivery;
mod labels;
mod scrape;
mod stream;
mod upstream;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

pub use delivery::DeliveryTime;
pub use labels::{Label, Limit, StoreState};
pub use scrape::Scrape;
pub use stream::OpenStream;
pub use upstream::{Check, Upstream};

use crate::wire::{Code, Reason, UnixMillis};

/// All that is counted as it happens. Clones count into the same numbers; every viewer holds one, so
/// it is no larger than a pointer.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Numbers>);

impl Deref for Metrics {
    type Target = Numbers;

    fn deref(&self) -> &Numbers {
        &self.0
    }
}

/// The numbers themselves.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Streams that are open now.
    pub viewers: Gauge,
    /// Streams opened since the start.
    pub streams_opened: Counter,
    /// Statuses handed to viewers because something changed.
    pub deliveries: Counter<u64, AtomicU64>,
    /// How long statuses took from the bot to the viewer's connection.
    pub delivery: DeliveryTime,
    /// Beats that were read and applied.
    pub beats_accepted: Counter,
    /// 1 while the store can be written, else 0.
    pub store_writable: Gauge,
    /// Lines of the transition log that were written.
    pub transitions_logged: Counter,
    /// Lines of the transition log that were dropped because they could not be written in time.
    pub transitions_lost: Counter,
    /// What a gateway asks its backend.
    pub upstream: Upstream,
    /// Connections to the public address that are open now.
    pub connections: Gauge,
    /// Streams closed since the start, by who ended them.
    streams_closed: Family<Label, Counter>,
    beats_rejected: Family<Label, Counter>,
    transitions: Family<Label, Counter>,
    limits_reached: Family<Label, Counter>,
    /// Milliseconds since the epoch.
    started: Gauge,
}

impl Metrics {
    /// Notes when the server started.
    pub fn started(&self, at: UnixMillis) {
        self.started.set(at.0);
    }

    /// Counts a beat or a goodbye that was refused.
    pub fn reject_beat(&self, code: Code) {
        self.beats_rejected.get_or_create(&labels::label("code", code)).inc();
    }

    /// Counts what was published of shards and guilds, each by its reason, if it has one.
    pub fn count_transitions(&self, reasons: impl Iterator<Item = Option<Reason>>) {
        // Thousands of shards may change at once, for one reason.
        let mut counts: HashMap<_, u64> = HashMap::new();
        for reason in reasons {
            *counts.entry(reason).or_default() += 1;
        }
        for (reason, count) in counts {
            self.transitions.get_or_create(&labels::reason(reason)).inc_by(count);
        }
    }

    /// Counts that a limit was reached.
    pub fn limit_reached(&self, limit: Limit) {
        self.reached(limit).inc();
    }

    /// How often a limit was reached.
    pub fn reached(&self, limit: Limit) -> Counter {
        self.limits_reached.get_or_create_owned(&labels::label("limit", limit))
    }
}
