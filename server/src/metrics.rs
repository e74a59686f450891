//! What guildpulse counts of itself, in Prometheus' text format.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::wire::sse::GoodbyeReason;
use crate::wire::{Code, word};

/// All metrics. Clones count into the same ones.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Streams that are open now.
    pub viewers: Gauge,
    /// Streams opened since the start.
    pub streams_opened: Counter,
    /// Streams closed since the start, by who ended them.
    pub streams_closed: Family<Label, Counter>,
    /// Statuses handed to viewers because something changed.
    pub deliveries: Counter<u64, AtomicU64>,
    /// Beats that were read and applied.
    pub beats_accepted: Counter,
    /// Beats and goodbyes that were refused, by the problem's code.
    pub beats_rejected: Family<Label, Counter>,
    /// 1 while the store can be written, else 0.
    pub store_writable: Gauge,
    /// Lines of the transition log that were written.
    pub transitions_logged: Counter,
    /// Lines of the transition log that were dropped because they could not be written in time.
    pub transitions_lost: Counter,
    /// Connections to the public address that are open now.
    pub connections: Gauge,
    limits_reached: Family<Label, Counter>,
}

/// A limit that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `max_viewers`.
    Viewers,
    /// `max_viewers_per_principal`.
    Principal,
    /// `max_viewers_per_address`.
    Address,
    /// `max_connections`.
    Connections,
    /// The descriptors of the process or of the machine.
    Descriptors,
    /// `max_body_bytes`.
    Body,
    /// `body_timeout_ms`.
    BodyTime,
    /// `max_head_bytes`.
    Head,
    /// `head_timeout_ms`.
    HeadTime,
}

impl Limit {
    const ALL: [Self; 9] = [
        Self::Viewers,
        Self::Principal,
        Self::Address,
        Self::Connections,
        Self::Descriptors,
        Self::Body,
        Self::BodyTime,
        Self::Head,
        Self::HeadTime,
    ];
}

/// One label and its value.
pub type Label = [(&'static str, String); 1];
impl Metrics {
    /// Counts a beat or a goodbye that was refused.
    pub fn reject_beat(&self, code: Code) {
        self.beats_rejected.get_or_create(&[("code", word(code))]).inc();
    }

    /// Counts that a limit was reached.
    pub fn limit_reached(&self, limit: Limit) {
        self.reached(limit).inc();
    }

    fn reached(&self, limit: Limit) -> Counter {
        self.limits_reached.get_or_create_owned(&[("limit", word(limit))])
    }

    /// All metrics as text (`text/plain; version=0.0.4` compatible OpenMetrics).
    pub fn encode(&self) -> String {
        let mut registry = Registry::with_prefix("guildpulse");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        registry.register("viewers", "Streams that are open now", self.viewers.clone());
        registry.register("streams_opened", "Streams opened since the start", self.streams_opened.clone());
        registry.register("streams_closed", "Streams closed since the start, by reason", self.streams_closed.clone());
        registry.register("deliveries", "Statuses handed to viewers because something changed", self.deliveries.clone());
        registry.register("beats_accepted", "Beats that were read and applied", self.beats_accepted.clone());
        registry.register("beats_rejected", "Beats and goodbyes that were refused, by code", self.beats_rejected.clone());
        registry.register("store_writable", "Whether the store can be written", self.store_writable.clone());
        registry.register("transitions_logged", "Lines of the log that were written", self.transitions_logged.clone());
        registry.register("transitions_lost", "Lines of the log that were dropped unwritten", self.transitions_lost.clone());
        registry.register("connections", "Connections to the public address that are open now", self.connections.clone());
        let help = "Times that a limit was reached: a stream, a connection or a request that was refused or cut, \
                    or an episode without descriptors. Idle connections that are closed count for none";
        // Each stands there from the start, so that a first one is seen as an increase.
        Limit::ALL.into_iter().for_each(|limit| drop(self.reached(limit)));
        registry.register("limits_reached", help, self.limits_reached.clone());
        let mut text = String::new();
        encode(&mut text, &registry).expect("memory takes every write");
        text
    }
}

/// A stream that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream {
    metrics: Metrics,
    ended: Option<GoodbyeReason>,
}

impl OpenStream {
    /// Counts a stream as opened.
    pub fn new(metrics: Metrics) -> Self {
        metrics.streams_opened.inc();
        metrics.viewers.inc();
        Self { metrics, ended: None }
    }

    /// The server ends the stream; otherwise it is the viewer who left.
    pub fn end(&mut self, reason: GoodbyeReason) {
        self.ended = Some(reason);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let reason = [("reason", self.ended.map_or_else(|| word("viewer"), word))];
        self.metrics.streams_closed.get_or_create(&reason).inc();
        self.metrics.viewers.dec();
    }
}
