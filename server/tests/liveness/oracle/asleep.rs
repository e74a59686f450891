//! Rule 8: restarts, sleep and late loops, the times during which it was us who were away.

use std::time::Duration;

use guildpulse::liveness::{Now, Stored, StoredGeneration, StoredProcess, StoredShard};
use guildpulse::wire::{GatewayState, Reason, State, UnixMillis};

use super::Oracle;
use super::routes::Generation;
use super::shard::{Blind, Process, Shard};
use super::tables::{self, Crew, Lost};

impl Oracle {
    /// The machine slept, which the monotonic clock did not see.
    pub(crate) fn suspended(&mut self, slept: Duration) -> usize {
        let (now, clock) = (self.now, self.clock);
        for shard in self.shards_mut() {
            if let Some(maintenance) = &mut shard.maintenance {
                maintenance.end = maintenance.end.saturating_sub(slept);
            }
            // One that had fallen has no deadline that could have been missed asleep.
            if !shard.present.is_empty() {
                shard.go_blind(Reason::ServerSuspended, clock, now);
            }
        }
        0
    }

    /// Our own loop woke late: every deadline moves by the lateness and one interval. Whether it was
    /// late enough is for the caller to say, who alone knows when it meant to wake.
    pub(crate) fn late(&mut self, by: Duration) -> usize {
        let clock = self.clock;
        let others = by + tables::NOBODYS_INTERVAL;
        for shard in self.shards_mut() {
            for process in &mut shard.present {
                process.deadline += by + process.interval;
            }
            if shard.grace_end().is_some_and(|end| end > clock) {
                shard.grace_moved += others;
            }
            if let Some(blind) = &mut shard.blind {
                blind.until += others;
            }
            if let Some(maintenance) = &mut shard.maintenance {
                maintenance.end += others;
            }
        }
        0
    }

    /// Our own process ends and is started anew at `now`. Returns what it finds in its store.
    pub(crate) fn restart(&mut self, now: Now) -> Stored {
        let generation = |known: &Generation| StoredGeneration { count: known.count, counts: known.counts };
        let generations = self.generations.iter().map(generation).collect();
        let stored = Stored { generations, shards: self.shards().map(Shard::stored).collect() };
        self.now = now;
        self.started = now.wall;
        // What was over stays over, also if that was only just now.
        self.clock = self.clock.max(now.monotonic.saturating_sub(Duration::from_nanos(1)));
        self.step += 1;
        self.sessions.clear();
        for generation in &mut self.generations {
            // Who beat while we were away, nobody knows.
            generation.last_beat = now.monotonic;
        }
        for shard in self.shards_mut() {
            shard.restart(now);
        }
        let (step, shards): (_, Vec<Shard>) = (self.step, self.shards().cloned().collect());
        for (shard, process) in shards.iter().flat_map(|shard| shard.present.iter().map(move |process| (shard, process))) {
            if let Some(session) = self.session_mut(process.instance.as_ref(), process.session.as_ref()) {
                session.heard.push((shard.key, step));
            }
        }
        self.review();
        stored
    }
}

impl Shard {
    /// What becomes of the shard when our own process is started anew.
    fn restart(&mut self, now: Now) {
        for process in &mut self.present {
            process.forget();
            process.deadline = Duration::ZERO;
        }
        // Not stored: since when the shard is up, which guilds were excepted, what was lost together.
        self.excepted.iter_mut().for_each(|(_, since)| *since = None);
        self.released.clear();
        self.spans.iter_mut().for_each(|span| span.told = false);
        let said = self.said.as_ref().expect("every shard that was heard of was judged");
        let in_outage = said.known_reason == Some(Reason::DiscordOutage);
        self.lost = if in_outage { Lost::WithMost } else { Lost::Alone };
        self.blind = None;
        self.grace_moved = Duration::ZERO;
        let cut_off = said.known == State::Offline;
        self.go_blind(Reason::ServerRestarted, if cut_off { Duration::MAX } else { Duration::ZERO }, now);
        if let Some(maintenance) = &mut self.maintenance {
            let ahead = u64::try_from(maintenance.shown.0 - now.wall.0).unwrap_or(0);
            maintenance.end = now.monotonic + Duration::from_millis(ahead);
        }
    }

    /// Rule 8: nobody is called offline before start (or wake) + 2 · interval + slack. The 15 s, if
    /// they were not over at `clock`, begin anew. Asleep again before it was heard, a shard stays
    /// `server_restarted`.
    fn go_blind(&mut self, reason: Reason, clock: Duration, now: Now) {
        if let (Some(lost), Some(end)) = (self.lost_at(), self.grace_end())
            && end > clock
        {
            self.grace_moved = self.grace_moved.max(now.monotonic - lost);
        }
        for process in &mut self.present {
            process.deadline = process.deadline.max(now.monotonic + tables::freshness(process.interval));
        }
        let until = now.monotonic + tables::freshness(self.interval);
        let first = Blind { reason, until };
        self.blind = Some(self.blind.take().map_or(first, |blind| Blind { until: blind.until.max(until), ..blind }));
    }

    /// The shard as the store has it: what was said, or would have been but for `unknown`.
    fn stored(&self) -> StoredShard {
        let said = self.said.as_ref().expect("every shard that was heard of was judged");
        let mut present: Vec<&Process> = self.present.iter().collect();
        present.sort_by_key(|process| process.first);
        StoredShard {
            key: self.key,
            state: said.known,
            reason: said.known_reason,
            since: said.since,
            was_ready: self.was_ready(),
            expected_back: self.maintenance.as_ref().map(|maintenance| maintenance.shown),
            last_heartbeat: self.last_heartbeat,
            version: self.version.clone(),
            interval: self.interval,
            first_ready: self.spans.iter().find(|span| span.crew == Crew::Ready).map(|span| span.from),
            last_ready: self.last_ready(),
            processes: present.into_iter().map(Process::stored).collect(),
        }
    }
}

impl Process {
    /// A deaf process is stored with the state that it ranks with (the reading "Falling").
    fn stored(&self) -> StoredProcess {
        StoredProcess {
            instance: self.instance.clone(),
            session: self.session.clone(),
            state: if self.deaf && self.gateway == GatewayState::Ready { GatewayState::Resuming } else { self.gateway },
            version: self.version.clone(),
            interval: self.interval,
            unavailable: self.unavailable.iter().map(|guild| (*guild, UnixMillis(0))).collect(),
        }
    }

    /// What the store does not keep of it.
    fn forget(&mut self) {
        self.gateway = self.stored().state;
        self.deaf = false;
        self.last_beat = None;
    }
}
