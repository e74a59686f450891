//! The contract of PROTOCOL.md as types: what arrives, what leaves, and the exact bytes of both.
//!
//! This module owns every JSON and SSE byte. It must never know a clock, a socket or a runtime:
//! it turns values into bytes and bytes into values, and says precisely what was wrong with them.

mod beat;
mod detail;
pub mod event_stream;
mod payload;
mod problem;
mod shard;
mod snowflake;
pub mod sse;
mod status;
mod time;
mod viewer;

pub use beat::{
    Beat, BeatAnswer, DEFAULT_INTERVAL, GatewayState, Goodbye, GoodbyeAnswer, Invalid, MAX_BODY_BYTES, MAX_EXPECTED_BACK,
    MAX_SHARDS, Name, ShardReport,
};
pub use detail::{ProcessDetail, ShardDetail, Shards};
pub use payload::{InvalidPointer, MAX_PAYLOAD_BYTES, NoStatus, Payload, Pointer, Pointers};
pub use problem::{Code, Problem};
pub use shard::ShardKey;
pub use snowflake::{GuildId, InvalidGuildId};
pub use status::{Facts, Reason, Revision, State, Status, Template};
pub use time::UnixMillis;
pub use viewer::{Event, Sighting, Word};

/// The word that stands for a value in JSON, for those that are one word there.
pub fn word(value: impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).ok();
    json.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// The value for which the word stands, if there is one.
pub fn from_word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}

/// Reads JSON that is not part of the contract, such as a file of keys.
///
/// # Errors
///
/// The place where it does not fit, and not what stands there: that may be a secret.
pub fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("line {}, column {}", error.line(), error.column()))
}
