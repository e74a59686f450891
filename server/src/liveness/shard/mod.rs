//! One shard: the processes that beat for it, and what is said of it.

mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bounds::{MOST_EXCEPTIONS_OF_A_SHARD, MOST_PROCESSES};
use super::process::{Heard, LostGateway, Process, freshness};
use super::{Monotonic, Now};
use crate::wire::{
    Beat, DEFAULT_INTERVAL, Facts, GatewayState, Goodbye, GuildId, Name, Reason, Revision, ShardDetail, ShardKey,
    ShardReport, State, UnixMillis,
};

/// How long a shard that lost Discord is given to come back (rule 4).
const RECONNECT_GRACE: Duration = Duration::from_secs(15);

/// Why the last process of a shard went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fall {
    Timeout,
    Goodbye { expected_back: Option<Duration> },
    Fatal,
}

/// A shard that beats but lost Discord after having been ready.
#[derive(Debug)]
pub(super) struct Lost {
    at: Monotonic,
    /// The end of its grace, until that has passed.
    until: Option<Monotonic>,
    /// A ready process itself reported the loss; it did not just leave others behind.
    by_gateway: bool,
    /// Most shards of the generation lost Discord with it (rule 5).
    pub(super) outage: bool,
}

#[derive(Debug)]
struct Maintenance {
    until: Monotonic,
    expected_back: UnixMillis,
}

/// What was said is in doubt, by our own fault, until a process is heard (rule 8).
#[derive(Debug)]
struct Doubt {
    reason: Reason,
    /// The end for a shard without processes; with processes, the last of them ends it.
    until: Option<Monotonic>,
}

/// What would be said without any doubt, and why.
type Known = (State, Option<Reason>);

/// What viewers were last told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    state: State,
    reason: Option<Reason>,
    expected_back: Option<UnixMillis>,
    version: Option<Name>,
}

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) key: ShardKey,
    pub(super) processes: Vec<Process>,
    /// Ready at some time since it last fell.
    was_ready: bool,
    pub(super) lost: Option<Lost>,
    maintenance: Option<Maintenance>,
    fallen: Reason,
    /// What guilds last chose their generation by.
    choice: (bool, bool, Reason),
    doubt: Option<Doubt>,
    /// What was known before the doubt, as long as `Unknown` is said because of it.
    doubted: Option<Known>,
    pub(super) ready: bool,
    /// When it was ready for the first time, and when it last ceased to be.
    pub(super) first_ready: Option<Monotonic>,
    pub(super) last_ready: Option<Monotonic>,
    /// Its loss of the gateway as its generation counts it.
    pub(super) counted_loss: Option<Monotonic>,
    /// Its guilds that are reported as unavailable, and since when.
    excepted: BTreeMap<GuildId, UnixMillis>,
    /// Its guilds whose exception ended while the shard was up, and when; until it is not.
    released: BTreeMap<GuildId, UnixMillis>,
    /// Since when its exceptions show (rule 7).
    up_since: UnixMillis,
    last_heartbeat: Option<UnixMillis>,
    /// The interval of the last beat.
    interval: Duration,
    said: Said,
    since: UnixMillis,
    /// The number of its newest transition.
    number: u64,
    /// The time of its earliest entry among the timers.
    pub(super) armed: Option<Monotonic>,
    /// What is stored of it may be out of date, but for the last beat.
    changed: bool,
}

impl Shard {
    pub(super) fn new(key: ShardKey, since: UnixMillis) -> Self {
        Self {
            key,
            processes: Vec::new(),
            was_ready: false,
            lost: None,
            maintenance: None,
            fallen: Reason::NeverSeen,
            choice: (false, false, Reason::NeverSeen),
            doubt: None,
            doubted: None,
            ready: false,
            first_ready: None,
            last_ready: None,
            counted_loss: None,
            excepted: BTreeMap::new(),
            released: BTreeMap::new(),
            up_since: since,
            last_heartbeat: None,
            interval: DEFAULT_INTERVAL,
            said: Said { state: State::Unknown, reason: Some(Reason::NeverSeen), expected_back: None, version: None },
            since,
            number: 0,
            armed: None,
            changed: true,
        }
    }

