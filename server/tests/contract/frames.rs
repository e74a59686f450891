//! The SSE fixtures, byte for byte.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use guildpulse::wire::sse::{GoodbyeReason, Hello, LAST_CHUNK, StreamGoodbye, chunk, status_frame, write_status};
use guildpulse::wire::{Status, Template, UnixMillis};

use crate::documents::{fixture, fixtures_of, json, word, words};
use crate::events;

fn status(name: &str) -> Status {
    serde_json::from_value(json(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn frame(name: &str) -> Bytes {
    let status = status(name);
    status_frame(&Template::new(&status.facts), status.guild_id)
}

fn head(statuses: &[Status]) -> BytesMut {
    let mut out = BytesMut::new();
    Hello::new(Duration::from_millis(2417), UnixMillis(1_795_378_801_120), 1_795_378_677).write(&mut out);
    for status in statuses {
        write_status(&Template::new(&status.facts), status.guild_id, &mut out);
    }
    out
}

#[test]
fn the_head_of_a_stream_is_its_fixture() {
    assert_eq!(head(&[status("status-online.json")]), fixture("stream-head.sse"));
    let listed: Vec<Status> = serde_json::from_value(json("statuses.json")["statuses"].clone()).unwrap();
    assert_eq!(head(&listed), fixture("streams-head.sse"));
}

#[test]
fn a_status_event_is_its_fixture() {
    assert_eq!(frame("status-reconnecting-resuming.json"), fixture("status.sse"));
    assert_eq!(frame("status-hostile-version.json"), fixture("status-hostile-version.sse"));
}

#[test]
fn there_is_a_goodbye_for_every_reason_and_it_is_its_fixture() {
    for (reason, after) in [
        (GoodbyeReason::Shutdown, 11_834),
        (GoodbyeReason::Expired, 1000),
        (GoodbyeReason::Revoked, 3120),
        (GoodbyeReason::MaxAge, 4999),
    ] {
        let name = format!("goodbye-{}.sse", word(&reason).replace('_', "-"));
        assert_eq!(StreamGoodbye::new(reason, Duration::from_millis(after)).frame(), fixture(&name), "{name}");
    }
    assert_eq!(fixtures_of("goodbye-", ".sse").len(), words::<GoodbyeReason>().len());
}

#[test]
fn the_chunked_form_is_the_plain_one_in_one_chunk() {
    for name in ["stream-head", "status", "status-hostile-version", "goodbye-shutdown"] {
        let plain = fixture(&format!("{name}.sse"));
        assert_eq!(chunk(plain.as_bytes()), fixture(&format!("{name}.chunked")), "{name}");
    }
    let parts = ["stream-head.chunked", "status.chunked", "goodbye-shutdown.chunked"].map(fixture);
    let last = std::str::from_utf8(LAST_CHUNK).unwrap();
    assert_eq!(parts.concat() + last, fixture("stream-whole.chunked"));
}

#[test]
fn a_browser_reads_out_of_a_status_what_was_put_in() {
    for (frame, json_name) in
        [("status.sse", "status-reconnecting-resuming.json"), ("status-hostile-version.sse", "status-hostile-version.json")]
    {
        let read = events::read(&fixture(frame));
        let [event] = read.events.as_slice() else { panic!("{frame} is one event, not {:?}", read.events) };
        let sent = status(json_name);
        assert_eq!((event.name.as_str(), &event.id), ("message", &sent.facts.revision.to_string()));
        assert_eq!(serde_json::from_str::<Status>(&event.data).unwrap(), sent);
        assert!(!read.cut && read.retry.is_none(), "{frame}");
    }
}

#[test]
fn every_event_has_data_and_the_head_comes_in_its_order() {
    let read = events::read(&fixture("streams-head.sse"));
    let names: Vec<_> = read.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((read.retry, names), (Some(2417), vec!["hello", "message", "message"]));
    let hello: Hello = serde_json::from_str(&read.events[0].data).unwrap();
    assert_eq!(Some(hello.retry_ms), read.retry);
    for name in fixtures_of("goodbye-", ".sse") {
        let read = events::read(&fixture(&name));
        assert_eq!((read.events.len(), read.events[0].name.as_str(), read.cut), (1, "goodbye", false), "{name}");
    }
}
