//! Processes of a bot that beat all the time, whether anybody hears them or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::support::{Place, shards};

/// How many shards the bot has.
pub(super) const COUNT: u32 = 128;
/// What a process does. Shards that only beat are the ones that must never flap.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its version changes with every beat.
    News,
    /// It loses and regains the gateway with every beat.
    Flapping,
    Quiet,
}

/// A beat that was answered: when it was sent and when the answer came, with which version, for how
/// many shards.
pub(super) type Answered = (Instant, Instant, String, i64);

#[derive(Clone)]
pub(super) struct Bot {
    place: Arc<Place>,
    kind: Kind,
    ids: std::ops::Range<u32>,
    sent: Arc<AtomicU64>,
    answered: Arc<Mutex<Vec<Answered>>>,
}

impl Bot {
    pub(super) fn all(place: &Arc<Place>) -> Vec<Self> {
        let kinds = [(Kind::News, 0..70), (Kind::Flapping, 70..100), (Kind::Quiet, 100..COUNT)];
        let bot = |(kind, ids)| Self {
            place: place.clone(),
            kind,
            ids,
            sent: Arc::new(AtomicU64::new(1)),
            answered: Arc::default(),
        };
        kinds.map(bot).into()
    }

    /// Whether the state of this shard never changes.
    pub(super) fn is_steady(shard: u32) -> bool {
        !(70..100).contains(&shard)
    }

    pub(super) fn answered(&self) -> Vec<Answered> {
        self.answered.lock().unwrap().clone()
    }

    /// Beats for ever.
    pub(super) async fn run(&self) {
        let mut due = interval(Duration::from_millis(if self.kind == Kind::Quiet { 200 } else { 50 }));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
            if self.beat(number).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    pub(super) async fn beat(&self, number: u64) -> Result<(), reqwest::Error> {
        let version = format!("news-{number}");
        let state = if self.kind == Kind::Flapping && number.is_multiple_of(2) { "reconnecting" } else { "ready" };
        let mut beat = json!({"session": "s", "seq": number, "shards": shards(self.ids.clone(), COUNT, state)});
        beat["instance"] = json!(format!("{}", self.ids.start));
        if self.kind == Kind::News {
            beat["version"] = json!(version);
        }
        let sent = Instant::now();
        let answer = self.place.post("/api/v1/heartbeats", &beat).send().await?.error_for_status()?;
        let at = Instant::now();
        let shards = i64::from(self.ids.end - self.ids.start);
        assert_eq!(answer.json::<serde_json::Value>().await?["accepted"], shards);
        if self.kind == Kind::News {
            self.answered.lock().unwrap().push((sent, at, version, shards));
        }
        Ok(())
    }
}
