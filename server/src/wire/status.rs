//! What guildpulse says of a guild.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::{GuildId, ShardKey, UnixMillis};

/// Whether the bot is alive in a guild, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A fresh beat says that the shard is ready.
    Online,
    /// The process beats but lost Discord less than 15 s ago.
    Reconnecting,
    /// No process, or one that is cut off from Discord.
    Offline,
    /// Shut down on purpose, with a time at which it will be back.
    Maintenance,
    /// The bot is up, but Discord says that this guild is not available.
    Unavailable,
    /// We cannot know, and it is our own fault or nothing was ever heard.
    Unknown,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Online, Self::Reconnecting, Self::Offline, Self::Maintenance, Self::Unavailable, Self::Unknown];

    /// Whether the bot works in a guild of which this is known. `unknown` is neither: it keeps the
    /// answer of the state before it.
    pub fn is_healthy(self) -> bool {
        matches!(self, Self::Online | Self::Reconnecting)
    }
}

/// Why a state is not `online`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No beat of the guild's shard was ever received.
    NeverSeen,
    /// The beats stopped.
    HeartbeatTimeout,
    /// The process said goodbye.
    Goodbye,
    /// Discord refused the process for good (a bad token, a disallowed intent).
    Fatal,
    /// The process runs but was not ready yet.
    Starting,
    /// The process is regaining its gateway session.
    Resuming,
    /// The process runs but has been cut off from Discord for more than 15 s.
    GatewayDisconnected,
    /// Most shards lost Discord at once, or Discord reports the guild as unavailable.
    DiscordOutage,
    /// guildpulse was started anew and has not heard from the shard since.
    ServerRestarted,
    /// The machine of guildpulse slept and it has not heard from the shard since.
    ServerSuspended,
    /// The gateway's backend cannot be reached.
    UpstreamUnreachable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::NeverSeen,
        Self::HeartbeatTimeout,
        Self::Goodbye,
        Self::Fatal,
        Self::Starting,
        Self::Resuming,
        Self::GatewayDisconnected,
        Self::DiscordOutage,
        Self::ServerRestarted,
        Self::ServerSuspended,
        Self::UpstreamUnreachable,
    ];
}

/// `boot.seq`: orders the statuses of one guild. Two integers, so `12.9 < 12.10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// Grows with every start of the server, even if its store was lost.
    pub boot: u64,
    /// Numbers the transitions since that start.
    pub seq: u64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.boot, self.seq)
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let parsed = text.split_once('.').and_then(|(boot, seq)| Some((boot.parse().ok()?, seq.parse().ok()?)));
        let (boot, seq) = parsed.ok_or_else(|| D::Error::custom("a revision is two integers, `boot.seq`"))?;
        Ok(Self { boot, seq })
    }
}

/// Everything in a status but the guild's id. All guilds of a shard without an exception of
/// their own share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// True for `online` and `reconnecting`; for `unknown` the last value that was known.
    pub healthy: bool,
    /// The state.
    pub state: State,
    /// Why; `None` only while online.
    pub reason: Option<Reason>,
    /// When the server received the shard's newest beat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_heartbeat: Option<UnixMillis>,
    /// The version that the bot gave.
    pub version: Option<Arc<str>>,
    /// Since when the state holds.
    pub since: UnixMillis,
    /// When the bot means to be back; only in `maintenance`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected_back: Option<UnixMillis>,
    /// The shard that carries the guild; `None` while no generation is known.
    pub shard: Option<ShardKey>,
    /// The place of this status among all of the guild.
    pub revision: Revision,
}

/// The status of one guild, the JSON object of PROTOCOL.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The guild.
    pub guild_id: GuildId,
    /// What is said of it.
    #[serde(flatten)]
    pub facts: Facts,
}

/// A status that lacks only its guild's id, so that a shard is encoded once for all its guilds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    revision: Revision,
    /// The JSON object of the facts, `{"healthy":…}`.
    facts: Bytes,
}

impl Template {
    /// Encodes the facts.
    pub fn new(facts: &Facts) -> Self {
        let json = serde_json::to_vec(facts).expect("facts hold nothing that JSON cannot");
        Self { revision: facts.revision, facts: json.into() }
    }

    /// Encodes the facts, and after them what a backend says besides, `,"name":value` for each.
    pub fn with(facts: &Facts, others: &[u8]) -> Self {
        let mut json = serde_json::to_vec(facts).expect("facts hold nothing that JSON cannot");
        json.truncate(json.len() - 1);
        json.extend_from_slice(others);
        json.push(b'}');
        Self { revision: facts.revision, facts: json.into() }
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.facts.len()
    }

    /// The revision in it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Appends the status of `guild` as JSON.
    pub fn write_json(&self, guild: GuildId, out: &mut impl BufMut) {
        out.put_slice(br#"{"guildId":""#);
        out.put_slice(itoa::Buffer::new().format(guild.get()).as_bytes());
        out.put_slice(br#"","#);
        out.put_slice(&self.facts[1..]);
    }

    /// The status of `guild` as JSON.
    pub fn json(&self, guild: GuildId) -> Bytes {
        let mut out = BytesMut::with_capacity(self.facts.len() + 40);
        self.write_json(guild, &mut out);
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_with_an_id_patched_in_is_the_status_byte_for_byte() {
        let facts = Facts {
            healthy: true,
            state: State::Online,
            reason: None,
            last_heartbeat: Some(UnixMillis(1_795_378_020_000)),
            version: Some("1.4.2\r\ndata: \"x\"".into()),
            since: UnixMillis(1_795_161_600_000),
            expected_back: None,
            shard: Some(ShardKey { id: 3, count: 16 }),
            revision: Revision { boot: 1_795_378_677, seq: 4711 },
        };
        let guild_id = GuildId::new(81_384_788_765_712_384).unwrap();
        let json = Template::new(&facts).json(guild_id);
        let status = Status { guild_id, facts };
        assert_eq!(json, serde_json::to_vec(&status).unwrap());
        assert_eq!(serde_json::from_slice::<Status>(&json).unwrap(), status);
        assert!(!json.iter().any(u8::is_ascii_control), "no line break can reach a frame");
    }

    #[test]
    fn revisions_are_two_integers_not_a_decimal_number() {
        let parse = |text: &str| serde_json::from_value::<Revision>(text.into());
        assert!(parse("12.9").unwrap() < parse("12.10").unwrap());
        assert!(parse("12.10").unwrap() < parse("13.0").unwrap());
        for text in ["12", "12.", ".9", "12.9.1", "a.b", ""] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
