//! What survives a restart of the server.

use std::time::Duration;

use crate::wire::{GatewayState, GuildId, Name, Reason, ShardKey, State, UnixMillis};

/// What an earlier run of the server knew; see rule 8. The default is a server that is started
/// for the first time.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Every shard that it had heard of, those of the oldest generation first.
    pub shards: Vec<RestoredShard>,
}

/// One shard as it was stored.
#[derive(Debug, Clone)]
pub struct RestoredShard {
    /// The shard.
    pub key: ShardKey,
    /// Its state: `Online`, `Reconnecting`, `Offline` or `Maintenance`.
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
    /// The processes that were fresh. Each is given 2 · interval + slack from the start.
    pub processes: Vec<RestoredProcess>,
}

/// One fresh process of a shard as it was stored.
#[derive(Debug, Clone)]
pub struct RestoredProcess {
    /// Its name.
    pub instance: Option<Name>,
    /// Its session.
    pub session: Option<Name>,
    /// What it last said of the shard; never `Fatal`.
    pub state: GatewayState,
    /// Its version.
    pub version: Option<Name>,
    /// Its interval.
    pub interval: Duration,
    /// The guilds of this shard that it reported as unavailable.
    pub unavailable: Vec<GuildId>,
}
