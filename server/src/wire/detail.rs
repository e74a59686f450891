//! Shards as operators see them, `GET /api/v1/shards`.

use serde::Serialize;

use super::{Facts, GatewayState, Name, UnixMillis};

/// One shard: what is said of its guilds, and by whose word.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardDetail {
    /// What is said of its guilds.
    #[serde(flatten)]
    pub facts: Facts,
    /// The processes whose beats are fresh.
    pub instances: Vec<ProcessDetail>,
}

/// One process that beats for a shard.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessDetail {
    /// The name it chose; `null` for the nameless instance.
    pub instance: Option<Name>,
    /// Its session.
    pub session: Option<Name>,
    /// What it last said of the shard's gateway connection.
    pub state: GatewayState,
    /// When its last beat was received; `null` if that was before a restart of the server.
    pub last_beat: Option<UnixMillis>,
    /// Its interval, in milliseconds.
    pub interval_ms: u64,
    /// Its version.
    pub version: Option<Name>,
    /// Its gateway round trip, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Time since Discord last acknowledged a gateway heartbeat, in milliseconds.
    pub ack_age_ms: Option<f64>,
    /// How many guilds the shard carries.
    pub guilds: Option<u64>,
    /// How many of them it reports as unavailable.
    pub unavailable: usize,
}

/// All shards of all generations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shards {
    /// By count, then id.
    pub shards: Vec<ShardDetail>,
}
