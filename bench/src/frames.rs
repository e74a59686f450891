//! The bytes that the floor sends: those of the server, written down a second time.
//!
//! This repeats PROTOCOL.md by hand instead of using the server's encoder, and is held against
//! `protocol/fixtures`, so that a mistake of the encoder cannot make the floor agree with it.

/// What a status says, as far as it changes anything about its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) guild: u64,
    /// The JSON from `healthy` to `reason`.
    pub(crate) state: &'a str,
    pub(crate) last_heartbeat: &'a str,
    pub(crate) version: &'a str,
    pub(crate) since: &'a str,
    /// `id` and `count`.
    pub(crate) shard: (u32, u32),
    /// `boot` and `seq`.
    pub(crate) revision: (u64, u64),
}

/// A status as an event.
pub(crate) fn status(said: &Said<'_>) -> String {
    let Said { guild, state, last_heartbeat, version, since, shard: (id, count), revision: (boot, seq) } = said;
    format!(
        "id: {boot}.{seq}\ndata: {{\"guildId\":\"{guild}\",{state},\"lastHeartbeat\":\"{last_heartbeat}\",\
         \"version\":\"{version}\",\"since\":\"{since}\",\"shard\":{{\"id\":{id},\"count\":{count}}},\
         \"revision\":\"{boot}.{seq}\"}}\n\n"
    )
}

/// What stands before the first status of a stream.
pub(crate) fn hello(retry: u64, now: &str, boot: u64) -> String {
    format!(
        "retry: {retry}\n\nevent: hello\ndata: {{\"protocol\":1,\"snapshotIntervalMs\":15000,\"retryMs\":{retry},\
         \"now\":\"{now}\",\"boot\":{boot}}}\n\n"
    )
}

/// A chunk of an HTTP/1.1 body (RFC 9112, section 7.1).
pub(crate) fn chunk(payload: &str) -> Vec<u8> {
    format!("{:x}\r\n{payload}\r\n", payload.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: Said<'_> = Said {
        guild: 81_384_788_765_712_384,
        state: r#""healthy":true,"state":"online","reason":null"#,
        last_heartbeat: "2026-11-22T20:20:00.000Z",
        version: "1.4.2",
        since: "2026-11-22T20:18:30.250Z",
        shard: (2, 16),
        revision: (1_795_378_677, 4711),
    };

    #[test]
    fn a_status_is_framed_as_the_server_frames_it() {
        let state = r#""healthy":true,"state":"reconnecting","reason":"resuming""#;
        let said = Said { state, since: ONLINE.last_heartbeat, revision: (1_795_378_677, 4712), ..ONLINE };
        let fixture = include_str!("../../protocol/fixtures/status.chunked");
        assert_eq!(String::from_utf8(chunk(&status(&said))).unwrap(), fixture);
    }

    #[test]
    fn head_and_snapshot_are_one_chunk_as_the_server_sends_them() {
        let hello = hello(2417, "2026-11-22T20:20:01.120Z", 1_795_378_677);
        let fixture = include_str!("../../protocol/fixtures/stream-head.chunked");
        assert_eq!(String::from_utf8(chunk(&(hello + &status(&ONLINE)))).unwrap(), fixture);
    }
}
