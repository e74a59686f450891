//! The one place that joins liveness, clock and viewers.
//!
//! One short lock holds the state machine. The receipt of a beat, what follows from it and the note
//! to the reactors are one step under it; and a reactor that takes its notes and looks at what they
//! are about does both in one step, too. So nothing can fall between the two.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::hub::{Cause, Hub};
use crate::liveness::{Applied, Input, Liveness, Monotonic, Now, Stored, TooManyShards, Transition};
use crate::metrics::Metrics;
use crate::store::{Changes, Record, Store};
use crate::wire::{Beat, Facts, Goodbye, GuildId, ShardDetail, State};

/// Beats that reached the machine before their deadline are read from their sockets before the
/// deadline is acted on (rule 2). "Announced within 50 ms" leaves room for it.
const LINGER: Duration = Duration::from_millis(10);
/// The loop looks at the clocks at least this often, to see that it was late or that we slept.
const WATCH: Duration = Duration::from_secs(1);
/// A loop that wakes later than this was held up, and so may others have been (rule 8).
const LATE: Duration = Duration::from_millis(250);
/// How often the times of the last beats are stored.
const SEEN: Duration = Duration::from_secs(10);
/// The clocks drift apart by less than this without sleep.
const SLEPT: Duration = Duration::from_millis(500);

/// Liveness, its timers, and who has to be told.
#[derive(Debug)]
pub struct Monitor {
    clock: Clock,
    boot: u64,
    metrics: Metrics,
    /// None if nothing is to outlive the process.
    store: Option<Arc<Store>>,
    hub: Hub,
    core: Mutex<Core>,
    wake: Condvar,
}

#[derive(Debug)]
struct Core {
    liveness: Liveness,
    /// When the loop means to wake, while it waits for something to be due.
    armed: Option<Monotonic>,
    stopped: bool,
}

impl Monitor {
    /// A monitor that goes on from what an earlier run stored. `boot` is the first half of its
    /// revisions.
    pub fn new(clock: Clock, boot: u64, stored: Stored, store: Option<Arc<Store>>, hub: Hub, metrics: Metrics) -> Self {
        let liveness = Liveness::new(boot, stored, clock.now());
        let core = Core { liveness, armed: None, stopped: false };
        Self { clock, boot, metrics, store, hub, core: Mutex::new(core), wake: Condvar::new() }
    }

    /// The first half of all revisions.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// The clock by which beats are received.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Takes in a beat; returns how many shards it counted for.
    ///
    /// # Errors
    ///
    /// When it would be more shards than there may be; then nothing has changed.
    pub fn beat(&self, beat: &Beat) -> Result<usize, TooManyShards> {
        // Viewers wait for the lock, too.
        let cause = Cause::Received(self.clock.monotonic());
        let core = self.lock();
        core.liveness.has_room_for(beat)?;
        Ok(self.apply(core, Input::Beat(beat), cause))
    }

    /// Takes in a goodbye; returns from how many shards the process was taken.
    pub fn goodbye(&self, goodbye: &Goodbye) -> usize {
        let cause = Cause::Received(self.clock.monotonic());
        self.apply(self.lock(), Input::Goodbye(goodbye), cause)
    }

    /// What is said of the guild now.
    pub fn facts(&self, guild: GuildId) -> Facts {
        self.lock().liveness.facts(guild)
    }

    /// All shards of all generations.
    pub fn shards(&self) -> Vec<ShardDetail> {
        self.lock().liveness.shards()
    }

    /// How many of the shards that guilds use are in each state.
    pub fn states(&self) -> HashMap<State, usize> {
        let mut counts = HashMap::new();
        self.lock().liveness.states().for_each(|state| *counts.entry(state).or_default() += 1);
        counts
    }

    /// What is said of each of these guilds at one moment, and when that was.
    pub fn snapshot(&self, guilds: &[GuildId]) -> (Now, Vec<Facts>) {
        let core = self.lock();
        (self.clock.now(), guilds.iter().map(|guild| core.liveness.facts(*guild)).collect())
    }

    /// Looks at all that is known at one moment. Beats wait meanwhile, so it has to be short.
    pub fn look<T>(&self, at: impl FnOnce(&Liveness) -> T) -> T {
        at(&self.lock().liveness)
    }

    /// Announces deadlines until [`stop`](Self::stop) is called. Blocks; runs on a thread of its
    /// own, so that no load of requests can hold it up.
    pub fn run(&self) {
        let mut core = self.lock();
        let now = self.clock.now().monotonic;
        let mut watch = Watch { expected: now, slept: self.clock.slept(), seen: now + SEEN };
        while !core.stopped {
            if let Some(trouble) = self.look_at_clocks(&mut core, &mut watch) {
                // A log that nobody reads can block; beats must not wait for it.
                drop(core);
                self.hub.wake();
                tracing::warn!("{trouble}");
                core = self.lock();
                watch.expected = self.clock.now().monotonic;
            }
            let now = self.clock.now();
            // The time up to which all beats have been read.
            let settled = now.monotonic.saturating_sub(LINGER);
            let due = core.liveness.next_deadline();
            if due.is_some_and(|due| due <= settled) {
                let applied = core.liveness.apply(Input::Tick, Now { monotonic: settled, ..now });
                self.settle(&mut core, &applied, now, Cause::Time);
                self.hub.wake();
                continue;
            }
            if watch.seen <= now.monotonic {
                watch.seen = now.monotonic + SEEN;
                self.keep_last_heartbeats(&core);
            }
            let until = due.map_or(now.monotonic + WATCH, |due| (due + LINGER).min(now.monotonic + WATCH));
            watch.expected = until;
            core.armed = Some(until);
            core = self.wake.wait_timeout(core, until - now.monotonic).unwrap_or_else(|_| give_up()).0;
            core.armed = None;
            // It may have been woken early.
            watch.expected = until.min(self.clock.now().monotonic);
        }
    }

