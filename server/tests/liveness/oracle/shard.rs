//! One shard: who beats for it, what it has behind it, and what follows for its guilds.

use std::time::Duration;

use guildpulse::liveness::Now;
use guildpulse::wire::{GatewayState, GuildId, Name, Reason, ShardKey, State, UnixMillis};

use super::tables::{self, Crew, Lost, Past};

/// One process, as its last word about the shard left it.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) instance: Option<Name>,
    pub(crate) session: Option<Name>,
    /// The number of the input that was its first beat here.
    pub(crate) first: usize,
    pub(crate) gateway: GatewayState,
    /// Its connection is `ready`, but Discord no longer answers on it.
    pub(crate) deaf: bool,
    pub(crate) version: Option<Name>,
    pub(crate) interval: Duration,
    pub(crate) deadline: Duration,
    pub(crate) last_beat: Option<UnixMillis>,
    /// The guilds that it reported as unavailable.
    pub(crate) unavailable: Vec<GuildId>,
}

impl Process {
    /// The reading "Processes": a named instance is one process, of the nameless one each session.
    pub(crate) fn is(&self, instance: Option<&Name>, session: Option<&Name>) -> bool {
        self.instance.as_ref() == instance && (instance.is_some() || self.session.as_ref() == session)
    }

    fn hears(&self) -> bool {
        tables::rank(self.gateway) == 0 && !self.deaf
    }
}

/// A time during which the crew was the same.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) crew: Crew,
    /// When it began, and with which input.
    pub(crate) from: Duration,
    pub(crate) step: usize,
    /// Whether a process brought it about that was there before and still is.
    pub(crate) told: bool,
}

/// Rule 8: the time during which we cannot know, through a fault of our own.
#[derive(Debug, Clone)]
pub(crate) struct Blind {
    pub(crate) reason: Reason,
    /// When a shard without a process returns to what it was.
    pub(crate) until: Duration,
}

/// A goodbye that announced a return.
#[derive(Debug, Clone)]
pub(crate) struct Maintenance {
    pub(crate) shown: UnixMillis,
    pub(crate) end: Duration,
}

/// What is said of a shard's guilds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
    pub(crate) since: UnixMillis,
    /// The last state that was not `unknown`; the reading "Restart and sleep" returns to it.
    pub(crate) known: State,
    pub(crate) known_reason: Option<Reason>,
}

impl Said {
    /// Section 2.1: `unknown` keeps the last value.
    pub(crate) fn healthy(&self) -> bool {
        is_up(self.known)
    }
}

fn is_up(state: State) -> bool {
    matches!(state, State::Online | State::Reconnecting)
}

/// Everything that happened on one shard.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub(crate) key: ShardKey,
    pub(crate) present: Vec<Process>,
    /// The guilds that any of them reports, and since when; `None` if that was before a restart.
    pub(crate) excepted: Vec<(GuildId, Option<UnixMillis>)>,
    /// The guilds that were reported, and until when, as far as that was seen.
    pub(crate) released: Vec<(GuildId, UnixMillis)>,
    /// Those whose report ended with this input.
    ending: Vec<GuildId>,
    /// How the crew changed; the last span is now.
    pub(crate) spans: Vec<Span>,
    /// The newest input in which a process that was there already turned to another state.
    pub(crate) turned: usize,
    /// By how much late loops moved the 15 s that are running now.
    pub(crate) grace_moved: Duration,
    pub(crate) lost: Lost,
    pub(crate) fell: Reason,
    pub(crate) maintenance: Option<Maintenance>,
    pub(crate) blind: Option<Blind>,
    pub(crate) said: Option<Said>,
    /// Since when it is up, which is `online` or `reconnecting`.
    pub(crate) up_since: Option<UnixMillis>,
    pub(crate) version: Option<Name>,
    pub(crate) last_heartbeat: Option<UnixMillis>,
    pub(crate) interval: Duration,
}

impl Shard {
    pub(crate) fn new(key: ShardKey) -> Self {
        Self {
            key,
            present: Vec::new(),
            excepted: Vec::new(),
            released: Vec::new(),
            ending: Vec::new(),
            spans: Vec::new(),
            turned: 0,
            grace_moved: Duration::ZERO,
            lost: Lost::Alone,
            fell: Reason::NeverSeen,
            maintenance: None,
            blind: None,
            said: None,
            up_since: None,
            version: None,
            last_heartbeat: None,
            interval: Duration::ZERO,
        }
    }

    /// Rule 3, as far as it shows: whether the best process is ready, another one, or none.
    pub(crate) fn crew(&self) -> Crew {
        match &self.present[..] {
            [] => Crew::Gone,
            processes if processes.iter().any(Process::hears) => Crew::Ready,
            _ => Crew::Busy,
        }
    }

    /// Rule 4: since when the shard, having been ready, has processes but no ready one.
    pub(crate) fn lost_at(&self) -> Option<Duration> {
        match &self.spans[..] {
            [.., Span { crew: Crew::Ready, .. }, Span { crew: Crew::Busy, from, .. }] => Some(*from),
            _ => None,
        }
    }

    /// Rule 5: since when it lacks the gateway because a process said so. A deploy whose old process
    /// leaves before the new one is ready has not lost it.
    pub(crate) fn told_lost_at(&self) -> Option<Duration> {
        self.lost_at().filter(|_| self.spans.last().is_some_and(|span| span.told))
    }

