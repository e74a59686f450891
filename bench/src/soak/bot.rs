//! A bot that beats all along, and changes its version with most beats.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::visitors::SHARDS;
use crate::beat::{Beat, Connection};
use crate::clock;
use crate::load::Story;

/// The longest that there is, so that a machine that is busy makes nobody offline.
const INTERVAL_MS: u32 = 60_000;
/// It makes statuses long, so that few of them fill what the kernel holds for who does not read.
const PADDING: &str = "\\u0001";

/// How fast a bot changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Several times a second, and beats without a change between.
    Calm,
    /// With each of many beats.
    Hasty,
    /// It only beats.
    Still,
}

impl Pace {
    fn gap(self) -> Duration {
        Duration::from_millis(match self {
            Self::Calm | Self::Still => 50,
            Self::Hasty => 3,
        })
    }
}

#[derive(Debug)]
pub(super) struct Bot {
    story: Arc<Story>,
    pace: Mutex<Pace>,
    over: AtomicBool,
}

impl Bot {
    /// A calm one.
    pub(super) fn new(story: Arc<Story>) -> Self {
        Self { story, pace: Mutex::new(Pace::Calm), over: AtomicBool::new(false) }
    }

    pub(super) fn set(&self, pace: Pace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Beats until it is stopped. Each beat has to be answered with a yes.
    pub(super) fn beat_on(&self, admin: SocketAddr) -> Result<()> {
        let mut connection = Connection::open(admin)?;
        let mut version = String::new();
        let mut turn: u32 = 0;
        while !self.over.load(Ordering::SeqCst) {
            let pace = *self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let next = clock::now() + pace.gap();
            match pace {
                Pace::Calm if turn.is_multiple_of(2) => version = self.story.next().to_string(),
                Pace::Hasty => version = self.story.next().to_string() + &PADDING.repeat(100),
                Pace::Calm | Pace::Still => {}
            }
            let beat = Beat {
                instance: 0,
                seq: None,
                version: &version,
                interval_ms: INTERVAL_MS,
                shards: 0..SHARDS,
                count: SHARDS,
            };
            connection.send(&beat)?;
            connection.settle(&beat).context("a beat was not answered")?;
            self.story.acknowledge();
            turn = turn.wrapping_add(1);
            thread::sleep(next.saturating_duration_since(clock::now()));
        }
        Ok(())
    }
}
