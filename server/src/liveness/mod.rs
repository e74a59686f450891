//! The nine rules of liveness (PROTOCOL.md, "Liveness") as a pure state machine.
//!
//! It owns what is known of every shard and derives from it what is said of every guild. It must
//! never know a clock, a task, a socket or a file: time is an argument, and what follows from an
//! input is returned.

mod apply;
mod bounds;
mod exceptions;
mod generation;
mod process;
mod routing;
mod sessions;
mod shard;
mod stored;
mod timers;

use std::collections::BTreeSet;
use std::time::Duration;

use exceptions::Exceptions;
use generation::{Generation, next};
use process::LostGateway;
use sessions::Sessions;
use shard::Shard;
use timers::Timers;

pub use bounds::TooManyShards;
pub use stored::{Stored, StoredGeneration, StoredProcess, StoredShard};

use crate::wire::{Beat, Facts, Goodbye, GuildId, Reason, Revision, ShardDetail, ShardKey, State, UnixMillis};

/// A point on the server's monotonic clock, counted from an origin that the caller chooses. What is
/// [`Stored`] of it is compared with that of later runs, so they should share it, more or less: the
/// Unix epoch does.
pub type Monotonic = Duration;

/// The time at which an input is applied, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Decides about deadlines; never goes back.
    pub monotonic: Monotonic,
    /// Only ever shown, as `lastHeartbeat`, `since` and `expectedBack`.
    pub wall: UnixMillis,
}

/// Everything that can happen.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A beat was received.
    Beat(&'a Beat),
    /// A goodbye was received.
    Goodbye(&'a Goodbye),
    /// Time passed: every deadline up to now is due. All beats received until now were fed before;
    /// to be sure of that, the time of a tick may lag behind that of beats.
    Tick,
    /// The machine slept for this long, unseen by the monotonic clock.
    Suspended(Duration),
    /// The caller's own loop woke this much later than it meant to (rule 8). From which lateness
    /// on it says so is up to the caller.
    Late(Duration),
}

/// What followed from an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many shards a beat counted for, or a goodbye removed the process from.
    pub accepted: usize,
    /// What changed, in order.
    pub transitions: Vec<Transition>,
    /// The shards of which [`Liveness::stored_shard`] may have changed, but for their last beat.
    pub shards: BTreeSet<ShardKey>,
    /// Whether [`Liveness::stored_generations`] may have changed.
    pub generations: bool,
}

/// A change that viewers are to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// The status of the shard changed, and with it that of every guild that uses it.
    Shard(ShardKey),
    /// The status of one guild changed, by an exception that began or ended.
    Guild(GuildId),
    /// Guilds may use the shard of another generation than before: see [`Liveness::route`].
    Routing,
}

impl Transition {
    /// The shard whose status changed.
    fn shard(&self) -> Option<ShardKey> {
        match self {
            Self::Shard(key) => Some(*key),
            Self::Guild(_) | Self::Routing => None,
        }
    }
}

/// Everything that is known of the bot.
#[derive(Debug)]
pub struct Liveness {
    boot: u64,
    /// The number of the newest transition.
    seq: u64,
    /// The least number of any guild; raised when something is forgotten or guilds may have moved.
    floor: u64,
    started: UnixMillis,
    /// In the order of their first beats.
    generations: Vec<Generation>,
    sessions: Sessions,
    exceptions: Exceptions,
    timers: Timers,
    /// Orders processes by their first beat.
    order: u64,
}

impl Liveness {
    /// A machine that goes on from what an earlier run stored (rule 8). `boot` is the first half
    /// of its revisions.
    pub fn new(boot: u64, stored: Stored, now: Now) -> Self {
        let mut machine = Self {
            boot,
            seq: 0,
            floor: 0,
            started: now.wall,
            generations: Vec::new(),
            sessions: Sessions::default(),
            exceptions: Exceptions::default(),
            timers: Timers::default(),
            order: 0,
        };
        for StoredGeneration { count, counts } in stored.generations {
            let mut generation = Generation::new(count, now.monotonic);
            generation.counts = counts;
            machine.generations.push(generation);
        }
        for shard in stored.shards {
            machine.restore(shard, now);
        }
        machine.count_generations();
        machine
    }

    fn restore(&mut self, stored: StoredShard, now: Now) {
        let key = stored.key;
        let Some(index) = self.generations.iter().position(|generation| generation.count == key.count) else { return };
        for process in &stored.processes {
            if let Some(session) = &process.session {
                self.sessions.restore(process.instance.as_ref(), session, now.monotonic);
            }
        }
        let shard = Shard::restore(stored, &mut self.order, now);
        shard.excepted().for_each(|guild| self.exceptions.change(guild, self.seq));
        self.generations[index].shards.insert(key.id, shard);
        self.settle(index, key.id, LostGateway::No, now, &mut Changes::default());
    }

