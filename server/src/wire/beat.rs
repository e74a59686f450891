//! Beats and goodbyes, as bot processes send them.
//!
//! Forgiving where nothing is at stake (a latency, an unknown field, an unknown state), strict
//! where it matters (ids, counts, types, JSON): one bad shard rejects the whole beat, and the
//! refusal points at it.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{GuildId, ShardKey};

/// The largest body of a beat or a goodbye, in bytes.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// The most shards in one beat or goodbye.
pub const MAX_SHARDS: usize = 4096;
/// The interval of a beat that names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(2000);
/// The longest time a goodbye may announce.
pub const MAX_EXPECTED_BACK: Duration = Duration::from_secs(24 * 60 * 60);

const INTERVAL_MS: std::ops::RangeInclusive<u64> = 1000..=60_000;
const MAX_NAME_BYTES: usize = 128;
const MAX_WARNINGS: usize = 16;

/// A name that a bot process chose: at most 128 bytes, kept as it came.
pub type Name = Arc<str>;

/// The body breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What was wrong and what was expected.
    pub detail: String,
}

impl Invalid {
    fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// How a shard stands with Discord's gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayState {
    /// The process has not come to this shard yet.
    Starting,
    /// A new session is being opened.
    Identifying,
    /// The old session is being continued.
    Resuming,
    /// Connected, events arrive.
    Ready,
    /// The connection broke and is being rebuilt.
    Reconnecting,
    /// No connection, and none being made.
    Disconnected,
    /// Discord refused for good; a retry cannot help.
    Fatal,
}

/// What a beat says of one shard.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardReport {
    /// The shard.
    pub key: ShardKey,
    /// Its gateway connection.
    pub state: GatewayState,
    /// The gateway's round trip, in milliseconds, when known.
    pub latency_ms: Option<f64>,
    /// Time since Discord last acknowledged a gateway heartbeat, in milliseconds, when known.
    pub ack_age_ms: Option<f64>,
    /// How many guilds the shard carries, when known.
    pub guilds: Option<u64>,
}

/// One heartbeat of a bot process, for all of its shards.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// The name of the process; `None` is the one nameless instance.
    pub instance: Option<Name>,
    /// One run of the process.
    pub session: Option<Name>,
    /// The number of the beat within its session.
    pub seq: Option<u64>,
    /// The bot's version; `None` is unchanged.
    pub version: Option<Name>,
    /// When the next beat is due.
    pub interval: Duration,
    /// 1 to [`MAX_SHARDS`], each once.
    pub shards: Vec<ShardReport>,
    /// Guilds that Discord has just reported as unavailable.
    pub unavailable: Vec<GuildId>,
    /// Guilds that are available again.
    pub available: Vec<GuildId>,
    /// What was let pass, in words for the sender's developer.
    pub warnings: Vec<String>,
}

/// A bot process takes its leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// The name of the process; `None` is the one nameless instance.
    pub instance: Option<Name>,
    /// The run that ends; `None` is every run of the instance.
    pub session: Option<Name>,
    /// The shards it leaves; `None` is all of them.
    pub shards: Option<Vec<ShardKey>>,
    /// A word for our log.
    pub reason: Option<Name>,
    /// When it means to be back.
    pub expected_back: Option<Duration>,
}

/// The answer to a beat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BeatAnswer {
    /// How many shards the beat counted for.
    pub accepted: usize,
    /// The interval the sender is held to.
    pub interval_ms: u64,
    /// What was let pass.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// The answer to a goodbye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodbyeAnswer {
    /// From how many shards the process was taken.
    pub accepted: usize,
}

impl Beat {
    /// Reads the body of a beat.
    ///
    /// # Errors
    ///
    /// The first place that breaks the contract.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let raw: RawBeat = read(body)?;
        let mut warnings = Vec::new();
        let reports = required(raw.shards, "/shards")?;
        check_shard_number(reports.len())?;

