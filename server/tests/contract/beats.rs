//! What bots send: the fixtures against the parsers of `wire`.

use std::time::Duration;

use guildpulse::wire::{Beat, BeatAnswer, GatewayState, Goodbye, Invalid, ShardKey, ShardReport};
use serde::Deserialize;

use crate::documents::{fixture, json};

/// A body that breaks the contract.
#[derive(Deserialize)]
pub(crate) struct Bad {
    /// What is wrong with it.
    pub(crate) why: String,
    /// The body; not always JSON.
    pub(crate) body: String,
    /// Where it is refused.
    pub(crate) pointer: String,
    /// Whether the schema refuses it too.
    pub(crate) schema: bool,
}

/// A table of bad bodies.
pub(crate) fn bad(name: &str) -> Vec<Bad> {
    serde_json::from_value(json(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn beat(name: &str) -> Beat {
    Beat::parse(fixture(name).as_bytes()).unwrap_or_else(|error| panic!("{name}: {error} at {:?}", error.pointer))
}

fn report(id: u32, count: u32, state: GatewayState) -> ShardReport {
    ShardReport { key: ShardKey { id, count }, state, latency_ms: None, ack_age_ms: None, guilds: None }
}

fn minimal() -> Beat {
    Beat {
        instance: None,
        session: None,
        seq: None,
        version: None,
        interval: Duration::from_millis(2000),
        shards: vec![report(0, 1, GatewayState::Ready)],
        unavailable: Vec::new(),
        available: Vec::new(),
        warnings: Vec::new(),
    }
}

#[test]
fn a_minimal_beat_means_the_documented_defaults() {
    assert_eq!(beat("beat-minimal.json"), minimal());
}

#[test]
fn a_full_beat_is_read_field_by_field() {
    let ready = ShardReport {
        latency_ms: Some(41.5),
        ack_age_ms: Some(900.0),
        guilds: Some(2113),
        ..report(2, 16, GatewayState::Ready)
    };
    let resuming = ShardReport { ack_age_ms: Some(31_250.5), guilds: Some(1998), ..report(9, 16, GatewayState::Resuming) };
    let full = Beat {
        instance: Some("worker-1".into()),
        session: Some("b7c1".into()),
        seq: Some(42),
        version: Some("1.4.2".into()),
        shards: vec![ready, resuming],
        unavailable: vec!["81384788765712384".parse().unwrap()],
        available: vec!["80351110224678912".parse().unwrap()],
        ..minimal()
    };
    assert_eq!(beat("beat-full.json"), full);
}

#[test]
fn every_gateway_state_is_read_as_itself() {
    let read = beat("beat-every-state.json");
    assert_eq!(read.warnings, [""; 0]);
    for (shard, sent) in read.shards.iter().zip(json("beat-every-state.json")["shards"].as_array().unwrap()) {
        assert_eq!(&serde_json::to_value(shard.state).unwrap(), &sent["state"]);
    }
}

#[test]
fn a_beat_at_its_limits_is_read() {
    let read = beat("beat-limits.json");
    assert_eq!(read.instance.as_deref().map(str::len), Some(128));
    assert_eq!(read.version.as_deref().map(str::len), Some(128), "64 characters of two bytes");
    assert_eq!((read.seq, read.interval), (Some(u64::MAX), Duration::from_secs(60)));
    assert_eq!(read.shards[0].key, ShardKey { id: u32::MAX - 1, count: u32::MAX });
    assert_eq!((read.unavailable[0].get(), read.available[0].get()), (1, u64::MAX));
}

#[test]
fn what_is_forgiven_is_named_in_the_answer() {
    let read = beat("beat-forgiven.json");
    let expected = Beat {
        shards: vec![report(0, 2, GatewayState::Ready), report(1, 2, GatewayState::Ready)],
        unavailable: vec!["81384788765712384".parse().unwrap(), "80351110224678912".parse().unwrap()],
        warnings: read.warnings.clone(),
        ..minimal()
    };
    assert_eq!(read, expected);
    let answer: BeatAnswer = serde_json::from_value(json("beat-answer-warnings.json")).unwrap();
    assert_eq!(read.warnings, answer.warnings);
}

#[test]
fn a_goodbye_is_read_field_by_field() {
    let parse = |name: &str| Goodbye::parse(fixture(name).as_bytes()).unwrap();
    let nothing = Goodbye { instance: None, session: None, shards: None, reason: None, expected_back: None };
    assert_eq!(parse("goodbye-minimal.json"), nothing);
    let full = Goodbye {
        instance: Some("worker-1".into()),
        session: Some("b7c1".into()),
        shards: Some(vec![ShardKey { id: 2, count: 16 }, ShardKey { id: 9, count: 16 }]),
        reason: Some("deploy".into()),
        expected_back: Some(Duration::from_secs(120)),
    };
    assert_eq!(parse("goodbye-full.json"), full);
}

#[test]
fn every_bad_body_is_refused_at_its_pointer() {
    fn check<T: std::fmt::Debug>(table: &str, parse: fn(&[u8]) -> Result<T, Invalid>) {
        for Bad { why, body, pointer, .. } in bad(table) {
            let refused = parse(body.as_bytes()).expect_err(&why);
            assert_eq!(refused.pointer, pointer, "{table}: {why}");
            assert!(!refused.detail.is_empty(), "{table}: {why}");
        }
    }
    check("bad-beats.json", Beat::parse);
    check("bad-goodbyes.json", Goodbye::parse);
}
