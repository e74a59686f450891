//! What a backend says of a guild, which may be our contract or a JSON object of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Facts, GuildId, Reason, Revision, ShardKey, State, UnixMillis};

/// The longest payload that is taken, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// What is ours in a status. It stands before everything that the backend adds.
const OURS: [&str; 10] =
    ["guildId", "healthy", "state", "reason", "lastHeartbeat", "version", "since", "expectedBack", "shard", "revision"];

/// From this number on, a number is a time in milliseconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// A place in a JSON document (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(String);

/// The text is not a JSON pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer begins with a slash, as in /bot/healthy, and ~ only stands in ~0 and ~1")]
pub struct InvalidPointer;

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let is_escaped = |rest: &str| rest.starts_with('0') || rest.starts_with('1');
        let is_pointer = text.starts_with('/') && text.split('~').skip(1).all(is_escaped);
        if is_pointer { Ok(Self(text.to_owned())) } else { Err(InvalidPointer) }
    }
}

impl TryFrom<String> for Pointer {
    type Error = InvalidPointer;

    fn try_from(text: String) -> Result<Self, InvalidPointer> {
        text.parse()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a backend says what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pointers {
    /// A boolean: whether the bot works.
    #[serde(rename = "upstream_healthy")]
    pub healthy: Pointer,
    /// When the bot was heard last: RFC 3339, or a number of seconds or milliseconds since the Unix epoch.
    #[serde(rename = "upstream_last_heartbeat")]
    pub last_heartbeat: Pointer,
    /// The bot's version, a string.
    #[serde(rename = "upstream_version")]
    pub version: Pointer,
}

impl Default for Pointers {
    /// Where our own contract has them.
    fn default() -> Self {
        let at = |text: &str| Pointer(text.to_owned());
        Self { healthy: at("/healthy"), last_heartbeat: at("/lastHeartbeat"), version: at("/version") }
    }
}

/// What a backend says of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    healthy: bool,
    state: State,
    reason: Option<Reason>,
    last_heartbeat: Option<UnixMillis>,
    version: Option<Arc<str>>,
    since: Option<UnixMillis>,
    expected_back: Option<UnixMillis>,
    shard: Option<ShardKey>,
    /// What the backend says besides, as it says it: `,"name":value` for each.
    others: Bytes,
    /// Of what is in `others`, but for the time of the last heartbeat.
    others_hash: u64,
}

/// Why something is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoStatus {
    /// It is longer than [`MAX_PAYLOAD_BYTES`].
    #[error("it has more than {MAX_PAYLOAD_BYTES} bytes")]
    TooLong,
    /// It is not a JSON object.
    #[error("it is not a JSON object")]
    NoObject,
    /// No boolean is where one is expected.
    #[error("it has no boolean at the pointer for healthy")]
    NoBoolean,
    /// It is about another guild.
    #[error("it is about another guild")]
    OtherGuild,
}