    /// The session of the process that a beat would be of, if that is another than the beat's.
    pub(super) fn other_session(&self, beat: &Beat) -> Option<&Name> {
        let process = self.processes.iter().find(|process| process.is(beat.instance.as_ref(), beat.session.as_ref()))?;
        process.session.as_ref().filter(|session| Some(*session) != beat.session.as_ref())
    }

    /// Takes in a beat.
    pub(super) fn beat(&mut self, beat: &Beat, report: &ShardReport, order: u64, now: Now) -> Heard {
        let (instance, session) = (beat.instance.as_ref(), beat.session.as_ref());
        let known = self.processes.iter().position(|process| process.is(instance, session));
        self.doubt = None;
        self.last_heartbeat = Some(now.wall);
        self.changed |= std::mem::replace(&mut self.interval, beat.interval) != beat.interval;
        if report.state == GatewayState::Fatal {
            let gone = known.map(|index| self.processes.remove(index));
            if self.processes.is_empty() {
                self.fall(Fall::Fatal, now);
            }
            self.changed = true;
            let ended = gone.map(|process| process.unavailable).unwrap_or_default();
            return Heard { ended, gateway: LostGateway::No, changed: true };
        }
        let displaced = if known.is_none() { self.make_room() } else { BTreeSet::new() };
        let index = known.unwrap_or_else(|| {
            self.processes.push(Process::new(beat.instance.clone(), beat.session.clone(), order));
            self.processes.len() - 1
        });
        let mut heard = self.processes[index].beat(beat, report, order, now);
        heard.ended.extend(displaced);
        self.changed |= heard.changed;
        heard
    }

    /// Where there are as many processes as there may be, the one that will be silent first goes;
    /// returns the guilds that it reported.
    fn make_room(&mut self) -> BTreeSet<GuildId> {
        if self.processes.len() < MOST_PROCESSES {
            return BTreeSet::new();
        }
        let first = (0..self.processes.len()).min_by_key(|index| self.processes[*index].deadline);
        self.processes.remove(first.expect("there are many")).unavailable
    }

    /// Takes the processes that the goodbye speaks for off the shard; `None` if there are none.
    pub(super) fn goodbye(&mut self, goodbye: &Goodbye, now: Now) -> Option<BTreeSet<GuildId>> {
        let leaves = |process: &Process| {
            process.instance == goodbye.instance && (goodbye.session.is_none() || process.session == goodbye.session)
        };
        let ended = self.remove(leaves)?;
        self.doubt = None;
        if self.processes.is_empty() {
            self.fall(Fall::Goodbye { expected_back: goodbye.expected_back }, now);
        }
        Some(ended)
    }

    /// Lets everything happen that is due, all of it at this moment; returns the guilds whose report
    /// ended with a process.
    pub(super) fn expire(&mut self, now: Now) -> BTreeSet<GuildId> {
        let past = |until: &mut Monotonic| *until <= now.monotonic;
        // A maintenance that is over is none that the silence of a process could leave running.
        // Under doubt nobody is told of its end, but it is stored.
        self.changed |= self.maintenance.take_if(|maintenance| past(&mut maintenance.until)).is_some();
        let ended = self.remove(|process| process.deadline <= now.monotonic);
        if ended.is_some() && self.processes.is_empty() {
            self.fall(Fall::Timeout, now);
        }
        if let Some(lost) = &mut self.lost {
            lost.until.take_if(past);
        }
        self.doubt.take_if(|doubt| doubt.until.as_mut().is_some_and(past));
        ended.unwrap_or_default()
    }

    fn remove(&mut self, leaves: impl Fn(&Process) -> bool) -> Option<BTreeSet<GuildId>> {
        let gone = self.processes.extract_if(.., |process| leaves(process));
        let ended = gone.map(|process| process.unavailable).reduce(|mut all, more| {
            all.extend(more);
            all
        });
        self.changed |= ended.is_some();
        ended
    }

    fn fall(&mut self, why: Fall, now: Now) {
        self.was_ready = false;
        self.lost = None;
        self.doubt = None;
        match why {
            // The silence of a process that was not ready yet does not end a maintenance.
            Fall::Timeout if self.maintenance.is_some() => {}
            Fall::Timeout => self.fallen = Reason::HeartbeatTimeout,
            Fall::Fatal => {
                self.fallen = Reason::Fatal;
                self.maintenance = None;
            }
            Fall::Goodbye { expected_back } => {
                self.fallen = Reason::Goodbye;
                self.maintenance = expected_back
                    .map(|time| Maintenance { until: now.monotonic + time, expected_back: now.wall.saturating_add(time) });
            }
        }
    }

