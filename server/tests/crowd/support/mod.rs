//! A server as a process, and a client for crowds that shares no code with it.

pub(crate) mod server;
pub(crate) mod stream;
pub(crate) mod viewer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

pub(crate) use server::Server;
pub(crate) use viewer::{Viewer, open, read_until};

/// Long enough for anything that is to happen at once, however busy the machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Waits until no other crowd is there.
pub(crate) async fn alone() -> SemaphorePermit<'static> {
    static CROWDS: Semaphore = Semaphore::const_new(1);
    CROWDS.acquire().await.unwrap()
}

/// The wall clock, in milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A guild on this shard, for any count of shards above it. Guilds differ by their number.
pub(crate) fn guild(shard: u64, number: u64) -> u64 {
    (shard << 22) + number + 1
}

/// The path of the stream of one guild.
pub(crate) fn stream_of(guild: u64) -> String {
    format!("/api/v1/guilds/{guild}/status/stream")
}

/// A beat of all shards up to this count, after which they need no other for long.
pub(crate) fn beat_of(count: u32, version: &str) -> Value {
    let shards: Value = (0..count).map(|id| json!({"id": id, "count": count})).collect();
    json!({"version": version, "intervalMs": 60_000, "shards": shards})
}

/// Waits until it is so.
pub(crate) async fn eventually(what: &str, patience: Duration, so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + patience;
    while !so().await {
        assert!(Instant::now() < deadline, "it is not so within {patience:?} that {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
