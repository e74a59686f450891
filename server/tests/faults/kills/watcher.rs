//! Viewers that stay, come back after each kill, and hold everything they are told against what
//! they were told before.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::bot::{Bot, COUNT};
use crate::support::{Place, SOON, Viewer, client, eventually, guild_of, operator, revision};

/// How many streams there are; each watched shard is in one of them.
pub(super) const STREAMS: u32 = 2;

/// Some shards that have news, some that flap, and all that are quiet.
fn watched() -> impl Iterator<Item = u32> {
    (0..16).chain(70..80).chain(100..COUNT)
}

#[derive(Default)]
struct Notes {
    /// The last status of each guild.
    last: BTreeMap<String, Value>,
    /// Changes that were seen, and when: not what a stream begins with, nor what it repeats.
    seen: Vec<(Instant, (u64, u64))>,
    /// What must not be.
    accusations: Vec<String>,
}

pub(super) struct Watcher {
    place: Arc<Place>,
    notes: Mutex<Notes>,
}

impl Watcher {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, notes: Mutex::default() }
    }

    pub(super) fn seen(&self) -> Vec<(Instant, (u64, u64))> {
        self.notes.lock().unwrap().seen.clone()
    }

    pub(super) fn accusations(&self) -> Vec<String> {
        self.notes.lock().unwrap().accusations.clone()
    }

    /// Waits until every shard that does not flap is known to be online.
    pub(super) async fn has_everybody_online(&self) {
        let online = async || {
            let notes = self.notes.lock().unwrap();
            let steady = notes.last.values().filter(|status| Bot::is_steady(shard(status)));
            steady.map(|status| &status["state"]).all(|state| state == "online").then_some(notes.last.len())
        };
        assert_eq!(eventually("everybody online", SOON, online).await, watched().count());
    }

    /// Watches for ever.
    pub(super) async fn run(&self, stream: u32) {
        let guilds: Vec<String> = watched().filter(|id| id % STREAMS == stream).map(guild_of).collect();
        let url = self.place.url(&format!("/api/v1/streams?guilds={}", guilds.join(",")));
        let http = client(Duration::from_secs(600));
        loop {
            match http.get(&url).bearer_auth(operator()).send().await {
                Ok(response) => self.follow(Viewer::of(response)).await,
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Reads one stream to its end.
    async fn follow(&self, mut viewer: Viewer) {
        let mut begun = HashSet::new();
        while let Ok(Some(event)) = viewer.read().await {
            if event.kind == "message" {
                let status = event.json();
                let first = begun.insert(status["guildId"].as_str().unwrap().to_owned());
                self.notes.lock().unwrap().take(status, first);
            }
        }
    }
}

impl Notes {
    fn take(&mut self, status: Value, first: bool) {
        let guild = status["guildId"].as_str().unwrap().to_owned();
        if status["healthy"] != true || !["online", "reconnecting", "unknown"].iter().any(|state| status["state"] == *state)
        {
            self.accusations.push(format!("a false alarm: {status}"));
        }
        let last = self.last.get(&guild);
        if let Some(last) = last {
            if revision(&status) < revision(last) {
                self.accusations.push(format!("{status} after {last}"));
            }
            if Bot::is_steady(shard(&status)) && status["since"] != last["since"] {
                self.accusations.push(format!("since changed: {status} after {last}"));
            }
            if !first && revision(&status) > revision(last) {
                self.seen.push((Instant::now(), revision(&status)));
            }
        }
        self.last.insert(guild, status);
    }
}

fn shard(status: &Value) -> u32 {
    status["shard"]["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap()
}
