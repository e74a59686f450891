//! The numbers of one moment, as OpenMetrics text.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Label, label, reason, refuses_beats, stand};
use super::stream::VIEWER;
use super::{Limit, Metrics, StoreState};
use crate::wire::sse::GoodbyeReason;
use crate::wire::{Code, Reason, State};

/// What is so at the moment of a scrape and was not counted as it happened.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// How many shards are in each state; none in those that are not listed.
    pub shards: HashMap<State, usize>,
    /// What becomes of what is handed to the store.
    pub store: StoreState,
    /// The age of the oldest change that is not written yet.
    pub store_lag: Duration,
    /// How many descriptors are open, if that can be known.
    pub descriptors_open: Option<usize>,
    /// How many may be.
    pub descriptors_limit: usize,
}

type Seconds = Gauge<f64, AtomicU64>;

impl Metrics {
    /// All metrics as OpenMetrics text, which ends in `# EOF`.
    pub fn encode(&self, now: &Scrape) -> String {
        let mut registry = Registry::with_prefix("guildpulse");
        self.register_server(&mut registry, now);
        self.register_beats(&mut registry, now);
        self.register_viewers(&mut registry);
        self.register_store(&mut registry, now);
        self.upstream.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("memory takes every write");
        text
    }

    fn register_server(&self, registry: &mut Registry, now: &Scrape) {
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        let started = Duration::from_millis(u64::try_from(self.started.get()).unwrap_or(0));
        let help = "When the server started, since the Unix epoch";
        registry.register_with_unit("start_time", help, Unit::Seconds, seconds(started));
        registry.register("connections", "Connections to the public address that are open now", self.connections.clone());
        if let Some(open) = now.descriptors_open {
            let help = "File descriptors that are open: connections, files, and those kept for the admin address. \
                        The limit, when so many are open that they cannot be counted";
            registry.register("descriptors_open", help, count(open));
        }
        let help = "File descriptors that the process may have open";
        registry.register("descriptors_limit", help, count(now.descriptors_limit));
        let help = "Times that a limit was reached: a stream, a connection or a request that was refused or cut, \
                    or an episode without descriptors. Idle connections that are closed count for none";
        stand(&self.limits_reached, Limit::ALL.map(|limit| label("limit", limit)));
        registry.register("limits_reached", help, self.limits_reached.clone());
    }

    fn register_beats(&self, registry: &mut Registry, now: &Scrape) {
        registry.register("beats_accepted", "Beats that were read and applied", self.beats_accepted.clone());
        let codes = Code::ALL.into_iter().filter(|code| refuses_beats(*code));
        stand(&self.beats_rejected, codes.map(|code| label("code", code)));
        let help = "Beats and goodbyes that were refused, by the code of the answer";
        registry.register("beats_rejected", help, self.beats_rejected.clone());
        let shards = State::ALL.map(|state| (label("state", state), now.shards.get(&state).copied().unwrap_or(0)));
        registry.register("shards", "Shards that guilds use, by the state that is said of them", gauges(shards));
        stand(&self.transitions, Reason::ALL.map(Some).into_iter().chain([None]).map(reason));
        let help = "Changes that were published, by the reason given; none is online. One of a shard counts once, however \
                    many guilds use it, and so does the beginning or end of a guild's own exception";
        registry.register("transitions", help, self.transitions.clone());
    }

    fn register_viewers(&self, registry: &mut Registry) {
        registry.register("viewers", "Streams that are open now", self.viewers.clone());
        registry.register("streams_opened", "Streams opened since the start", self.streams_opened.clone());
        let reasons = GoodbyeReason::ALL.map(|reason| label("reason", reason)).into_iter();
        stand(&self.streams_closed, reasons.chain([label("reason", VIEWER)]));
        let help = "Streams closed since the start, by the reason of the goodbye; viewer is one that left by \
                    itself or took nothing for 30 s";
        registry.register("streams_closed", help, self.streams_closed.clone());
        registry.register("deliveries", "Statuses handed to viewers because something changed", self.deliveries.clone());
        let help = "Time from when a beat or goodbye had been read, and was about to be applied, to when a status that it \
                    changed was written to the socket of one viewer. Neither the way to us nor from us is in it. If \
                    several changes became one status because the viewer did not read, the first of them counts. What a \
                    deadline changed and what is sent at the start or repeated does not count";
        registry.register_with_unit("delivery", help, Unit::Seconds, self.delivery.clone());
    }

    fn register_store(&self, registry: &mut Registry, now: &Scrape) {
        registry.register("store_writable", "Whether the store can be written", self.store_writable.clone());
        let states = StoreState::ALL.map(|state| (label("state", state), usize::from(state == now.store)));
        let help = "1 for what becomes of what is to be stored, 0 for the rest: written, kept in memory on purpose, or \
                    waiting because of a fault";
        registry.register("store_state", help, gauges(states));
        let help = "Age of the oldest change that is not written yet; 0 when there is none";
        registry.register_with_unit("store_lag", help, Unit::Seconds, seconds(now.store_lag));
        registry.register("transitions_logged", "Lines of the log that were written", self.transitions_logged.clone());
        registry.register("transitions_lost", "Lines of the log that were dropped unwritten", self.transitions_lost.clone());
    }
}

fn seconds(duration: Duration) -> Seconds {
    let gauge = Seconds::default();
    gauge.set(duration.as_secs_f64());
    gauge
}

fn count(number: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
    gauge
}

fn gauges(values: impl IntoIterator<Item = (Label, usize)>) -> Family<Label, Gauge> {
    let family = Family::<Label, Gauge>::default();
    for (label, number) in values {
        family.get_or_create(&label).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
    family
}