        let mut seen = HashSet::with_capacity(reports.len());
        let mut shards = Vec::with_capacity(reports.len());
        for (index, Object(raw)) in reports.into_iter().enumerate() {
            let key = shard_key(raw.id, raw.count, index, &mut seen)?;
            let state = raw.state.as_deref().unwrap_or("ready");
            let state = super::from_word(state).unwrap_or_else(|| {
                if warnings.len() < MAX_WARNINGS {
                    let shown: String = state.chars().take(64).collect();
                    warnings.push(format!("/shards/{index}/state: unknown state {shown:?} counts as \"ready\""));
                }
                GatewayState::Ready
            });
            let known = |value: Option<f64>| value.filter(|number| *number >= 0.0);
            let (latency_ms, ack_age_ms) = (known(raw.latency_ms), known(raw.ack_age_ms));
            shards.push(ShardReport { key, state, latency_ms, ack_age_ms, guilds: raw.guilds });
        }

        let (unavailable, available) = (raw.unavailable.unwrap_or_default(), raw.available.unwrap_or_default());
        check_listed_once(&unavailable, &available)?;
        Ok(Self {
            instance: name(raw.instance, "/instance")?,
            session: name(raw.session, "/session")?,
            seq: raw.seq,
            version: name(raw.version, "/version")?,
            interval: interval(raw.interval_ms)?,
            shards,
            unavailable,
            available,
            warnings,
        })
    }
}

