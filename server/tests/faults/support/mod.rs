//! Servers as processes, the places they run in, and clients that share no code with them.

#[path = "../../it/support/browser.rs"]
pub(crate) mod browser;
pub(crate) mod database;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod sample;
pub(crate) mod volume;

use std::io::Write;
use std::ops::AsyncFnMut;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub(crate) use browser::Viewer;
pub(crate) use place::Place;
pub(crate) use process::Process;
pub(crate) use sample::Sample;

/// The guild of most tests; on shard 0 of 1.
pub(crate) const GUILD: &str = "81384788757315589";
/// Long enough for anything that is to happen at once, however busy the machine.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// A server that could not write has to be ready this soon after it can.
pub(crate) const RECOVERY: Duration = Duration::from_secs(3);

pub(crate) const JWT_SECRET: &str = "a secret for tests, 32 bytes long";
pub(crate) const BOT_TOKEN: &str = "a token for tests";

/// An HTTP client whose requests may take this long.
pub(crate) fn client(patience: Duration) -> Client {
    // The first of the tests installs it for all.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().timeout(patience).no_proxy().build().unwrap()
}

/// A token that may see every guild.
pub(crate) fn operator() -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    let claims = json!({"role": "operator", "exp": now_ms() / 1000 + 3600});
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

/// The wall clock, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A time of a status, in milliseconds since the epoch.
pub(crate) fn time(status: &Value, field: &str) -> i64 {
    let text = status[field].as_str().unwrap_or_else(|| panic!("{field} of {status}"));
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The two numbers of a revision.
pub(crate) fn revision(status: &Value) -> (u64, u64) {
    let (boot, seq) = status["revision"].as_str().unwrap_or_else(|| panic!("{status}")).split_once('.').unwrap();
    (boot.parse().unwrap(), seq.parse().unwrap())
}

/// The guild on this shard, for any count of shards above it.
pub(crate) fn guild_of(shard: u32) -> String {
    ((u64::from(shard) << 22) + 7).to_string()
}

/// The shards of one process, as a beat lists them.
pub(crate) fn shards(ids: impl IntoIterator<Item = u32>, count: u32, state: &str) -> Value {
    ids.into_iter().map(|id| json!({"id": id, "count": count, "state": state})).collect()
}

/// A beat of the only shard of a bot, with a version of its own.
pub(crate) fn beat_of(version: &str) -> Value {
    json!({"version": version, "shards": shards([0], 1, "ready")})
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Says something even if the test passes, which what is printed with a macro does not: a figure,
/// or a claim that could not be shown here.
pub(crate) fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// This machine does not let us show a claim.
pub(crate) fn not_shown(claim: &str, why: &str) {
    say(&format!("\n!!! NOT SHOWN on this machine: {claim} ({why})\n"));
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
