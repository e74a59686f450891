//! What a gateway asks its backend, as it is counted.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::labels::{Label, label, stand};

/// What came of the question whether somebody may see a guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// They may.
    Allowed,
    /// They may not, or there is no such guild.
    Denied,
    /// The backend did not say.
    Failed,
}

impl Check {
    const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::Failed];
}

/// What is counted of a backend.
#[derive(Debug, Default)]
pub struct Upstream {
    /// Guilds that are followed now.
    pub guilds: Gauge,
    /// Streams of the backend that are open now.
    pub streams: Gauge,
    /// How often the backend was asked for the status of a guild that is followed.
    pub polls: Counter,
    /// Events of the backend that were no status.
    pub passed_over: Counter,
    checks: Family<Label, Counter>,
}

impl Upstream {
    /// Counts a check.
    pub fn checked(&self, check: Check) {
        self.checks.get_or_create(&label("outcome", check)).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("upstream_guilds", "Guilds that are followed at the backend now", self.guilds.clone());
        registry.register("upstream_streams", "Streams of the backend that are open now", self.streams.clone());
        let help = "Questions for the status of a guild whose stream the backend does not have";
        registry.register("upstream_polls", help, self.polls.clone());
        let help = "Events of the backend's streams that were no status of the guild";
        registry.register("upstream_passed_over", help, self.passed_over.clone());
        stand(&self.checks, Check::ALL.map(|check| label("outcome", check)));
        let help = "Questions to the backend whether somebody may see a guild, by the answer; denied is 401, 403 or 404";
        registry.register("upstream_checks", help, self.checks.clone());
    }
}