    /// Lets [`run`](Self::run) return, and hands the store what it does not have yet.
    pub fn stop(&self) {
        let mut core = self.lock();
        core.stopped = true;
        self.keep_last_heartbeats(&core);
        self.wake.notify_all();
    }

    fn keep_last_heartbeats(&self, core: &Core) {
        let Some(store) = &self.store else { return };
        let changes = Changes { seen: core.liveness.last_heartbeats().collect(), ..Changes::default() };
        store.put(changes, self.clock.monotonic());
    }

    /// Moves the deadlines if the loop is later than it meant to be, or if the machine slept
    /// (rule 8). Our own trouble must not look like the bot's. Returns what to say of it.
    fn look_at_clocks(&self, core: &mut Core, watch: &mut Watch) -> Option<String> {
        let now = self.clock.now();
        let late = now.monotonic.saturating_sub(watch.expected);
        watch.expected = now.monotonic;
        let late = (late > LATE).then(|| {
            let applied = core.liveness.apply(Input::Late(late), now);
            self.settle(core, &applied, now, Cause::Time);
            format!("the monitor was held up for {} ms; deadlines move by as much", late.as_millis())
        });
        let slept = self.clock.slept();
        let by = slept.saturating_sub(watch.slept);
        let slept = (by >= SLEPT).then(|| {
            watch.slept = slept;
            let applied = core.liveness.apply(Input::Suspended(by), now);
            self.settle(core, &applied, now, Cause::Time);
            format!("the machine slept for {} ms; nobody is called offline for it", by.as_millis())
        });
        [late, slept].into_iter().flatten().reduce(|late, slept| format!("{late}; {slept}"))
    }

    fn apply(&self, mut core: MutexGuard<'_, Core>, input: Input<'_>, cause: Cause) -> usize {
        // Receipt is read under the lock, so that no deadline passes between the two.
        let now = self.clock.now();
        let applied = core.liveness.apply(input, now);
        let accepted = applied.accepted;
        self.settle(&mut core, &applied, now, cause);
        let next = core.liveness.next_deadline().map(|next| next + LINGER);
        if core.armed.is_some_and(|armed| next.is_some_and(|next| next < armed)) {
            self.wake.notify_all();
        }
        drop(core);
        self.hub.wake();
        accepted
    }

    /// Tells viewers first, then the store. Whoever calls this has to wake the hub.
    fn settle(&self, core: &mut Core, applied: &Applied, now: Now, cause: Cause) {
        if !applied.transitions.is_empty() {
            self.hub.note(&applied.transitions, cause);
        }
        if applied.generations || !applied.shards.is_empty() || !applied.transitions.is_empty() {
            let changes = core.changes(applied, now);
            self.metrics.count_transitions(changes.records.iter().map(|record| record.facts.reason));
            if let Some(store) = &self.store {
                store.put(changes, now.monotonic);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(|_| give_up())
    }
}

/// What the loop of the monitor compares the clocks with.
struct Watch {
    /// When it meant to be where it is.
    expected: Monotonic,
    /// How long the machine had slept.
    slept: Duration,
    /// When the times of the last beats are to be stored next.
    seen: Monotonic,
}

/// A thread panicked while it changed the state, which may now be half of one and half of another.
/// A status derived from it could be wrong for ever; a new start is right within seconds.
fn give_up<T>() -> T {
    tracing::error!("the state of the monitor is broken by a panic; the process ends, to be started anew");
    std::process::abort()
}

impl Core {
    /// What the store is to know of an input: of each shard and guild the newest.
    fn changes(&self, applied: &Applied, now: Now) -> Changes {
        let liveness = &self.liveness;
        let mut told = HashSet::new();
        let record = |transition: &Transition| {
            let (guild, facts) = match transition {
                Transition::Shard(key) => (None, liveness.shard_facts(*key)),
                Transition::Guild(guild) => (Some(*guild), liveness.facts(*guild)),
                Transition::Routing => return None,
            };
            told.insert((guild, facts.shard)).then_some(Record { at: now.wall, guild, facts })
        };
        Changes {
            records: applied.transitions.iter().filter_map(record).collect(),
            shards: applied.shards.iter().filter_map(|key| Some((*key, liveness.stored_shard(*key)?))).collect(),
            generations: applied.generations.then(|| liveness.stored_generations()),
            ..Changes::default()
        }
    }
}
