//! A shard on its way from one run of the server to the next.

use std::time::Duration;

use super::super::StoredShard;
use super::{Doubt, Lost, Maintenance, Now, Process, RECONNECT_GRACE, Said, Shard, freshness};
use crate::wire::{GuildId, MAX_EXPECTED_BACK, Reason, State, UnixMillis};

impl Shard {
    /// A shard as an earlier run of the server left it: in doubt until it is heard (rule 8).
    pub(in super::super) fn restore(stored: StoredShard, first: &mut u64, now: Now) -> Self {
        let mut shard = Self::new(stored.key, stored.since);
        shard.was_ready = stored.was_ready;
        shard.last_heartbeat = stored.last_heartbeat.map(|time| time.min(now.wall));
        shard.interval = stored.interval;
        // A clock that was set back does not make them newer than anything that is still to come.
        shard.first_ready = stored.first_ready.map(|time| time.min(now.monotonic));
        shard.last_ready = stored.last_ready.map(|time| time.min(now.monotonic));
        shard.fallen = stored.reason.filter(|_| stored.processes.is_empty()).unwrap_or(Reason::HeartbeatTimeout);
        shard.maintenance = stored.expected_back.map(|expected_back| {
            let left = u64::try_from(expected_back.0.saturating_sub(now.wall.0)).unwrap_or(0);
            // Nobody may announce more; with a clock that was set back, it would look like it.
            let left = Duration::from_millis(left).min(MAX_EXPECTED_BACK);
            Maintenance { until: now.monotonic + left, expected_back }
        });
        if shard.maintenance.is_some() {
            shard.fallen = Reason::Goodbye;
        }
        let alone = stored.processes.is_empty();
        shard.doubt = Some(Doubt {
            reason: Reason::ServerRestarted,
            until: alone.then(|| now.monotonic + freshness(stored.interval)),
        });
        shard.doubted = Some((stored.state, stored.reason));
        // A grace that was over stays over: our restart is no news from Discord.
        let cut_off = [Reason::Resuming, Reason::GatewayDisconnected, Reason::DiscordOutage].map(Some);
        if shard.was_ready && !alone && cut_off.contains(&stored.reason) {
            let until = (stored.state == State::Reconnecting).then(|| now.monotonic + RECONNECT_GRACE);
            let outage = stored.reason == Some(Reason::DiscordOutage);
            shard.lost = Some(Lost { at: now.monotonic, until, by_gateway: false, outage });
        }
        for process in stored.processes {
            *first += 1;
            shard.excepted.extend(process.unavailable.iter().copied());
            shard.processes.push(Process::restore(process, *first, now.monotonic));
        }
        shard.said = Said {
            state: State::Unknown,
            reason: Some(Reason::ServerRestarted),
            expected_back: None,
            version: stored.version,
        };
        shard
    }

    /// Whether what is stored of it may be out of date since it was last asked.
    pub(in super::super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Its last beat.
    pub(in super::super) fn last_heartbeat(&self) -> Option<UnixMillis> {
        self.last_heartbeat
    }

    /// What the next run of the server needs of it.
    pub(in super::super) fn stored(&self) -> StoredShard {
        let (state, reason) = self.doubted.unwrap_or_else(|| self.known());
        let mut processes: Vec<&Process> = self.processes.iter().collect();
        processes.sort_unstable_by_key(|process| process.first);
        let since = |guild: GuildId| self.excepted.get(&guild).copied().unwrap_or(self.since);
        StoredShard {
            key: self.key,
            state,
            reason,
            since: self.since,
            was_ready: self.was_ready,
            expected_back: self.maintenance.as_ref().map(|maintenance| maintenance.expected_back),
            last_heartbeat: self.last_heartbeat,
            version: self.said.version.clone(),
            interval: self.interval,
            first_ready: self.first_ready,
            last_ready: self.last_ready,
            processes: processes.into_iter().map(|process| process.stored(since)).collect(),
        }
    }
}