    /// The next time at which [`Self::expire`] has something to do.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let deadlines = self.processes.iter().map(|process| process.deadline);
        let rest = [
            self.lost.as_ref().and_then(|lost| lost.until),
            self.maintenance.as_ref().map(|maintenance| maintenance.until),
            self.doubt.as_ref().and_then(|doubt| doubt.until),
        ];
        deadlines.chain(rest.into_iter().flatten()).min()
    }

    /// The machine slept: what we know is old, and every deadline starts anew (rule 8).
    pub(super) fn suspended(&mut self, slept: Duration, now: Monotonic) {
        for process in &mut self.processes {
            process.deadline = process.deadline.max(now + freshness(process.interval));
        }
        if let Some(until) = self.lost.as_mut().and_then(|lost| lost.until.as_mut()) {
            *until = (*until).max(now + RECONNECT_GRACE);
        }
        if let Some(maintenance) = &mut self.maintenance {
            // The time that was announced is on the wall, and that went on.
            maintenance.until = maintenance.until.saturating_sub(slept);
        }
        if self.doubt.is_none() && !self.processes.is_empty() {
            self.doubt = Some(Doubt { reason: Reason::ServerSuspended, until: None });
            self.doubted = Some((self.said.state, self.said.reason));
        }
    }

    /// Our own loop was late: every deadline moves by the lateness and one interval (rule 8).
    pub(super) fn late(&mut self, by: Duration) {
        for process in &mut self.processes {
            process.deadline += by + process.interval;
        }
        let untils = [
            self.lost.as_mut().and_then(|lost| lost.until.as_mut()),
            self.maintenance.as_mut().map(|maintenance| &mut maintenance.until),
            self.doubt.as_mut().and_then(|doubt| doubt.until.as_mut()),
        ];
        for until in untils.into_iter().flatten() {
            *until += by + DEFAULT_INTERVAL;
        }
    }

    /// Draws the conclusions from what is known. `next` gives the number of a new transition; it
    /// is asked for, and the answer is true, if there is something new to say.
    pub(super) fn settle(&mut self, gateway: LostGateway, now: Now, next: impl FnOnce() -> u64) -> bool {
        let ready = self.processes.iter().any(Process::is_ready);
        if ready {
            self.was_ready = true;
            self.lost = None;
            self.maintenance = None;
            self.first_ready.get_or_insert(now.monotonic);
        } else if self.was_ready && self.lost.is_none() && !self.processes.is_empty() {
            let until = Some(now.monotonic + RECONNECT_GRACE);
            self.lost = Some(Lost { at: now.monotonic, until, by_gateway: gateway == LostGateway::Yes, outage: false });
        }
        if self.ready && !ready {
            self.last_ready = Some(now.monotonic);
        }
        self.ready = ready;

        let said = self.say();
        if said == self.said {
            return false;
        }
        if said.state.is_healthy() && !self.held().is_healthy() {
            self.up_since = now.wall;
        }
        if self.doubt.is_none() {
            let resumed = self.doubted.is_some_and(|(state, _)| state == said.state);
            if said.state != self.said.state && !resumed {
                self.since = now.wall;
            }
            if !said.state.is_healthy() {
                self.released.clear();
            }
            self.doubted = None;
        }
        self.said = said;
        self.number = next();
        self.changed = true;
        true
    }

    /// The status by rules 3, 4, 5 and 8.
    fn say(&self) -> Said {
        let (state, reason) = self.doubt.as_ref().map_or_else(|| self.known(), |doubt| (State::Unknown, Some(doubt.reason)));
        let expected_back = self.maintenance.as_ref().filter(|_| state == State::Maintenance);
        let newest = self.processes.iter().filter(|process| process.is_ready()).max_by_key(|process| process.first);
        let version = newest.and_then(|process| process.version.clone()).or_else(|| self.said.version.clone());
        Said { state, reason, expected_back: expected_back.map(|maintenance| maintenance.expected_back), version }
    }

    /// The state that is said, or was before the doubt.
    fn held(&self) -> State {
        self.doubted.map_or(self.said.state, |(state, _)| state)
    }

    fn known(&self) -> Known {
        let best = self.processes.iter().max_by_key(|process| process.rank());
        match (best, &self.lost, &self.maintenance) {
            (Some(best), ..) if best.is_ready() => (State::Online, None),
            (Some(_), Some(lost), _) => {
                let cut_off = if lost.until.is_some() { Reason::Resuming } else { Reason::GatewayDisconnected };
                let state = if lost.until.is_some() { State::Reconnecting } else { State::Offline };
                (state, Some(if lost.outage { Reason::DiscordOutage } else { cut_off }))
            }
            (_, None, Some(_)) => (State::Maintenance, Some(Reason::Goodbye)),
            (Some(_), None, None) => (State::Offline, Some(Reason::Starting)),
            (None, ..) => (State::Offline, Some(self.fallen)),
        }
    }

    /// Since when the guild, one of this shard, is an exception that shows or would show.
    pub(super) fn excepted_since(&self, guild: GuildId) -> Option<UnixMillis> {
        self.excepted.get(&guild).map(|since| *since.max(&self.up_since))
    }

    /// The guilds that are exceptions.
    pub(super) fn excepted(&self) -> impl Iterator<Item = GuildId> {
        self.excepted.keys().copied()
    }

    /// A process of this shard reports the guild as unavailable; false if it knew, or cannot take
    /// in any more.
    pub(super) fn except(&mut self, beat: &Beat, guild: GuildId, now: Now) -> bool {
        if self.excepted.len() >= MOST_EXCEPTIONS_OF_A_SHARD && !self.excepted.contains_key(&guild) {
            return false;
        }
        let reporter = self.processes.iter_mut().find(|process| process.speaks_for(beat));
        let reporter = reporter.expect("only a process of the shard is asked to report");
        self.changed |= reporter.unavailable.insert(guild);
        self.excepted.insert(guild, self.excepted.get(&guild).copied().unwrap_or(now.wall)).is_none()
    }

    /// Ends the guild's exception if no process reports it any longer; true if it did.
    pub(super) fn end_exception(&mut self, guild: GuildId, now: Now) -> bool {
        let reported = self.processes.iter().any(|process| process.unavailable.contains(&guild));
        let ended = !reported && self.excepted.remove(&guild).is_some();
        if ended && self.is_up() {
            self.released.insert(guild, now.wall);
        }
        ended
    }

    /// When an exception of the guild ended, if the shard was up and has been since.
    pub(super) fn released(&self, guild: GuildId) -> Option<UnixMillis> {
        self.released.get(&guild).copied()
    }

    /// Whether an exception shows (rule 7).
    pub(super) fn is_up(&self) -> bool {
        self.said.state.is_healthy()
    }

    /// What is said of a guild of this shard without an exception. `floor` is the least `seq`.
    pub(super) fn facts(&self, boot: u64, floor: u64) -> Facts {
        Facts {
            healthy: self.held().is_healthy(),
            state: self.said.state,
            reason: self.said.reason,
            last_heartbeat: self.last_heartbeat,
            version: self.said.version.clone(),
            since: self.since,
            expected_back: self.said.expected_back,
            shard: Some(self.key),
            revision: Revision { boot, seq: self.number.max(floor) },
        }
    }

    /// When it lost the gateway, if it still has (rule 5).
    pub(super) fn loss(&self) -> Option<Monotonic> {
        self.lost.as_ref().filter(|lost| lost.by_gateway).map(|lost| lost.at)
    }

    /// Whether it was ready at that time or later, fell with a goodbye, and has not been ready since.
    pub(super) fn handed_over(&self, since: Monotonic) -> bool {
        let left = !self.was_ready && self.fallen == Reason::Goodbye;
        left && self.last_ready.is_some_and(|last| last >= since)
    }

    /// Whether anything is new, since it was last asked, by which guilds choose their generation.
    pub(super) fn moves_guilds(&mut self) -> bool {
        let choice = (self.ready, self.was_ready, self.fallen);
        std::mem::replace(&mut self.choice, choice) != choice
    }

    /// The shard as operators see it.
    pub(super) fn detail(&self, boot: u64, floor: u64) -> ShardDetail {
        let instances = self.processes.iter().map(Process::detail).collect();
        ShardDetail { facts: self.facts(boot, floor), instances }
    }
}