    /// The reading "Falling": ready at some time since it last fell.
    pub(crate) fn was_ready(&self) -> bool {
        self.crew() == Crew::Ready || self.lost_at().is_some()
    }

    pub(crate) fn grace_end(&self) -> Option<Duration> {
        Some(self.lost_at()? + tables::GRACE + self.grace_moved)
    }

    /// Rule 6: when the shard was ready for the last time.
    pub(crate) fn ready_until(&self) -> Option<Duration> {
        let last = self.spans.iter().rposition(|span| span.crew == Crew::Ready)?;
        Some(self.spans.get(last + 1).map_or(Duration::MAX, |next| next.from))
    }

    /// When a time during which it was ready ended last.
    pub(crate) fn last_ready(&self) -> Option<Duration> {
        let pairs = self.spans.windows(2).rev();
        pairs.filter(|pair| pair[0].crew == Crew::Ready).map(|pair| pair[1].from).next()
    }

    /// Every time at which something of the shard ends by itself that has not ended yet.
    pub(crate) fn deadlines(&self, clock: Duration) -> Vec<Duration> {
        let mut all: Vec<Duration> = self.present.iter().map(|process| process.deadline).collect();
        all.extend(self.grace_end().filter(|end| *end > clock));
        all.extend(self.maintenance.as_ref().map(|maintenance| maintenance.end));
        all.extend(self.blind.as_ref().filter(|_| self.present.is_empty()).map(|blind| blind.until));
        all
    }

    /// Ends what has ended when the clock stands at `clock`. A maintenance that ends with the
    /// silence of a process is over first.
    pub(crate) fn expire(&mut self, clock: Duration) {
        if self.maintenance.as_ref().is_some_and(|maintenance| maintenance.end <= clock) {
            self.maintenance = None;
        }
        let before = self.present.len();
        self.present.retain(|process| process.deadline > clock);
        if self.present.is_empty() && before > 0 {
            self.fall(Reason::HeartbeatTimeout);
        }
        if self.present.is_empty() && self.blind.as_ref().is_some_and(|blind| blind.until <= clock) {
            self.blind = None;
        }
    }

    /// The last process went, for this reason. The silence of one that was never ready leaves a
    /// running maintenance running (the reading "Maintenance"), and so the goodbye before it.
    pub(crate) fn fall(&mut self, reason: Reason) {
        if reason != Reason::HeartbeatTimeout || self.maintenance.is_none() {
            self.fell = reason;
            self.maintenance = None;
        }
        self.blind = None;
    }

    /// Notes how the crew is after the input number `step`.
    pub(crate) fn note(&mut self, step: usize, now: Now) {
        let crew = self.crew();
        if self.spans.last().is_none_or(|span| span.crew != crew) {
            self.spans.push(Span { crew, from: now.monotonic, step, told: self.turned == step });
            self.grace_moved = Duration::ZERO;
        }
        if self.crew() == Crew::Ready {
            self.maintenance = None;
        }
        let before = std::mem::take(&mut self.excepted);
        for guild in self.present.iter().flat_map(|process| &process.unavailable) {
            if self.excepted.iter().all(|(excepted, _)| excepted != guild) {
                let known = before.iter().find(|(excepted, _)| excepted == guild);
                self.excepted.push(known.copied().unwrap_or((*guild, Some(now.wall))));
            }
        }
        let stays = |guild: &GuildId| self.excepted.iter().any(|(excepted, _)| excepted == guild);
        self.ending = before.into_iter().map(|(guild, _)| guild).filter(|guild| !stays(guild)).collect();
        if self.lost_at().is_none() {
            self.lost = Lost::Alone;
        }
    }

    /// Says what follows, from scratch.
    pub(crate) fn say(&mut self, clock: Duration, now: Now) {
        let past = match self.grace_end() {
            Some(end) if end > clock => Past::Grace,
            Some(_) => Past::CutOff,
            None if self.maintenance.is_some() => Past::Maintenance,
            None => Past::Fallen,
        };
        if let Some(version) = self.giver() {
            self.version = Some(version);
        }
        let before = self.said.clone();
        if let (Some(blind), Some(before)) = (&self.blind, &before) {
            self.said = Some(Said { state: State::Unknown, reason: Some(blind.reason), ..before.clone() });
            return;
        }
        let (state, reason) = tables::verdict(self.crew(), past, self.lost, self.fell);
        let since = before.as_ref().filter(|before| before.known == state).map_or(now.wall, |before| before.since);
        let stayed_up = before.is_some_and(|before| is_up(before.known));
        self.up_since = self.up_since.filter(|_| stayed_up).or(Some(now.wall)).filter(|_| is_up(state));
        if is_up(state) {
            self.released.extend(self.ending.drain(..).map(|guild| (guild, now.wall)));
        }
        self.said = Some(Said { state, reason, since, known: state, known_reason: reason });
    }

    /// The reading "Version": the ready process whose first beat is newest, if it has said one.
    fn giver(&self) -> Option<Name> {
        self.present.iter().filter(|process| process.hears()).max_by_key(|process| process.first)?.version.clone()
    }
}
