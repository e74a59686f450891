//! What must be said of every guild, worked out slowly from section 3 of the design and from
//! `docs/decisions/0002-readings-of-the-liveness-rules.md`.
//!
//! It shares nothing with the machine it judges: no timers, no counters, no caches. It keeps who
//! spoke and how every shard's crew changed, and after every input it looks at everything anew.

mod asleep;
mod open;
mod routes;
mod shard;
mod tables;
mod words;

use std::time::Duration;

use guildpulse::liveness::{Input, Now};
use guildpulse::wire::{GuildId, Name, Reason, ShardKey, State, UnixMillis};

use routes::Generation;
use shard::Shard;
use words::Session;

/// What must be said of a guild. The revision is not among it: its rules are checked by the rig.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expected {
    pub(crate) healthy: bool,
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
    pub(crate) last_heartbeat: Option<UnixMillis>,
    pub(crate) version: Option<Name>,
    /// `None` where the stored facts do not tell: an exception from before a restart.
    pub(crate) since: Option<UnixMillis>,
    pub(crate) expected_back: Option<UnixMillis>,
    pub(crate) shard: Option<ShardKey>,
}

/// Everything that was heard.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    started: UnixMillis,
    /// The time of the newest input.
    now: Now,
    /// The time of the newest tick: every deadline up to here is over.
    clock: Duration,
    /// Numbers the inputs.
    step: usize,
    /// In the order of their first beats.
    generations: Vec<Generation>,
    /// In the order of their first words.
    sessions: Vec<Session>,
}

impl Oracle {
    pub(crate) fn new(now: Now) -> Self {
        let (generations, sessions) = (Vec::new(), Vec::new());
        Self { started: now.wall, now, clock: Duration::ZERO, step: 0, generations, sessions }
    }

    /// Takes an input in and returns for how many shards it counts.
    pub(crate) fn apply(&mut self, input: Input<'_>, now: Now) -> usize {
        // Rule 2: beats are fed before timers, so nothing is over until a tick says so.
        if let Input::Tick = input {
            self.advance(now.monotonic, now);
        }
        self.now = now;
        self.step += 1;
        let accepted = match input {
            Input::Beat(beat) => {
                let accepted = self.beat(beat);
                self.forget_those_too_many();
                accepted
            }
            Input::Goodbye(goodbye) => self.goodbye(goodbye),
            Input::Tick => 0,
            Input::Suspended(slept) => self.suspended(slept),
            Input::Late(by) => self.late(by),
        };
        self.review();
        accepted
    }

    /// Lets everything happen that is due at `clock`, all of it at this moment.
    fn advance(&mut self, clock: Duration, now: Now) {
        self.now = now;
        let is_due = self.deadlines().into_iter().any(|due| due <= clock);
        self.clock = self.clock.max(clock);
        if !is_due {
            return;
        }
        self.step += 1;
        let clock = self.clock;
        for shard in self.shards_mut() {
            shard.expire(clock);
        }
        self.forget_generations();
        self.review();
    }

    /// Every time from now on at which something may change by itself.
    fn deadlines(&self) -> Vec<Duration> {
        let mut all: Vec<Duration> = self.shards().flat_map(|shard| shard.deadlines(self.clock)).collect();
        all.extend(self.mortal().map(|generation| generation.last_beat + tables::MEMORY));
        all
    }

    /// Looks at everything anew.
    fn review(&mut self) {
        let (step, clock, now) = (self.step, self.clock, self.now);
        for shard in self.shards_mut() {
            shard.note(step, now);
        }
        for generation in &mut self.generations {
            generation.mark_outage(step, now.monotonic);
        }
        for shard in self.shards_mut() {
            shard.say(clock, now);
        }
        self.count_generations();
    }

    /// What must be said of the guild.
    pub(crate) fn facts(&self, guild: GuildId) -> Expected {
        let route = self.route(guild);
        let Some(shard) = route.and_then(|key| self.shard(key)) else { return self.never_seen(route) };
        let facts = self.shard_facts(shard);
        let Some((_, began)) = shard.excepted.iter().find(|(excepted, _)| *excepted == guild) else {
            // Section 2.1: its state holds since the exception ended, if the shard's holds longer.
            let released = shard.released.iter().filter(|(released, _)| *released == guild).map(|(_, until)| *until).max();
            return Expected { since: facts.since.max(released), ..facts };
        };
        // Rule 7 and its reading: shown over a healthy shard; under `unknown` only `healthy` is false.
        match facts.state {
            State::Online | State::Reconnecting => {
                let since = (*began).max(shard.up_since).filter(|_| began.is_some());
                Expected { healthy: false, state: State::Unavailable, reason: Some(Reason::DiscordOutage), since, ..facts }
            }
            State::Unknown => Expected { healthy: false, ..facts },
            State::Offline | State::Maintenance | State::Unavailable => facts,
        }
    }

    /// What must be said of the shard's guilds.
    pub(crate) fn shard_facts(&self, shard: &Shard) -> Expected {
        let Some(said) = &shard.said else { return self.never_seen(Some(shard.key)) };
        let in_maintenance = said.state == State::Maintenance;
        Expected {
            healthy: said.healthy(),
            state: said.state,
            reason: said.reason,
            last_heartbeat: shard.last_heartbeat,
            version: shard.version.clone(),
            since: Some(said.since),
            expected_back: shard.maintenance.as_ref().filter(|_| in_maintenance).map(|maintenance| maintenance.shown),
            shard: Some(shard.key),
        }
    }

    /// Section 2.1: of a guild whose shard was never heard of.
    fn never_seen(&self, shard: Option<ShardKey>) -> Expected {
        Expected {
            healthy: false,
            state: State::Unknown,
            reason: Some(Reason::NeverSeen),
            last_heartbeat: None,
            version: None,
            since: Some(self.started),
            expected_back: None,
            shard,
        }
    }

    /// The next time at which something that can be seen changes by itself.
    pub(crate) fn next_change(&self, guilds: &[GuildId]) -> Option<Duration> {
        let look = |oracle: &Self| -> Vec<Expected> { guilds.iter().map(|guild| oracle.facts(*guild)).collect() };
        let today = look(self);
        let mut deadlines = self.deadlines();
        deadlines.sort_unstable();
        deadlines.dedup();
        deadlines.into_iter().find(|deadline| {
            let mut later = self.clone();
            later.advance(*deadline, Now { monotonic: *deadline, ..self.now });
            look(&later) != today
        })
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.generations.iter().flat_map(|generation| &generation.shards)
    }

    fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.generations.iter_mut().flat_map(|generation| &mut generation.shards)
    }

    fn shard(&self, key: ShardKey) -> Option<&Shard> {
        self.shards().find(|shard| shard.key == key)
    }
}
