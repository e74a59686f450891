//! What each viewer must know, told without index, viewers or rings.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::liveness::Monotonic;
use crate::monitor::Monitor;
use crate::wire::{Facts, GuildId};

/// A status is not repeated sooner than this after the last one, nor later.
const REPEATED: std::ops::Range<Duration> = Duration::from_secs(14)..Duration::from_secs(15);

/// Everything that was ever said of each guild, in order.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<GuildId, Vec<Facts>>);

impl History {
    /// Notes what is said now.
    pub(super) fn note(&mut self, monitor: &Monitor, guilds: &[GuildId]) {
        for guild in guilds {
            let facts = monitor.facts(*guild);
            let known = self.0.entry(*guild).or_default();
            if let Some(last) = known.last() {
                assert!(last.revision <= facts.revision, "a revision goes back");
                assert!(alike(last, &facts) || last.revision < facts.revision, "a change without a number");
            }
            if known.last() != Some(&facts) {
                known.push(facts);
            }
        }
    }

    fn newest(&self, guild: GuildId) -> usize {
        self.0[&guild].len() - 1
    }
}

/// Whether viewers are not told of the difference: a newer beat is no transition.
fn alike(one: &Facts, other: &Facts) -> bool {
    let told = |facts: &Facts| Facts { last_heartbeat: None, revision: other.revision, ..facts.clone() };
    told(one) == told(other)
}

/// PROTOCOL.md's "Status".
fn status(guild: GuildId, facts: &Facts) -> Value {
    let mut status = json!({
        "guildId": guild.get().to_string(), "healthy": facts.healthy, "state": facts.state, "reason": facts.reason,
        "version": facts.version, "since": facts.since, "shard": facts.shard.map(|key| json!({"id": key.id, "count": key.count})),
        "revision": format!("{}.{}", facts.revision.boot, facts.revision.seq),
    });
    for (name, time) in [("lastHeartbeat", facts.last_heartbeat), ("expectedBack", facts.expected_back)] {
        if let Some(time) = time {
            status[name] = json!(time);
        }
    }
    status
}

/// What a viewer knows of one guild.
#[derive(Debug)]
struct Known {
    guild: GuildId,
    /// Which part of the history it heard last.
    place: usize,
    /// How often it heard a status with the number of the last one.
    times: usize,
    /// When the same may be repeated, and by when something must have been sent.
    again: std::ops::Range<Monotonic>,
}

/// What a viewer knows.
#[derive(Debug)]
pub(super) struct Knowledge {
    guilds: Vec<Known>,
    joined: Monotonic,
}

impl Knowledge {
    /// Of a viewer who is just told the newest of all of these guilds, which take turns from then on.
    pub(super) fn of(guilds: &[GuildId], history: &History, now: Monotonic) -> Self {
        let count = u32::try_from(guilds.len()).unwrap();
        let begin = |(turn, guild): (u32, &GuildId)| {
            let first = now + REPEATED.start * turn / count;
            let again = first..first + (REPEATED.end - REPEATED.start);
            Known { guild: *guild, place: history.newest(*guild), times: 1, again }
        };
        Self { guilds: (1..).zip(guilds).map(begin).collect(), joined: now }
    }

    /// The viewer hears this. If it does not read at once, it is not known when this was sent.
    pub(super) fn hears(&mut self, event: &Value, history: &History, now: Monotonic, at_once: bool) {
        let known = self.guilds.iter_mut().find(|known| event["guildId"].as_str() == Some(&known.guild.get().to_string()));
        let known = known.unwrap_or_else(|| panic!("nobody asked for {event}"));
        let said = &history.0[&known.guild];
        let place = (known.place..said.len()).find(|place| *event == status(known.guild, &said[*place]));
        let place = place.unwrap_or_else(|| panic!("{event} was not so since {}", status(known.guild, &said[known.place])));
        let is_news = said[known.place].revision < said[place].revision;
        assert!(is_news || !at_once || known.again.start <= now, "{event} is repeated at {now:?}, not in {:?}", known.again);
        known.times = if is_news { 1 } else { known.times + 1 };
        let most = 2 + (now - self.joined).as_nanos() / REPEATED.start.as_nanos();
        assert!(known.times as u128 <= most, "{event} is said {} times", known.times);
        known.place = place;
        known.again = if at_once { now + REPEATED.start..now + REPEATED.end } else { now..Monotonic::MAX };
    }

    /// From now on the viewer reads at once again, and has read all there was.
    pub(super) fn caught_up(&mut self, now: Monotonic) {
        self.guilds.iter_mut().for_each(|known| known.again = now..now + REPEATED.end);
    }

    /// The stream is served from now on.
    pub(super) fn served(&mut self, now: Monotonic) {
        let late = now + (REPEATED.end - REPEATED.start);
        self.guilds.iter_mut().for_each(|known| known.again.end = known.again.end.max(late));
    }

    /// A guild of which the viewer does not know the newest.
    pub(super) fn missing(&self, history: &History) -> Option<String> {
        let is_old = |known: &&Known| {
            let said = &history.0[&known.guild];
            !alike(&said[known.place], said.last().unwrap())
        };
        self.guilds.iter().find(is_old).map(|known| format!("{known:?} of {:?}", history.0[&known.guild].last()))
    }

    /// A guild of which nothing was said for too long.
    pub(super) fn late(&self, now: Monotonic) -> Option<String> {
        self.guilds.iter().find(|known| known.again.end < now).map(|known| format!("{known:?} at {now:?}"))
    }

    /// Whether it knows everything as it is now, to the last beat.
    pub(super) fn is_exact(&self, history: &History) -> bool {
        self.guilds.iter().all(|known| known.place == history.newest(known.guild))
    }
}
