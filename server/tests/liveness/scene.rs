//! The one helper of all example tests: a scene is played line by line, and after every line the
//! machine is compared with the oracle.

use std::time::Duration;

use guildpulse::liveness::Transition;
use guildpulse::wire::{Facts, UnixMillis};

use crate::lingo;
use crate::rig::{EPOCH, Judge, RESIDUES, Rig, START, Word, guild};

/// A scene; times are in seconds since it began.
pub(crate) struct Scene {
    pub(crate) rig: Rig,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { rig: Rig::new(Judge::Oracle) }
    }

    /// Beats arrive, in the language of [`lingo`].
    pub(crate) fn beat(&mut self, text: &str) -> &mut Self {
        self.beat_counts(text, None)
    }

    /// A beat counts for this many shards.
    pub(crate) fn beat_for(&mut self, shards: usize, text: &str) -> &mut Self {
        self.beat_counts(text, Some(shards))
    }

    fn beat_counts(&mut self, text: &str, shards: Option<usize>) -> &mut Self {
        let applied = self.rig.apply(Word::Beat(lingo::beat(text))).unwrap_or_else(|broken| panic!("{broken}"));
        assert!(shards.is_none_or(|shards| shards == applied.accepted), "{text}: accepted {}", applied.accepted);
        self
    }

    /// The same beat every 2 s, from now until this time, at which the last one arrives.
    pub(crate) fn beat_until(&mut self, end: f64, text: &str) -> &mut Self {
        let mut time = self.rig.time().as_secs_f64();
        while time < end {
            self.beat(text);
            time = (time + 2.0).min(end);
            self.at(time);
        }
        self.beat(text)
    }

    /// A goodbye takes the process off this many shards.
    pub(crate) fn goodbye_for(&mut self, shards: usize, text: &str) -> &mut Self {
        let applied = self.rig.apply(Word::Goodbye(lingo::goodbye(text))).unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(applied.accepted, shards, "{text}");
        self
    }

    pub(crate) fn goodbye(&mut self, text: &str) -> &mut Self {
        self.goodbye_for(1, text)
    }

    /// Time passes. What is due exactly then has not happened yet: beats come first (rule 2).
    pub(crate) fn at(&mut self, time: f64) -> &mut Self {
        self.must(|rig| rig.pass_to(seconds(time)))
    }

    /// What is due now happens.
    pub(crate) fn tick(&mut self) -> &mut Self {
        self.must(Rig::tick)
    }

    pub(crate) fn sleep(&mut self, time: f64) -> &mut Self {
        self.must(|rig| rig.sleep(seconds(time)))
    }

    pub(crate) fn late(&mut self, ms: u64) -> &mut Self {
        self.must(|rig| rig.late(Duration::from_millis(ms)))
    }

    pub(crate) fn restart(&mut self, away: f64) -> &mut Self {
        self.must(|rig| rig.restart(seconds(away)))
    }

    /// Time passes in which no timer is looked at, too little to be late.
    pub(crate) fn linger(&mut self, ms: u32) -> &mut Self {
        self.rig.linger(Duration::from_millis(ms.into()));
        self
    }

    fn must(&mut self, step: impl FnOnce(&mut Rig) -> Result<(), String>) -> &mut Self {
        step(&mut self.rig).unwrap_or_else(|broken| panic!("{broken}"));
        self
    }

    /// What is said of a guild of residue 0; see [`Self::of`].
    #[track_caller]
    pub(crate) fn is(&mut self, expected: &str) -> &mut Self {
        self.of(0, expected)
    }

    /// What is said of the guild of this residue that may be reported as unavailable: its state
    /// and reason, and whatever else is named, such as `v1.4 shard=0/2 since=4.5`.
    #[track_caller]
    pub(crate) fn of(&mut self, residue: u64, expected: &str) -> &mut Self {
        self.look(residue, 0, expected)
    }

    /// The same of a guild that is never reported.
    #[track_caller]
    pub(crate) fn neighbour(&mut self, residue: u64, expected: &str) -> &mut Self {
        self.look(residue, 1, expected)
    }

    #[track_caller]
    fn look(&mut self, residue: u64, number: u64, expected: &str) -> &mut Self {
        let facts = self.rig.machine.facts(guild(residue, number));
        let (said, details) = words(&facts);
        let (mut state, mut wrong) = (Vec::new(), Vec::new());
        for word in expected.split_whitespace() {
            let detail = word.contains('=') || word.starts_with('v') || word.ends_with("healthy");
            if !detail {
                state.push(word.to_owned());
            } else if !details.contains(&in_milliseconds(word)) {
                wrong.push(word);
            }
        }
        assert!(state == said && wrong.is_empty(), "{expected:?} expected, not {said:?} {details:?}");
        self
    }

    /// No viewer was told anything since this was last asked.
    #[track_caller]
    pub(crate) fn silently(&mut self) -> &mut Self {
        assert_eq!(self.take(), []);
        self
    }

    /// What was told until now does not matter.
    pub(crate) fn anyhow(&mut self) -> &mut Self {
        self.take();
        self
    }

    /// What was told since this was last asked.
    pub(crate) fn take(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.rig.transitions)
    }

    /// Everything that is said of any guild, with its revision.
    pub(crate) fn everything(&self) -> Vec<Facts> {
        let guilds = (0..RESIDUES).flat_map(|residue| [guild(residue, 0), guild(residue, 1)]);
        guilds.map(|guild| self.rig.machine.facts(guild)).collect()
    }
}

/// A time such as `since=0.30000000000000004` as facts have it.
fn in_milliseconds(word: &str) -> String {
    let parts = word.split_once('=').and_then(|(name, time)| Some((name, time.parse::<f64>().ok()?)));
    parts.map_or(word.to_owned(), |(name, time)| format!("{name}={}", (time * 1000.0).round() / 1000.0))
}

/// In whole microseconds, so that sums of decimal fractions meet their deadlines.
pub(crate) fn seconds(time: f64) -> Duration {
    Duration::from_micros((time * 1e6).round() as u64)
}

/// Facts in words: state and reason, and everything else.
fn words(facts: &Facts) -> (Vec<String>, Vec<String>) {
    let name = |value: serde_json::Value| value.as_str().map(str::to_owned);
    let json = |value| name(value).expect("states and reasons are strings");
    let mut said = vec![json(serde_json::to_value(facts.state).expect("JSON"))];
    said.extend(facts.reason.map(|reason| json(serde_json::to_value(reason).expect("JSON"))));
    let time = |time: UnixMillis| (time.0 - EPOCH.saturating_add(START).0) as f64 / 1000.0;
    let mut details = vec![if facts.healthy { "healthy" } else { "unhealthy" }.to_owned()];
    details.push(format!("since={}", time(facts.since)));
    details.push(facts.version.as_ref().map_or("v=none".to_owned(), |version| format!("v{version}")));
    details.push(facts.expected_back.map_or("back=never".to_owned(), |back| format!("back={}", time(back))));
    details.push(facts.last_heartbeat.map_or("beat=never".to_owned(), |beat| format!("beat={}", time(beat))));
    details.push(facts.shard.map_or("shard=none".to_owned(), |key| format!("shard={}/{}", key.id, key.count)));
    (said, details)
}