impl Payload {
    /// Reads what is said of `guild`. A field that our contract has counts if it has the contract's type;
    /// else it is worked out from the rest.
    ///
    /// # Errors
    ///
    /// When it is no status.
    pub fn read(body: &[u8], guild: GuildId, at: &Pointers) -> Result<Self, NoStatus> {
        if body.len() > MAX_PAYLOAD_BYTES {
            return Err(NoStatus::TooLong);
        }
        let text = std::str::from_utf8(body).map_err(|_| NoStatus::NoObject)?;
        let mut object: Value = serde_json::from_str(text).map_err(|_| NoStatus::NoObject)?;
        let raw: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| NoStatus::NoObject)?;
        let healthy = find(&object, &at.healthy).and_then(Value::as_bool).ok_or(NoStatus::NoBoolean)?;
        if object.get("guildId").is_some_and(|id| !is_id(id, guild)) {
            return Err(NoStatus::OtherGuild);
        }
        let state = own(&object, "state").filter(|state: &State| *state == State::Unknown || state.is_healthy() == healthy);
        let state = state.unwrap_or(if healthy { State::Online } else { State::Offline });
        // Who only says whether a bot works says by "no" that it was not heard in time.
        let stated = || own(&object, "reason").unwrap_or(Reason::HeartbeatTimeout);
        let payload = Self {
            healthy,
            state,
            reason: (state != State::Online).then(stated),
            last_heartbeat: own_time(&object, "lastHeartbeat").or_else(|| find(&object, &at.last_heartbeat).and_then(time)),
            version: find(&object, &at.version).and_then(Value::as_str).map(Arc::from),
            since: own_time(&object, "since"),
            expected_back: own_time(&object, "expectedBack").filter(|_| state == State::Maintenance),
            shard: own(&object, "shard"),
            others: others(&raw),
            others_hash: 0,
        };
        if let Some(value) = object.pointer_mut(&at.last_heartbeat.0) {
            *value = Value::Null;
        }
        Ok(Self { others_hash: hash(&object), ..payload })
    }

    /// Whether the bot works.
    pub fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// Whether the other says more than a fresh time of the last heartbeat.
    pub fn differs(&self, other: &Self) -> bool {
        let gist = |payload: &Self| {
            let Self { healthy, state, reason, version, expected_back, shard, others_hash, .. } = payload.clone();
            (healthy, state, reason, version, expected_back, shard, others_hash)
        };
        gist(self) != gist(other)
    }

    /// Whether the other says the same of how the bot is, since when that may be.
    pub fn has_state_of(&self, other: &Self) -> bool {
        (self.healthy, self.state) == (other.healthy, other.state)
    }

    /// When the bot was heard last, as far as the backend says.
    pub fn last_heartbeat(&self) -> Option<UnixMillis> {
        self.last_heartbeat
    }

    /// What is ours of it. `seen` is since when it is so as far as we know, which counts where the backend
    /// does not say.
    pub fn facts(&self, seen: UnixMillis, revision: Revision) -> Facts {
        Facts {
            healthy: self.healthy,
            state: self.state,
            reason: self.reason,
            last_heartbeat: self.last_heartbeat,
            version: self.version.clone(),
            since: self.since.unwrap_or(seen),
            expected_back: self.expected_back,
            shard: self.shard,
            revision,
        }
    }

    /// The same of a bot of which nobody can say any more how it is: its backend is out of reach. What it
    /// said last goes on to count for a while, and what it says in words of its own goes with it.
    #[must_use]
    pub fn out_of_reach(&self, healthy: bool) -> Self {
        Self {
            healthy,
            state: State::Unknown,
            reason: Some(Reason::UpstreamUnreachable),
            since: None,
            expected_back: None,
            others: if healthy == self.healthy { self.others.clone() } else { Bytes::new() },
            ..self.clone()
        }
    }

    /// What the backend says besides, `,"name":value` for each.
    pub fn others(&self) -> &[u8] {
        &self.others
    }
}

fn find<'a>(object: &'a Value, at: &Pointer) -> Option<&'a Value> {
    object.pointer(&at.0)
}

/// A field of our contract, if it is there and has the contract's type.
fn own<T: for<'a> Deserialize<'a>>(object: &Value, name: &str) -> Option<T> {
    T::deserialize(object.get(name)?).ok()
}

fn own_time(object: &Value, name: &str) -> Option<UnixMillis> {
    object.get(name).and_then(time)
}

fn is_id(value: &Value, guild: GuildId) -> bool {
    value.as_str().map_or_else(|| value.as_u64() == Some(guild.get()), |id| id.parse() == Ok(guild))
}

/// A time as backends write it. One without a zone is in UTC: servers that leave it out mean that.
fn time(value: &Value) -> Option<UnixMillis> {
    if let Some(text) = value.as_str() {
        let zoned = text.parse::<jiff::Timestamp>().ok();
        let time = zoned.or_else(|| {
            Some(text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        });
        return time.map(|time| UnixMillis(time.as_millisecond()));
    }
    let number = value.as_f64().filter(|number| *number > 0.0 && *number < MILLISECONDS_FROM * 1000.0)?;
    let millis = if number < MILLISECONDS_FROM { number * 1000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "it is below 10^14")]
    Some(UnixMillis(millis as i64))
}

fn others(raw: &BTreeMap<String, &RawValue>) -> Bytes {
    let mut out = BytesMut::new();
    for (name, value) in raw.iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        out.put_u8(b',');
        out.put_slice(serde_json::to_string(name).expect("a string is JSON").as_bytes());
        out.put_u8(b':');
        // Line ends can only stand between tokens, and would end the line of an event.
        out.extend(value.get().bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    }
    out.freeze()
}

/// Of everything that is not ours.
fn hash(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in object.as_object().into_iter().flatten().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
