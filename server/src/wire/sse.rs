//! Server-Sent Events, the bytes of a stream (WHATWG HTML, section 9.2).
//!
//! Every event has a `data:` line, because a browser drops one without. Everything behind `data:`
//! is JSON, which escapes control characters, so no value can break out of its line.

use std::io::Write;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{GuildId, Revision, Template, UnixMillis};

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
pub fn write_status(template: &Template, guild: GuildId, out: &mut impl BufMut) {
    let Revision { boot, seq } = template.revision();
    out.put_slice(b"id: ");
    out.put_slice(itoa::Buffer::new().format(boot).as_bytes());
    out.put_slice(b".");
    out.put_slice(itoa::Buffer::new().format(seq).as_bytes());
    out.put_slice(b"\ndata: ");
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
    let mut framed = Framed::default();
    framed.fill(|out| out.put_slice(payload));
    Bytes::copy_from_slice(framed.bytes(Framing::Chunked))
}

/// How the body of a response is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// In chunks (RFC 9112, section 7.1): HTTP/1.1.
    Chunked,
    /// By the end of the connection: HTTP/1.0.
    UntilClose,
}

/// A status, framed for both kinds of client at once. It is made to be filled again, so that one
/// more delivery allocates nothing.
#[derive(Debug)]
pub struct Framed {
    /// Room for the head of the chunk, the payload, and a line break.
    bytes: Vec<u8>,
    /// Where the head of the chunk begins in that room.
    begin: usize,
}

/// The longest head of a chunk: the size in 16 digits and a line break.
const CHUNK_HEAD: usize = 18;

impl Default for Framed {
    fn default() -> Self {
        Self { bytes: vec![0; CHUNK_HEAD], begin: CHUNK_HEAD }
    }
}

impl Framed {
    /// Holds the status of `guild`; see [`write_status`].
    pub fn status(&mut self, template: &Template, guild: GuildId) {
        self.fill(|out| write_status(template, guild, out));
    }

    /// The bytes for a client of this kind.
    pub fn bytes(&self, framing: Framing) -> &[u8] {
        match framing {
            Framing::Chunked => &self.bytes[self.begin..],
            Framing::UntilClose => &self.bytes[CHUNK_HEAD..self.bytes.len() - 2],
        }
    }

    /// Takes a payload, which must not be empty: a chunk of length 0 would end the body.
    fn fill(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.truncate(CHUNK_HEAD);
        write(&mut self.bytes);
        let mut size = self.bytes.len() - CHUNK_HEAD;
        assert!(size > 0, "an empty chunk ends the body");
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes[CHUNK_HEAD - 2..CHUNK_HEAD].copy_from_slice(b"\r\n");
        self.begin = CHUNK_HEAD - 2;
        while size > 0 {
            self.begin -= 1;
            self.bytes[self.begin] = b"0123456789abcdef"[size % 16];
            size /= 16;
        }
    }
}

fn write_control(event: &str, data: &impl Serialize, out: &mut BytesMut) {
    let json = serde_json::to_string(data).expect("control events hold nothing that JSON cannot");
    write!(out.writer(), "event: {event}\ndata: {json}\n\n").expect("memory takes every write");
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_framed_for_both_kinds_of_client_however_large_the_one_before_was() {
        let mut framed = Framed::default();
        for length in [1, 15, 16, 4096, 255, 256, 65_536, 1] {
            let payload = "x".repeat(length);
            framed.fill(|out| out.put_slice(payload.as_bytes()));
            assert_eq!(framed.bytes(Framing::UntilClose), payload.as_bytes());
            assert_eq!(framed.bytes(Framing::Chunked), format!("{length:x}\r\n{payload}\r\n").as_bytes());
        }
    }

    #[test]
    #[should_panic(expected = "an empty chunk ends the body")]
    fn an_empty_chunk_is_refused() {
        chunk(b"");
    }
}
