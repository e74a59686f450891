//! What survives a restart of the server: taken out of one machine, put into the next.

use std::time::Duration;

use super::shard::Shard;
use super::{Liveness, Monotonic};
use crate::wire::{GatewayState, GuildId, Name, Reason, ShardKey, State, UnixMillis};

/// What a run of the server knows that the next one needs; see rule 8. The default is a server
/// that is started for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// In the order of their first beats. Shards of a generation that is not listed are passed over.
    pub generations: Vec<StoredGeneration>,
    /// Every shard that was heard of.
    pub shards: Vec<StoredShard>,
}

/// One generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredGeneration {
    /// How many shards it has.
    pub count: u32,
    /// Whether it came far enough for guilds to use it (rule 6).
    pub counts: bool,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredShard {
    /// The shard.
    pub key: ShardKey,
    /// Its state, or the one before it was in doubt: `Online`, `Reconnecting`, `Offline` or
    /// `Maintenance`.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: UnixMillis,
    /// Whether it was ready at some time since it last fell.
    pub was_ready: bool,
    /// The end of a maintenance.
    pub expected_back: Option<UnixMillis>,
    /// Its last beat.
    pub last_heartbeat: Option<UnixMillis>,
    /// Its version.
    pub version: Option<Name>,
    /// The interval of its last beat. If no process is stored, this says how long the shard is
    /// `unknown`: 2 · interval + slack.
    pub interval: Duration,
    /// When it was ready for the first time.
    pub first_ready: Option<Monotonic>,
    /// When it last ceased to be.
    pub last_ready: Option<Monotonic>,
    /// The processes that were fresh, in the order of their first beats. Each is given
    /// 2 · interval + slack from the start.
    pub processes: Vec<StoredProcess>,
}

/// One fresh process of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProcess {
    /// Its name.
    pub instance: Option<Name>,
    /// Its session.
    pub session: Option<Name>,
    /// What it last said of the shard; one that is deaf to Discord (rule 4) counts as `Resuming`.
    /// Never `Fatal`.
    pub state: GatewayState,
    /// Its version.
    pub version: Option<Name>,
    /// Its interval.
    pub interval: Duration,
    /// The guilds of this shard that it reported as unavailable, each since when any process did.
    /// In the order of their ids.
    pub unavailable: Vec<(GuildId, UnixMillis)>,
}

impl Liveness {
    /// Everything that the next run needs.
    pub fn stored(&self) -> Stored {
        let shards = self.generations.iter().flat_map(|generation| generation.shards.values()).map(Shard::stored);
        Stored { generations: self.stored_generations(), shards: shards.collect() }
    }

    /// The generations of [`stored`](Self::stored).
    pub fn stored_generations(&self) -> Vec<StoredGeneration> {
        let stored = self.generations.iter().map(|one| StoredGeneration { count: one.count, counts: one.counts });
        stored.collect()
    }

    /// One shard of [`stored`](Self::stored), if it is still known.
    pub fn stored_shard(&self, key: ShardKey) -> Option<StoredShard> {
        self.shard(key).map(Shard::stored)
    }

    /// The last beat of every shard that was heard of.
    pub fn last_heartbeats(&self) -> impl Iterator<Item = (ShardKey, UnixMillis)> {
        let shards = self.generations.iter().flat_map(|generation| generation.shards.values());
        shards.filter_map(|shard| shard.last_heartbeat().map(|time| (shard.key, time)))
    }
}