impl Goodbye {
    /// Reads the body of a goodbye.
    ///
    /// # Errors
    ///
    /// The first place that breaks the contract.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let raw: RawGoodbye = read(body)?;
        let mut shards = None;
        if let Some(listed) = raw.shards {
            check_shard_number(listed.len())?;
            let mut seen = HashSet::with_capacity(listed.len());
            let keys =
                listed.into_iter().enumerate().map(|(index, Object(raw))| shard_key(raw.id, raw.count, index, &mut seen));
            shards = Some(keys.collect::<Result<_, _>>()?);
        }
        let expected_back = raw.expected_back_ms.map(Duration::from_millis);
        if expected_back.is_some_and(|time| time > MAX_EXPECTED_BACK) {
            return Err(Invalid::new("/expectedBackMs", "expectedBackMs is at most 86400000, 24 hours"));
        }
        Ok(Self {
            instance: name(raw.instance, "/instance")?,
            session: name(raw.session, "/session")?,
            shards,
            reason: name(raw.reason, "/reason")?,
            expected_back,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBeat {
    instance: Option<String>,
    session: Option<String>,
    seq: Option<u64>,
    version: Option<String>,
    interval_ms: Option<u64>,
    shards: Option<Vec<Object<RawReport>>>,
    unavailable: Option<Vec<GuildId>>,
    available: Option<Vec<GuildId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReport {
    id: Option<u32>,
    count: Option<u32>,
    state: Option<String>,
    latency_ms: Option<f64>,
    ack_age_ms: Option<f64>,
    guilds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawGoodbye {
    instance: Option<String>,
    session: Option<String>,
    shards: Option<Vec<Object<RawKey>>>,
    reason: Option<String>,
    expected_back_ms: Option<u64>,
}

#[derive(Deserialize)]
struct RawKey {
    id: Option<u32>,
    count: Option<u32>,
}

/// A struct read from a JSON object only; serde's derive would take an array too, by position.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads JSON and says where it stopped making sense.
fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Invalid> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Invalid::new(pointer(error.path()), error.inner().to_string()))?;
    json.end().map_err(|error| Invalid::new("", error.to_string()))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn required<T>(value: Option<T>, pointer: impl Into<String>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::new(pointer, "this field is required"))
}

fn check_shard_number(number: usize) -> Result<(), Invalid> {
    if (1..=MAX_SHARDS).contains(&number) {
        return Ok(());
    }
    Err(Invalid::new("/shards", format!("1 to {MAX_SHARDS} shards at once, not {number}")))
}

fn shard_key(id: Option<u32>, count: Option<u32>, index: usize, seen: &mut HashSet<ShardKey>) -> Result<ShardKey, Invalid> {
    let id = required(id, format!("/shards/{index}/id"))?;
    let count = required(count, format!("/shards/{index}/count"))?;
    if count == 0 {
        return Err(Invalid::new(format!("/shards/{index}/count"), "a bot has at least 1 shard"));
    }
    if id >= count {
        return Err(Invalid::new(
            format!("/shards/{index}/id"),
            format!("shard ids count from 0, so {id} is not one of {count}"),
        ));
    }
    let key = ShardKey { id, count };
    if !seen.insert(key) {
        return Err(Invalid::new(format!("/shards/{index}"), format!("shard {id} of {count} is listed twice")));
    }
    Ok(key)
}

fn check_listed_once(unavailable: &[GuildId], available: &[GuildId]) -> Result<(), Invalid> {
    let mut seen = HashSet::with_capacity(unavailable.len() + available.len());
    for (field, guilds) in [("unavailable", unavailable), ("available", available)] {
        for (index, guild) in guilds.iter().enumerate() {
            if !seen.insert(guild) {
                return Err(Invalid::new(format!("/{field}/{index}"), format!("guild {guild} is listed twice")));
            }
        }
    }
    Ok(())
}

fn name(text: Option<String>, pointer: &str) -> Result<Option<Name>, Invalid> {
    match text {
        Some(text) if text.len() > MAX_NAME_BYTES => {
            Err(Invalid::new(pointer, format!("at most {MAX_NAME_BYTES} bytes, not {}", text.len())))
        }
        text => Ok(text.map(Name::from)),
    }
}

fn interval(ms: Option<u64>) -> Result<Duration, Invalid> {
    match ms {
        None => Ok(DEFAULT_INTERVAL),
        Some(ms) if INTERVAL_MS.contains(&ms) => Ok(Duration::from_millis(ms)),
        Some(ms) => Err(Invalid::new("/intervalMs", format!("intervalMs is 1000 to 60000, not {ms}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        Beat::parse(body.as_bytes()).expect_err(body).pointer
    }

    #[test]
    fn a_beat_needs_nothing_but_shards_with_id_and_count() {
        let beat = Beat::parse(br#"{"shards":[{"id":0,"count":1}]}"#).unwrap();
        assert_eq!(beat.interval, DEFAULT_INTERVAL);
        assert_eq!(beat.shards[0].state, GatewayState::Ready);
        assert_eq!((beat.instance, beat.session, beat.seq, beat.version), (None, None, None, None));
    }

    #[test]
    fn a_bad_beat_is_refused_with_a_pointer_to_the_field() {
        for (body, pointer) in [
            ("", ""),
            ("[]", ""),
            ("{", ""),
            ("null", ""),
            ("{}", "/shards"),
            (r#"{"shards":[]}"#, "/shards"),
            (r#"{"shards":{}}"#, "/shards"),
            (r#"{"shards":[[0,1]]}"#, "/shards/0"),
            (r#"{"shards":[{"count":1}]}"#, "/shards/0/id"),
            (r#"{"shards":[{"id":0}]}"#, "/shards/0/count"),
            (r#"{"shards":[{"id":0,"count":0}]}"#, "/shards/0/count"),
            (r#"{"shards":[{"id":0,"count":2},{"id":2,"count":2}]}"#, "/shards/1/id"),
            (r#"{"shards":[{"id":0,"count":2},{"id":0,"count":2}]}"#, "/shards/1"),
            (r#"{"shards":[{"id":"0","count":1}]}"#, "/shards/0/id"),
            (r#"{"shards":[{"id":0.0,"count":1}]}"#, "/shards/0/id"),
            (r#"{"shards":[{"id":-1,"count":1}]}"#, "/shards/0/id"),
            (r#"{"shards":[{"id":0,"count":4294967296}]}"#, "/shards/0/count"),
            (r#"{"shards":[{"id":0,"count":1,"latencyMs":NaN}]}"#, "/shards/0/latencyMs"),
            (r#"{"shards":[{"id":0,"count":1,"latencyMs":1e400}]}"#, "/shards/0/latencyMs"),
            (r#"{"shards":[{"id":0,"count":1,"latencyMs":"41"}]}"#, "/shards/0/latencyMs"),
            (r#"{"shards":[{"id":0,"count":1,"state":3}]}"#, "/shards/0/state"),
            (r#"{"seq":-1,"shards":[{"id":0,"count":1}]}"#, "/seq"),
            (r#"{"intervalMs":999,"shards":[{"id":0,"count":1}]}"#, "/intervalMs"),
            (r#"{"intervalMs":60001,"shards":[{"id":0,"count":1}]}"#, "/intervalMs"),
            (r#"{"intervalMs":"2000","shards":[{"id":0,"count":1}]}"#, "/intervalMs"),
            (r#"{"shards":[{"id":0,"count":1}],"unavailable":["007"]}"#, "/unavailable/0"),
            (r#"{"shards":[{"id":0,"count":1}],"unavailable":["1","+5"]}"#, "/unavailable/1"),
            (r#"{"shards":[{"id":0,"count":1}],"unavailable":[18446744073709551616]}"#, "/unavailable/0"),
            (r#"{"shards":[{"id":0,"count":1}],"unavailable":["1"],"available":[1]}"#, "/available/0"),
            (r#"{"shards":[{"id":0,"count":1}]} x"#, ""),
        ] {
            assert_eq!(refused(body), pointer, "{body}");
        }
        let long = format!(r#"{{"version":"{}","shards":[{{"id":0,"count":1}}]}}"#, "v".repeat(129));
        assert_eq!(refused(&long), "/version");
        let many: Vec<_> = (0..4097).map(|id| format!(r#"{{"id":{id},"count":5000}}"#)).collect();
        assert_eq!(refused(&format!(r#"{{"shards":[{}]}}"#, many.join(","))), "/shards");
    }

    #[test]
    fn what_is_not_at_stake_is_let_pass() {
        let body = r#"{"shards":[{"id":0,"count":2,"latencyMs":null,"state":"dancing","new":[1e400]},
            {"id":1,"count":2,"latencyMs":-1,"ackAgeMs":-0.5}],"later":{"x":1}}"#;
        let beat = Beat::parse(body.as_bytes()).unwrap();
        assert_eq!(beat.shards[0].state, GatewayState::Ready);
        assert!(beat.shards.iter().all(|shard| shard.latency_ms.is_none() && shard.ack_age_ms.is_none()));
        assert_eq!(beat.warnings, [r#"/shards/0/state: unknown state "dancing" counts as "ready""#]);
    }

    #[test]
    fn a_bad_goodbye_is_refused_with_a_pointer_to_the_field() {
        for (body, pointer) in [
            ("[]", ""),
            (r#"{"shards":[]}"#, "/shards"),
            (r#"{"shards":[{"id":1,"count":1}]}"#, "/shards/0/id"),
            (r#"{"expectedBackMs":86400001}"#, "/expectedBackMs"),
            (r#"{"expectedBackMs":-1}"#, "/expectedBackMs"),
            (r#"{"expectedBackMs":1.5}"#, "/expectedBackMs"),
            (r#"{"instance":7}"#, "/instance"),
        ] {
            assert_eq!(Goodbye::parse(body.as_bytes()).expect_err(body).pointer, pointer, "{body}");
        }
        let goodbye = Goodbye::parse(br#"{"expectedBackMs":86400000,"reason":"deploy"}"#).unwrap();
        assert_eq!(goodbye.expected_back, Some(MAX_EXPECTED_BACK));
        assert_eq!(goodbye.shards, None);
    }
}
