use super::*;
use crate::wire::{Status, Template};

const GUILD: &str = "81384788765712384";

fn guild() -> GuildId {
    GUILD.parse().unwrap()
}

fn read(json: &str) -> Result<Payload, NoStatus> {
    Payload::read(json.as_bytes(), guild(), &Pointers::default())
}

/// What comes out for viewers.
fn written(payload: &Payload) -> Value {
    let facts = payload.facts(UnixMillis(1_795_378_020_000), Revision { boot: 7, seq: 9 });
    let json = Template::with(&facts, payload.others()).json(guild());
    assert!(!json.iter().any(u8::is_ascii_control), "no line break can reach a frame");
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_status_of_another_guildpulse_comes_out_as_it_was_but_for_its_revision() {
    let json = include_str!("../../../../protocol/fixtures/status-online.json");
    let mut expected: Value = serde_json::from_str(json).unwrap();
    let id: GuildId = expected["guildId"].as_str().unwrap().parse().unwrap();
    let payload = Payload::read(json.as_bytes(), id, &Pointers::default()).unwrap();
    let facts = payload.facts(UnixMillis(0), Revision { boot: 7, seq: 9 });
    let status: Value = serde_json::from_slice(&Template::with(&facts, payload.others()).json(id)).unwrap();
    expected["revision"] = "7.9".into();
    assert_eq!(status, expected);
}

#[test]
fn a_backend_of_its_own_kind_is_understood_by_pointers_and_keeps_its_fields() {
    let at = Pointers {
        healthy: "/bot_healthy".parse().unwrap(),
        last_heartbeat: "/bot/last_heartbeat".parse().unwrap(),
        version: "/bot/version".parse().unwrap(),
    };
    let json = "{\"bot\": {\"last_heartbeat\": \"2026-11-22T20:06:58+01:00\",\r\n \"version\": \"1.4.2\"},\n\"bot_healthy\": true, \"n\": 18446744073709551617}";
    let payload = Payload::read(json.as_bytes(), guild(), &at).unwrap();
    let written = written(&payload);
    let ours = ["guildId", "healthy", "state", "reason", "lastHeartbeat", "version", "since", "shard", "revision"];
    let expected = [
        Value::from(GUILD),
        true.into(),
        "online".into(),
        Value::Null,
        "2026-11-22T19:06:58.000Z".into(),
        "1.4.2".into(),
        "2026-11-22T20:07:00.000Z".into(),
        Value::Null,
        "7.9".into(),
    ];
    assert_eq!(ours.map(|name| written[name].clone()), expected);
    assert_eq!((written["bot_healthy"].clone(), written["bot"]["version"].clone()), (true.into(), "1.4.2".into()));
    assert!(std::str::from_utf8(payload.others()).unwrap().contains("18446744073709551617"), "numbers keep their digits");
}

#[test]
fn who_says_only_that_a_bot_does_not_work_says_that_it_was_not_heard() {
    let written = written(&read(r#"{"healthy":false}"#).unwrap());
    assert_eq!((&written["state"], &written["reason"]), (&"offline".into(), &"heartbeat_timeout".into()));
    assert_eq!(serde_json::from_value::<Status>(written).unwrap().facts.last_heartbeat, None);
}

#[test]
fn a_field_of_ours_that_is_not_what_the_contract_says_is_worked_out() {
    for (json, state) in [
        (r#"{"healthy":true,"state":"running"}"#, "online"),
        (r#"{"healthy":true,"state":"offline"}"#, "online"),
        (r#"{"healthy":false,"state":"online"}"#, "offline"),
        (r#"{"healthy":true,"state":"reconnecting"}"#, "reconnecting"),
        (r#"{"healthy":true,"state":"unknown"}"#, "unknown"),
        (r#"{"healthy":true,"state":7,"since":"yesterday","shard":"0/1","version":7,"revision":4}"#, "online"),
    ] {
        let written = written(&read(json).unwrap());
        assert_eq!(written["state"], state, "{json}");
        assert_eq!((written["version"].clone(), written["shard"].clone()), (Value::Null, Value::Null), "{json}");
        assert_eq!(written["revision"], "7.9", "{json}");
    }
}

#[test]
fn times_are_read_as_backends_write_them() {
    for (json, expected) in [
        (r#""2026-11-22T20:07:00.5Z""#, Some("2026-11-22T20:07:00.500Z")),
        (r#""2026-11-22T20:07:00""#, Some("2026-11-22T20:07:00.000Z")),
        (r#""2026-11-22 20:07:00.123456""#, Some("2026-11-22T20:07:00.123Z")),
        ("1795378020", Some("2026-11-22T20:07:00.000Z")),
        ("1795378020.25", Some("2026-11-22T20:07:00.250Z")),
        ("1795378020007", Some("2026-11-22T20:07:00.007Z")),
        ("null", None),
        ("-1", None),
        ("1e300", None),
        (r#""soon""#, None),
        ("[1]", None),
    ] {
        let payload = read(&format!(r#"{{"healthy":true,"lastHeartbeat":{json}}}"#)).unwrap();
        assert_eq!(payload.last_heartbeat().map(|time| time.to_string()).as_deref(), expected, "{json}");
    }
}

#[test]
fn anything_else_is_no_status() {
    let long = format!(r#"{{"healthy":true,"x":"{}"}}"#, "x".repeat(MAX_PAYLOAD_BYTES));
    for (json, why) in [
        ("", NoStatus::NoObject),
        ("<!doctype html>", NoStatus::NoObject),
        ("[true]", NoStatus::NoObject),
        ("null", NoStatus::NoObject),
        (r#"{"healthy":true"#, NoStatus::NoObject),
        (r#"{"healthy":true,"x":1e999}"#, NoStatus::NoObject),
        ("{}", NoStatus::NoBoolean),
        (r#"{"healthy":"true"}"#, NoStatus::NoBoolean),
        (r#"{"healthy":null}"#, NoStatus::NoBoolean),
        (r#"{"healthy":true,"guildId":"81384788832821248"}"#, NoStatus::OtherGuild),
        (r#"{"healthy":true,"guildId":null}"#, NoStatus::OtherGuild),
        (long.as_str(), NoStatus::TooLong),
    ] {
        assert_eq!(read(json), Err(why), "{}", &json[..json.len().min(60)]);
    }
    assert!(read(&format!(r#"{{"healthy":true,"guildId":{GUILD}}}"#)).is_ok(), "an id may be a number");
    assert_eq!(Payload::read(b"{\"healthy\":true,\"x\":\"\xff\"}", guild(), &Pointers::default()), Err(NoStatus::NoObject));
}

#[test]
fn a_fresh_heartbeat_alone_is_no_difference_wherever_it_stands() {
    let at = Pointers { last_heartbeat: "/bot/seen".parse().unwrap(), ..Pointers::default() };
    let read = |json: &str| Payload::read(json.as_bytes(), guild(), &at).unwrap();
    let first = read(r#"{"healthy":true,"bot":{"seen":1795378020,"guilds":3}}"#);
    for (json, differs) in [
        (r#"{"healthy":true,"bot":{"seen":1795378035,"guilds":3}}"#, false),
        (r#"{"bot":{"guilds":3,"seen":1795378035},"healthy":true}"#, false),
        (r#"{"healthy":true,"lastHeartbeat":"2026-11-22T20:07:00Z","bot":{"seen":1795378020,"guilds":3}}"#, false),
        (r#"{"healthy":true,"bot":{"seen":1795378020,"guilds":4}}"#, true),
        (r#"{"healthy":false,"bot":{"seen":1795378020,"guilds":3}}"#, true),
        (r#"{"healthy":true,"version":"2","bot":{"seen":1795378020,"guilds":3}}"#, true),
        (r#"{"healthy":true,"new":null,"bot":{"seen":1795378020,"guilds":3}}"#, true),
    ] {
        assert_eq!(first.differs(&read(json)), differs, "{json}");
    }
}

#[test]
fn out_of_reach_a_bot_is_unknown_and_what_its_backend_said_goes_with_its_health() {
    let payload = read(r#"{"healthy":true,"version":"1.4.2","since":"2026-11-20T08:00:00Z","bot_healthy":true}"#).unwrap();
    let unknown = written(&payload.out_of_reach(true));
    assert_eq!((&unknown["healthy"], &unknown["bot_healthy"]), (&true.into(), &true.into()));
    assert_eq!((&unknown["state"], &unknown["reason"]), (&"unknown".into(), &"upstream_unreachable".into()));
    assert_eq!((&unknown["version"], &unknown["since"]), (&"1.4.2".into(), &"2026-11-22T20:07:00.000Z".into()));
    let given_up = written(&payload.out_of_reach(false));
    assert_eq!((&given_up["healthy"], &given_up["bot_healthy"]), (&false.into(), &Value::Null));
}

#[test]
fn a_pointer_begins_with_a_slash() {
    for (text, is_one) in
        [("/a", true), ("/a~1b/~0", true), ("/", true), ("", false), ("a", false), ("/a~", false), ("/~2", false)]
    {
        assert_eq!(text.parse::<Pointer>().is_ok(), is_one, "{text}");
    }
}

/// Objects that look like statuses of all kinds of backends.
fn object() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("\"online\"".to_owned()),
        Just("\"offline\"".to_owned()),
        Just("\"2026-11-22T20:07:00Z\"".to_owned()),
        Just("{\"id\":0,\n\"count\":1}".to_owned()),
        Just("[1,\r\n2]".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let name = prop_oneof![4 => prop::sample::select(&OURS[1..]).prop_map(str::to_owned), 1 => any::<String>()];
    let fields = prop::collection::vec((name, value), 0..12);
    fields.prop_map(|fields| {
        let field = |(name, value): (String, String)| format!("{}:{value}", serde_json::to_string(&name).unwrap());
        format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(","))
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_is_read_comes_out_as_a_status_of_the_contract_in_one_line(object in object()) {
        let Ok(payload) = read(&object) else { return Ok(()) };
        for payload in [payload.out_of_reach(true), payload.out_of_reach(false), payload] {
            let facts = payload.facts(UnixMillis(0), Revision { boot: 7, seq: 9 });
            let status: Status = serde_json::from_value(written(&payload)).unwrap();
            assert_eq!(status.facts.state, facts.state);
            assert!(facts.healthy == facts.state.is_healthy() || facts.state == State::Unknown);
            assert_eq!(facts.reason.is_none(), facts.state == State::Online);
        }
    }
}
