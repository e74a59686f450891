//! Something that is measured, its viewers, and the bot that beats for them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{AT_ONCE, Bench, Plan};
use crate::beat::{Beat, Connection};
use crate::clock::{self, Bound};
use crate::frames::Said;
use crate::load::{FIRST_GUILD, Load};
use crate::message;
use crate::parser::Dialect;
use crate::process::{Kind, Measured};

/// A connection that was idle for longer may be closed by the server just when it is used.
const IDLE: Duration = Duration::from_secs(5);
/// No scenario takes longer than what such a beat is fresh for, so none has to be repeated.
const INTERVAL_MS: u32 = 60_000;

/// Something that is measured, with one shard.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) measured: Measured,
    pub(super) load: Load,
    beats: Connection,
    beaten: Instant,
    versions: [String; 2],
    turn: usize,
    publisher: Publisher,
}

/// Who makes the statuses.
#[derive(Debug, Clone, Copy)]
enum Publisher {
    /// What is measured makes them of beats.
    Measured,
    /// We do, all for one guild, and number them ourselves.
    Us { boot: u64, seq: u64 },
}

impl Site {
    /// Starts it; its shard is online.
    pub(super) fn start(bench: &Bench, kind: Kind, bound: &Bound) -> Result<Self> {
        Self::with_versions(bench, kind, bound, ["1.4.2".into(), "1.4.3".into()])
    }

    /// The same, with two versions that take turns.
    pub(super) fn with_versions(bench: &Bench, kind: Kind, bound: &Bound, versions: [String; 2]) -> Result<Self> {
        let measured = bench.start(kind, bound)?;
        let mut load = Load::new(measured.public, bound)?;
        let publisher = match kind {
            Kind::Floor | Kind::Server | Kind::Gateway | Kind::Node => Publisher::Measured,
            Kind::Nchan => {
                load.speak(Dialect::Nchan);
                Publisher::Us { boot: clock::unix_seconds(), seq: 0 }
            }
        };
        let beats = Connection::open(measured.admin)?;
        let mut site = Self { measured, load, beats, beaten: clock::now(), versions, turn: 0, publisher };
        site.beat()?;
        Ok(site)
    }

    /// Opens viewers, a few at a time.
    pub(super) fn open(&mut self, plans: impl IntoIterator<Item = Plan>) -> Result<std::ops::Range<usize>> {
        let who = self.load.add(plans)?;
        self.load.open(who.clone(), AT_ONCE)?;
        let (_, online) = self.load.seen(who.clone());
        ensure!(online, "a viewer was told that the bot is not online");
        Ok(who)
    }

    /// Beats without a change.
    pub(super) fn beat(&mut self) -> Result<()> {
        self.refresh_connection()?;
        self.send()?;
        self.settle()
    }

    /// Beats with another version, and waits until everybody who reads has it.
    pub(super) fn publish(&mut self) -> Result<()> {
        self.refresh_connection()?;
        self.turn = 1 - self.turn;
        self.load.expect(&self.versions[self.turn]);
        self.send()?;
        self.load.settle()?;
        self.settle()
    }

    fn send(&mut self) -> Result<()> {
        let version = &self.versions[self.turn];
        match &mut self.publisher {
            Publisher::Measured => self.beats.send(&beat(version)),
            Publisher::Us { boot, seq } => {
                *seq += 1;
                let now = "2026-11-22T20:20:00.000Z";
                self.beats.ask(&message::request(&Said {
                    guild: FIRST_GUILD,
                    state: r#""healthy":true,"state":"online","reason":null"#,
                    last_heartbeat: now,
                    version,
                    since: now,
                    shard: (0, 1),
                    revision: (*boot, *seq),
                })?)
            }
        }
    }

    fn settle(&mut self) -> Result<()> {
        match self.publisher {
            Publisher::Measured => self.beats.settle(&beat(&self.versions[self.turn])),
            Publisher::Us { .. } => self.beats.wait_for(message::is_accepted),
        }
    }

    /// Publishes so often, and reads for a while after each.
    pub(super) fn publish_often(&mut self, times: usize, pause: Duration) -> Result<()> {
        for _ in 0..times {
            self.publish()?;
            self.load.watch(pause)?;
        }
        Ok(())
    }

    fn refresh_connection(&mut self) -> Result<()> {
        if self.beaten.elapsed() > IDLE {
            self.beats = Connection::open(self.measured.admin)?;
        }
        self.beaten = clock::now();
        Ok(())
    }
}

fn beat(version: &str) -> Beat<'_> {
    Beat { instance: 0, seq: None, version, interval_ms: INTERVAL_MS, shards: 0..1, count: 1 }
}
