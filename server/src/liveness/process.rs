//! A bot process as one shard knows it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Monotonic, Now, StoredProcess};
use crate::wire::{Beat, GatewayState, GuildId, Name, ProcessDetail, ShardReport, UnixMillis};

/// A Discord that has been silent for longer than this is not connected (rule 4).
const DEAF_AFTER_MS: f64 = 90_000.0;

/// Whether a shard lost the gateway by the word of a process that was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LostGateway {
    Yes,
    No,
}

/// What else a beat says.
#[derive(Debug)]
pub(super) struct Heard {
    /// The guilds whose report of being unavailable ended with it.
    pub(super) ended: BTreeSet<GuildId>,
    /// Whether the process was ready and, in the same session, no longer is.
    pub(super) gateway: LostGateway,
    /// Whether anything is new of the process that the next run of the server needs.
    pub(super) changed: bool,
}

/// How long a beat counts: two intervals, so that one may be lost, and some slack (rule 1).
pub(super) fn freshness(interval: Duration) -> Duration {
    let slack = (interval / 4).clamp(Duration::from_millis(500), Duration::from_secs(5));
    interval * 2 + slack
}

/// One process that beats for a shard. It is dropped when its beat is no longer fresh.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) instance: Option<Name>,
    pub(super) session: Option<Name>,
    /// Orders processes by their first beat.
    pub(super) first: u64,
    pub(super) deadline: Monotonic,
    pub(super) interval: Duration,
    pub(super) version: Option<Name>,
    /// The guilds of the shard that it reported as unavailable (rule 7).
    pub(super) unavailable: BTreeSet<GuildId>,
    pub(super) state: GatewayState,
    latency_ms: Option<f64>,
    ack_age_ms: Option<f64>,
    guilds: Option<u64>,
    last_beat: Option<UnixMillis>,
}

impl Process {
    /// A process of which nothing is known yet but its name.
    pub(super) fn new(instance: Option<Name>, session: Option<Name>, first: u64) -> Self {
        Self {
            instance,
            session,
            first,
            deadline: Monotonic::ZERO,
            interval: Duration::ZERO,
            version: None,
            unavailable: BTreeSet::new(),
            state: GatewayState::Starting,
            latency_ms: None,
            ack_age_ms: None,
            guilds: None,
            last_beat: None,
        }
    }

    /// Whether beats of this instance and session are this process': a named instance is one
    /// process whatever its session, a nameless one is one per session.
    pub(super) fn is(&self, instance: Option<&Name>, session: Option<&Name>) -> bool {
        self.instance.as_ref() == instance && (instance.is_some() || self.session.as_ref() == session)
    }

    /// Whether the beat is of this process and of its current session.
    pub(super) fn speaks_for(&self, beat: &Beat) -> bool {
        self.instance == beat.instance && self.session == beat.session
    }

    /// A process as an earlier run of the server left it, fresh from now on.
    pub(super) fn restore(stored: StoredProcess, first: u64, now: Monotonic) -> Self {
        Self {
            deadline: now + freshness(stored.interval),
            interval: stored.interval,
            version: stored.version,
            unavailable: stored.unavailable.into_iter().map(|(guild, _)| guild).collect(),
            state: stored.state,
            ..Self::new(stored.instance, stored.session, first)
        }
    }

    /// What the next run of the server needs of it; `since` says since when a guild is excepted.
    pub(super) fn stored(&self, since: impl Fn(GuildId) -> UnixMillis) -> StoredProcess {
        let deaf = self.state == GatewayState::Ready && !self.is_ready();
        StoredProcess {
            instance: self.instance.clone(),
            session: self.session.clone(),
            state: if deaf { GatewayState::Resuming } else { self.state },
            version: self.version.clone(),
            interval: self.interval,
            unavailable: self.unavailable.iter().map(|guild| (*guild, since(*guild))).collect(),
        }
    }

    /// Takes in a beat. Reports of unavailable guilds end when the shard begins anew (rule 7).
    pub(super) fn beat(&mut self, beat: &Beat, report: &ShardReport, order: u64, now: Now) -> Heard {
        let restarted = self.session != beat.session;
        let was_ready = self.is_ready() && !restarted;
        let before = (self.state, self.is_ready(), self.interval);
        if restarted {
            self.session = beat.session.clone();
            self.first = order;
            self.version = None;
        }
        let anew = |state| matches!(state, GatewayState::Starting | GatewayState::Identifying);
        let begins = restarted || (anew(report.state) && report.state != self.state);
        self.deadline = now.monotonic + freshness(beat.interval);
        self.interval = beat.interval;
        self.state = report.state;
        self.latency_ms = report.latency_ms;
        self.ack_age_ms = report.ack_age_ms;
        self.guilds = report.guilds;
        self.last_beat = Some(now.wall);
        let new_version = beat.version.as_ref().filter(|version| self.version.as_ref() != Some(*version));
        if let Some(version) = new_version {
            self.version = Some(version.clone());
        }
        let mut ended = BTreeSet::new();
        if begins {
            // What the beat itself reports goes on.
            let reported: BTreeSet<GuildId> = beat.unavailable.iter().copied().collect();
            let goes_on = self.unavailable.intersection(&reported).copied().collect();
            ended = std::mem::replace(&mut self.unavailable, goes_on);
            ended.retain(|guild| !self.unavailable.contains(guild));
        }
        let gateway = if was_ready && !self.is_ready() { LostGateway::Yes } else { LostGateway::No };
        let after = (self.state, self.is_ready(), self.interval);
        let changed = restarted || before != after || new_version.is_some() || !ended.is_empty();
        Heard { changed, ended, gateway }
    }

    /// Ready, and hears Discord.
    pub(super) fn is_ready(&self) -> bool {
        self.state == GatewayState::Ready && !self.ack_age_ms.is_some_and(|age| age > DEAF_AFTER_MS)
    }

    /// The order of rule 3; the best process speaks for the shard.
    pub(super) fn rank(&self) -> u8 {
        match self.state {
            GatewayState::Ready if self.is_ready() => 4,
            GatewayState::Ready | GatewayState::Resuming | GatewayState::Reconnecting => 3,
            GatewayState::Identifying | GatewayState::Starting => 2,
            GatewayState::Disconnected => 1,
            GatewayState::Fatal => 0,
        }
    }

    /// The process as operators see it.
    pub(super) fn detail(&self) -> ProcessDetail {
        ProcessDetail {
            instance: self.instance.clone(),
            session: self.session.clone(),
            state: self.state,
            last_beat: self.last_beat,
            interval_ms: u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
            version: self.version.clone(),
            latency_ms: self.latency_ms,
            ack_age_ms: self.ack_age_ms,
            guilds: self.guilds,
            unavailable: self.unavailable.len(),
        }
    }
}
