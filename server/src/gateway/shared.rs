//! What all guilds that are followed have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::Bearer;
use super::board::Board;
use super::checks::Checks;
use super::fault::Fault;
use super::rights::{Right, Rights};
use super::topic::Topic;
use super::upstream::Upstream;
use crate::hub::Subject;
use crate::metrics::Metrics;
use crate::wire::GuildId;

/// How many backends without a stream are asked at once.
pub(super) const POLLS: usize = 32;

/// What all guilds have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: Arc<Upstream>,
    pub(super) checks: Checks,
    pub(super) board: Arc<Board>,
    pub(super) rights: Arc<Rights>,
    pub(super) metrics: Metrics,
    /// The token of the configuration.
    pub(super) service: Option<Bearer>,
    pub(super) polls: Semaphore,
    /// How often a backend that was lost was heard again.
    pub(super) back: watch::Sender<u64>,
    pub(super) topics: Mutex<HashMap<Subject, Arc<Topic>>>,
    /// Whether it was said that the token of the configuration is denied.
    pub(super) denial_told: AtomicBool,
}

impl Shared {
    pub(super) fn followed(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Topic>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many guilds are followed.
    pub(super) fn topics(&self) -> usize {
        self.followed().len()
    }

    /// The upstream has said that this right is none any more.
    pub(super) fn deny(&self, guild: GuildId, number: u64, bearer: &Bearer, fault: &Fault) {
        if let Some(right) = self.rights.find(guild, number, bearer) {
            self.judge(&right, Err(fault));
        }
    }

    /// The upstream denies the token of the configuration, of which somebody has to hear; once is enough.
    pub(super) fn service_denied(&self, fault: &Fault) {
        if !self.denial_told.swap(true, Ordering::Relaxed) {
            tracing::error!("the backend does not take upstream_token: {fault}; viewers are told that nobody knows");
        }
    }

    /// Takes what the upstream has answered about a right. If that has ended, so do the streams of those who
    /// had it.
    pub(super) fn judge(&self, right: &Arc<Right>, answer: Result<(), &Fault>) {
        if right.judge(answer, self.board.clock().now()) {
            self.board.withdraw(right.subject());
        }
    }
}
