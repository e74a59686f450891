//! A small language for beats and goodbyes, so that a test reads like a log, and a failing
//! script's log can become a test.
//!
//! `w1:a#3 0/2 1/2=resuming@900 v1.4 i5000 -7 +8` is beat 3 of session `a` of instance `w1`:
//! shard 0 of 2 is ready, shard 1 resuming with an acknowledgement 900 ms old, version 1.4,
//! every 5 s, a guild of residue 7 is unavailable, one of residue 8 available. The nameless
//! instance is `_`. A goodbye is `w1:a 0/2 back=60000`.

use std::fmt::Write as _;
use std::time::Duration;

use guildpulse::wire::{Beat, DEFAULT_INTERVAL, GatewayState, Goodbye, GuildId, Name, ShardKey, ShardReport};

use crate::rig::{Word, guild};

const STATES: [(&str, GatewayState); 7] = [
    ("starting", GatewayState::Starting),
    ("identifying", GatewayState::Identifying),
    ("resuming", GatewayState::Resuming),
    ("ready", GatewayState::Ready),
    ("reconnecting", GatewayState::Reconnecting),
    ("disconnected", GatewayState::Disconnected),
    ("fatal", GatewayState::Fatal),
];

/// Reads a beat.
pub(crate) fn beat(text: &str) -> Beat {
    let mut words = text.split_whitespace();
    let (instance, session, seq) = sender(words.next().expect("a beat has a sender"));
    let mut beat = Beat {
        instance,
        session,
        seq,
        version: None,
        interval: DEFAULT_INTERVAL,
        shards: Vec::new(),
        unavailable: Vec::new(),
        available: Vec::new(),
        warnings: Vec::new(),
    };
    for word in words {
        match word.split_at(1) {
            ("v", version) => beat.version = Some(version.into()),
            ("i", ms) => beat.interval = Duration::from_millis(number(ms)),
            ("-", residue) => beat.unavailable.push(guild(number(residue), 0)),
            ("+", residue) => beat.available.push(guild(number(residue), 0)),
            _ => beat.shards.push(report(word)),
        }
    }
    beat
}

/// Reads a goodbye.
pub(crate) fn goodbye(text: &str) -> Goodbye {
    let mut words = text.split_whitespace();
    let (instance, session, _) = sender(words.next().expect("a goodbye has a sender"));
    let mut goodbye = Goodbye { instance, session, shards: None, reason: None, expected_back: None };
    for word in words {
        match word.split_once('=') {
            Some((_, ms)) => goodbye.expected_back = Some(Duration::from_millis(number(ms))),
            None => goodbye.shards.get_or_insert_default().push(shard(word)),
        }
    }
    goodbye
}

fn sender(text: &str) -> (Option<Name>, Option<Name>, Option<u64>) {
    let (text, seq) = text.split_once('#').map_or((text, None), |(text, seq)| (text, Some(number(seq))));
    let (instance, session) = text.split_once(':').map_or((text, None), |(text, session)| (text, Some(session.into())));
    (Some(instance).filter(|name| *name != "_").map(Name::from), session, seq)
}

fn report(text: &str) -> ShardReport {
    let (text, ack_age_ms) = text.split_once('@').map_or((text, None), |(text, age)| (text, Some(age)));
    let (key, state) = text.split_once('=').unwrap_or((text, "ready"));
    let state = STATES.iter().find(|(name, _)| *name == state).expect("a gateway state").1;
    let ack_age_ms = ack_age_ms.map(|age| age.parse().expect("a number"));
    ShardReport { key: shard(key), state, latency_ms: None, ack_age_ms, guilds: None }
}

/// Reads `3/16`.
pub(crate) fn shard(text: &str) -> ShardKey {
    let (id, count) = text.split_once('/').expect("a shard is id/count");
    ShardKey { id: id.parse().expect("an id"), count: count.parse().expect("a count") }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// Writes an input as it is read.
pub(crate) fn write(word: &Word) -> String {
    match word {
        Word::Beat(beat) => write_beat(beat),
        Word::Goodbye(goodbye) => write_goodbye(goodbye),
        Word::Tick => "tick".to_owned(),
        Word::Suspended(slept) => format!("suspended {slept:?}"),
        Word::Late(by) => format!("late {by:?}"),
    }
}

fn write_beat(beat: &Beat) -> String {
    let mut text = write_sender("beat", beat.instance.as_ref(), beat.session.as_ref());
    let mut add = |part: std::fmt::Arguments<'_>| text.write_fmt(part).expect("memory takes every write");
    if let Some(seq) = beat.seq {
        add(format_args!("#{seq}"));
    }
    for report in &beat.shards {
        let state = STATES.iter().find(|(_, state)| *state == report.state).expect("every state is listed").0;
        add(format_args!(" {}/{}={state}", report.key.id, report.key.count));
        if let Some(age) = report.ack_age_ms {
            add(format_args!("@{age}"));
        }
    }
    if let Some(version) = &beat.version {
        add(format_args!(" v{version}"));
    }
    add(format_args!(" i{}", beat.interval.as_millis()));
    for guild in &beat.unavailable {
        add(format_args!(" -{}", residue(*guild)));
    }
    for guild in &beat.available {
        add(format_args!(" +{}", residue(*guild)));
    }
    text
}

fn write_goodbye(goodbye: &Goodbye) -> String {
    let mut text = write_sender("goodbye", goodbye.instance.as_ref(), goodbye.session.as_ref());
    for key in goodbye.shards.iter().flatten() {
        let _ = write!(text, " {}/{}", key.id, key.count);
    }
    if let Some(back) = goodbye.expected_back {
        let _ = write!(text, " back={}", back.as_millis());
    }
    text
}

fn write_sender(verb: &str, instance: Option<&Name>, session: Option<&Name>) -> String {
    let session = session.map(|session| format!(":{session}")).unwrap_or_default();
    format!("{verb} {}{session}", instance.map_or("_", |name| name))
}

fn residue(guild: GuildId) -> u64 {
    guild.get() >> 22
}