    /// Applies an input. `now` never goes back, but for ticks.
    pub fn apply(&mut self, input: Input<'_>, now: Now) -> Applied {
        let mut changes = Changes::default();
        match input {
            Input::Beat(beat) => self.beat(beat, now, &mut changes),
            Input::Goodbye(goodbye) => self.goodbye(goodbye, now, &mut changes),
            Input::Tick => self.tick(now, &mut changes),
            Input::Suspended(slept) => self.each_shard(now, &mut changes, |shard| shard.suspended(slept, now.monotonic)),
            Input::Late(by) => self.each_shard(now, &mut changes, |shard| shard.late(by)),
        }
        for generation in &mut self.generations {
            generation.look_for_outage(now, &mut self.seq, &mut changes.applied.transitions);
        }
        let counted = self.count_generations();
        changes.applied.generations = counted || changes.born;
        if counted || (changes.moved && self.generations.len() > 1) || changes.born {
            self.floor = next(&mut self.seq);
            changes.applied.transitions.push(Transition::Routing);
        }
        self.tidy_timers();
        let Applied { transitions, shards, .. } = &mut changes.applied;
        shards.extend(transitions.iter().filter_map(Transition::shard));
        changes.applied
    }

    /// When [`Input::Tick`] is due next; at that time or before, never after the next deadline.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let forgotten = self.mortal_generations().map(|generation| generation.last_beat + generation::MEMORY);
        forgotten.chain(self.timers.next()).min()
    }

    /// What is said of the guild now.
    pub fn facts(&self, guild: GuildId) -> Facts {
        let Some(key) = self.route(guild) else { return self.never_seen(None) };
        let mut facts = self.shard_facts(key);
        let Some(number) = self.exceptions.get(guild) else { return facts };
        facts.revision.seq = facts.revision.seq.max(number);
        let Some(shard) = self.shard(key) else { return facts };
        let Some(since) = shard.excepted_since(guild) else {
            facts.since = facts.since.max(shard.released(guild).unwrap_or(facts.since));
            return facts;
        };
        facts.healthy = false;
        if shard.is_up() {
            facts.state = State::Unavailable;
            facts.reason = Some(Reason::DiscordOutage);
            facts.since = since;
        }
        facts
    }

    /// What is said of every guild that uses the shard and [has no exception](Self::shares).
    pub fn shard_facts(&self, key: ShardKey) -> Facts {
        self.shard(key).map_or_else(|| self.never_seen(Some(key)), |shard| shard.facts(self.boot, self.floor))
    }

    /// What is said of every guild that is [routed](Self::route) there and [has no
    /// exception](Self::shares).
    pub fn place_facts(&self, place: Option<ShardKey>) -> Facts {
        place.map_or_else(|| self.never_seen(None), |key| self.shard_facts(key))
    }

    /// Whether the facts of the guild are those of the shard it uses. If not, they have to be
    /// asked for one by one.
    pub fn shares(&self, guild: GuildId) -> bool {
        self.exceptions.get(guild).is_none()
    }

    /// All shards of all generations.
    pub fn shards(&self) -> Vec<ShardDetail> {
        let mut shards: Vec<&Shard> = self.generations.iter().flat_map(|generation| generation.shards.values()).collect();
        shards.sort_unstable_by_key(|shard| (shard.key.count, shard.key.id));
        shards.into_iter().map(|shard| shard.detail(self.boot, self.floor)).collect()
    }

    /// What is said of each shard that guilds use, in one word.
    pub fn states(&self) -> impl Iterator<Item = State> {
        let shards = self.generations.iter().flat_map(|generation| generation.shards.values());
        let used = shards.filter(|shard| self.generations.len() == 1 || self.is_used(shard.key));
        used.map(|shard| shard.facts(self.boot, self.floor).state)
    }

    fn never_seen(&self, shard: Option<ShardKey>) -> Facts {
        Facts {
            healthy: false,
            state: State::Unknown,
            reason: Some(Reason::NeverSeen),
            last_heartbeat: None,
            version: None,
            since: self.started,
            expected_back: None,
            shard,
            revision: Revision { boot: self.boot, seq: self.floor },
        }
    }

    fn shard(&self, key: ShardKey) -> Option<&Shard> {
        self.generations.iter().find(|generation| generation.count == key.count)?.shards.get(&key.id)
    }
}

/// What an input changed, gathered while it is applied.
#[derive(Debug, Default)]
struct Changes {
    applied: Applied,
    /// Guilds may move between generations.
    moved: bool,
    /// A generation was heard of for the first time, or forgotten.
    born: bool,
}
