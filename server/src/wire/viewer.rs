//! What a viewer reads from a stream.
//!
//! It is more forgiving than what the server writes: a viewer may be older than its server, so words
//! that it does not know are kept as they are, and fields and events that it does not know pass over.

use serde::{Deserialize, Serialize};

use super::sse::{Hello, PROTOCOL, StreamGoodbye};
use super::{GuildId, Reason, Revision, ShardKey, State, UnixMillis};

/// A word of a closed set, or one that a newer server has added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// One of the set.
    Known(T),
    /// Another.
    Other(String),
}

/// A status as a viewer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sighting {
    /// The guild.
    pub guild_id: GuildId,
    /// Whether the bot works in it.
    pub healthy: bool,
    /// The state.
    pub state: Word<State>,
    /// Why.
    pub reason: Option<Word<Reason>>,
    /// When the server received the shard's newest beat.
    pub last_heartbeat: Option<UnixMillis>,
    /// The bot's own text: any character may be in it.
    pub version: Option<String>,
    /// Since when the state holds.
    pub since: UnixMillis,
    /// When the bot means to be back.
    pub expected_back: Option<UnixMillis>,
    /// The shard that carries the guild.
    pub shard: Option<ShardKey>,
    /// The place among all statuses of the guild.
    pub revision: Revision,
}

impl Sighting {
    /// Whether going from the other status to this one is a transition. A fresh beat alone is none.
    pub fn differs_from(&self, other: &Self) -> bool {
        let told = |status: &Self| (status.healthy, status.expected_back, status.shard);
        told(self) != told(other)
            || (&self.state, &self.reason, &self.version) != (&other.state, &other.reason, &other.version)
    }
}

/// An event of a stream that means something to a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream speaks [`PROTOCOL`].
    Hello(Hello),
    /// The status of a guild.
    Status(Box<Sighting>),
    /// The server ends the stream.
    Goodbye(StreamGoodbye),
}

impl Event {
    /// The event with this `event:` and `data:`, or `None` if it says nothing that we understand.
    pub fn read(kind: &str, data: &str) -> Option<Self> {
        match kind {
            "" | "message" => serde_json::from_str(data).ok().map(Self::Status),
            "hello" => {
                let hello: Hello = serde_json::from_str(data).ok()?;
                (hello.protocol == PROTOCOL).then_some(Self::Hello(hello))
            }
            "goodbye" => serde_json::from_str(data).ok().map(Self::Goodbye),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sse::GoodbyeReason;

    #[test]
    fn what_a_newer_server_adds_passes_over_or_is_kept_as_a_word() {
        let read = |json: &str| match Event::read("", json) {
            Some(Event::Status(status)) => status,
            other => panic!("{other:?}"),
        };
        let status = read(
            r#"{"guildId":"5","healthy":false,"state":"napping","reason":"connection_lost","new":[1],
                "since":"2026-11-22T20:07:00.000Z","revision":"12.9"}"#,
        );
        assert_eq!(status.state, Word::Other("napping".into()));
        assert_eq!(status.reason, Some(Word::Other("connection_lost".into())));
        let known = read(
            r#"{"guildId":"5","healthy":false,"state":"offline","reason":"fatal","version":null,"shard":{"id":0,"count":1},
                "since":"2026-11-22T20:07:00.000Z","revision":"12.9"}"#,
        );
        assert_eq!((&known.state, &known.reason), (&Word::Known(State::Offline), &Some(Word::Known(Reason::Fatal))));
        for (kind, data) in [("", "{}"), ("", "x"), ("party", "{}"), ("goodbye", r#"{"reason":"tired","retryAfterMs":1}"#)] {
            assert_eq!(Event::read(kind, data), None, "{kind} {data}");
        }
    }

    #[test]
    fn a_hello_counts_with_the_integer_1_as_its_protocol() {
        let hello = |protocol: &str| {
            let data = format!(
                r#"{{"protocol":{protocol},"snapshotIntervalMs":15000,"retryMs":2417,"now":"2026-11-22T20:20:01.120Z","boot":1}}"#
            );
            Event::read("hello", &data).is_some()
        };
        assert!(hello("1"));
        for protocol in ["2", "\"1\"", "null", "1.5"] {
            assert!(!hello(protocol), "{protocol}");
        }
        let goodbye = Event::read("goodbye", r#"{"reason":"max_age","retryAfterMs":7}"#);
        assert!(matches!(goodbye, Some(Event::Goodbye(StreamGoodbye { reason: GoodbyeReason::MaxAge, retry_after_ms: 7 }))));
    }
}
