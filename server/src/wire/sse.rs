//! Server-Sent Events, the bytes of a stream (WHATWG HTML, section 9.2).
//!
//! Every event has a `data:` line, because a browser drops one without. Everything behind `data:`
//! is JSON, which escapes control characters, so no value can break out of its line.

use std::io::Write;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{GuildId, Template, UnixMillis};

/// A status reaches every viewer at the latest this long after the last one written to it.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(15);

/// The version of the stream's protocol that `hello` announces.
pub const PROTOCOL: u32 = 1;

/// The last chunk of a chunked body (RFC 9112, section 7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The first event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// Always [`PROTOCOL`].
    pub protocol: u32,
    /// [`SNAPSHOT_INTERVAL`] in milliseconds.
    pub snapshot_interval_ms: u64,
    /// How long this viewer should wait before it reconnects, in milliseconds.
    pub retry_ms: u64,
    /// The server's clock.
    pub now: UnixMillis,
    /// The `boot` of all revisions to come.
    pub boot: u64,
}

impl Hello {
    /// The greeting of a viewer.
    pub fn new(retry: Duration, now: UnixMillis, boot: u64) -> Self {
        Self { protocol: PROTOCOL, snapshot_interval_ms: millis(SNAPSHOT_INTERVAL), retry_ms: millis(retry), now, boot }
    }

    /// Appends the `retry:` field and the `hello` event.
    pub fn write(&self, out: &mut BytesMut) {
        write!(out.writer(), "retry: {}\n\n", self.retry_ms).expect("memory takes every write");
        write_control("hello", self, out);
    }
}

/// Why the server ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The server is stopping.
    Shutdown,
    /// The viewer's token expired.
    Expired,
    /// The viewer's right to look was taken back.
    Revoked,
    /// The stream was open for as long as a stream may be.
    MaxAge,
}

impl GoodbyeReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Shutdown, Self::Expired, Self::Revoked, Self::MaxAge];
}

/// The last event of a stream that the server ends on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamGoodbye {
    /// Why.
    pub reason: GoodbyeReason,
    /// When to come back, in milliseconds.
    pub retry_after_ms: u64,
}

impl StreamGoodbye {
    /// The goodbye of a viewer who should be back after `retry_after`.
    pub fn new(reason: GoodbyeReason, retry_after: Duration) -> Self {
        Self { reason, retry_after_ms: millis(retry_after) }
    }

    /// The `goodbye` event.
    pub fn frame(&self) -> Bytes {
        let mut out = BytesMut::new();
        write_control("goodbye", self, &mut out);
        out.freeze()
    }
}

/// Appends the event that carries the status of `guild`: of the default type, so that `onmessage`
/// gets it, with the revision as its id.
pub fn write_status(template: &Template, guild: GuildId, out: &mut BytesMut) {
    write!(out.writer(), "id: {}\ndata: ", template.revision()).expect("memory takes every write");
    template.write_json(guild, out);
    out.put_slice(b"\n\n");
}

/// The event that carries the status of `guild`; see [`write_status`].
pub fn status_frame(template: &Template, guild: GuildId) -> Bytes {
    let mut out = BytesMut::with_capacity(384);
    write_status(template, guild, &mut out);
    out.freeze()
}

/// Wraps `payload` as one chunk of an HTTP/1.1 body (RFC 9112, section 7.1). An HTTP/1.0 client
/// gets the payload as it is.
///
/// # Panics
///
/// When `payload` is empty: a chunk of length 0 would end the body.
pub fn chunk(payload: &[u8]) -> Bytes {
    assert!(!payload.is_empty(), "an empty chunk ends the body");
    let mut out = BytesMut::with_capacity(payload.len() + 12);
    write!((&mut out).writer(), "{:x}\r\n", payload.len()).expect("memory takes every write");
    out.put_slice(payload);
    out.put_slice(b"\r\n");
    out.freeze()
}

fn write_control(event: &str, data: &impl Serialize, out: &mut BytesMut) {
    let json = serde_json::to_string(data).expect("control events hold nothing that JSON cannot");
    write!(out.writer(), "event: {event}\ndata: {json}\n\n").expect("memory takes every write");
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
