//! The JSON fixtures that the server writes, against the types of `wire`, both ways.

use std::collections::BTreeSet;

use guildpulse::wire::{
    BeatAnswer, Code, Facts, GatewayState, GoodbyeAnswer, Problem, ProcessDetail, Reason, ShardDetail, ShardKey, Shards,
    State, Status, Template, UnixMillis,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::documents::{body, fixtures, fixtures_of, json, text, word, words};

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&body(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads the fixture and writes it again.
fn check<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let value: T = read(name);
    assert_eq!(serde_json::to_string(&value).unwrap(), body(name), "{name}");
    value
}

fn statuses() -> impl Iterator<Item = (String, Status)> {
    fixtures_of("status-", ".json").into_iter().map(|name| {
        let status = read(&name);
        (name, status)
    })
}

#[test]
fn a_status_is_written_byte_for_byte_as_its_fixture() {
    for name in fixtures_of("status-", ".json") {
        let status: Status = check(&name);
        assert_eq!(Template::new(&status.facts).json(status.guild_id), body(&name), "{name}");
    }
    let listed: Vec<Status> = serde_json::from_value(json("statuses.json")["statuses"].clone()).unwrap();
    assert_eq!(format!(r#"{{"statuses":{}}}"#, serde_json::to_string(&listed).unwrap()), body("statuses.json"));
}

#[test]
fn there_is_a_status_for_every_state_and_every_reason() {
    let states: BTreeSet<_> = statuses().map(|(_, status)| word(&status.facts.state)).collect();
    let reasons: BTreeSet<_> = statuses().filter_map(|(_, status)| status.facts.reason).map(|it| word(&it)).collect();
    assert_eq!(states, words::<State>().into_iter().collect());
    assert_eq!(reasons, words::<Reason>().into_iter().collect());
}

#[test]
fn every_status_fixture_could_be_true() {
    for (name, Status { guild_id, facts }) in statuses() {
        let Facts { healthy, state, reason, last_heartbeat, since: _, expected_back, shard, .. } = facts;
        match state {
            State::Online | State::Reconnecting => assert!(healthy, "{name}"),
            State::Offline | State::Maintenance | State::Unavailable => assert!(!healthy, "{name}"),
            State::Unknown => {}
        }
        assert_eq!(reason.is_none(), state == State::Online, "{name}");
        assert_eq!(last_heartbeat.is_none(), reason == Some(Reason::NeverSeen), "{name}");
        assert_eq!(expected_back.is_some(), state == State::Maintenance, "{name}");
        assert!(shard.is_none_or(|shard| shard.carries(guild_id)), "{name}: Discord sends the guild to another shard");
    }
}

#[test]
fn the_fixture_of_a_hostile_version_holds_everything_that_could_break_a_line() {
    let status: Status = read("status-hostile-version.json");
    let version = status.facts.version.expect("the fixture has a version");
    for hostile in
        ["\r", "\n", "\r\n", "\n\n", "\"", "\\", "\0", "\u{2028}", "\u{2029}", "\u{7f}", "🚀", "\rdata:", "\nevent:"]
    {
        assert!(version.contains(hostile), "{hostile:?}");
    }
}

#[test]
fn answers_are_written_byte_for_byte_as_their_fixtures() {
    for name in fixtures_of("beat-answer", ".json") {
        check::<BeatAnswer>(&name);
    }
    for name in fixtures_of("goodbye-answer", ".json") {
        check::<GoodbyeAnswer>(&name);
    }
}

#[test]
fn there_is_a_problem_for_every_code_and_it_is_written_byte_for_byte() {
    let mut seen = BTreeSet::new();
    for name in fixtures_of("problem-", ".json") {
        let problem: Problem = check(&name);
        let (status, title) = problem.code.status();
        assert_eq!(
            (problem.status, problem.title.as_str(), problem.r#type.as_str()),
            (status, title, "about:blank"),
            "{name}"
        );
        seen.insert(word(&problem.code));
    }
    assert_eq!(seen, words::<Code>().into_iter().collect());
}

#[test]
fn shards_are_written_byte_for_byte_as_their_fixture() {
    let fixture = json("shards.json");
    let facts = |index: usize| serde_json::from_value(fixture["shards"][index].clone()).unwrap();
    let named = ProcessDetail {
        instance: Some("worker-1".into()),
        session: Some("b7c1".into()),
        state: GatewayState::Ready,
        last_beat: Some(UnixMillis(1_795_378_800_000)),
        interval_ms: 2000,
        version: Some("1.4.2".into()),
        latency_ms: Some(41.5),
        ack_age_ms: Some(900.0),
        guilds: Some(2113),
        unavailable: 1,
    };
    let restored = ProcessDetail {
        instance: None,
        session: None,
        state: GatewayState::Resuming,
        last_beat: None,
        interval_ms: 2000,
        version: None,
        latency_ms: None,
        ack_age_ms: None,
        guilds: None,
        unavailable: 0,
    };
    let instances = [vec![named], vec![], vec![restored]];
    let shards = instances.into_iter().enumerate().map(|(index, instances)| ShardDetail { facts: facts(index), instances });
    let shards = Shards { shards: shards.collect() };
    assert_eq!(serde_json::to_string(&shards).unwrap(), body("shards.json"));
    let keys: Vec<_> = shards.shards.iter().filter_map(|shard| shard.facts.shard).collect();
    assert_eq!(keys, [2, 9, 15].map(|id| ShardKey { id, count: 16 }));
}

#[test]
fn the_readme_of_the_fixtures_names_each_of_them_and_no_other() {
    let readme = text("protocol/fixtures/README.md");
    let named: BTreeSet<_> = readme
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('.') && !word.starts_with('.'))
        .map(String::from)
        .collect();
    assert_eq!(named, fixtures().into_iter().collect());
}
