//! What all guilds that are followed have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Bearer;
use super::board::Board;
use super::checks::Checks;
use super::fault::Fault;
use super::pace::Pace;
use super::rights::{Right, Rights};
use super::topic::Topic;
use super::upstream::Upstream;
use crate::hub::Subject;
use crate::liveness::Monotonic;
use crate::metrics::Metrics;
use crate::wire::{GuildId, Payload};

/// Of how many guilds a backend without a stream is asked at once.
pub(super) const POLLS: usize = 32;
/// How long such an answer may take: viewers have to see within 10 s that nothing comes.
const POLL_ANSWER: Duration = Duration::from_secs(5);

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
    /// When the last of these was answered.
    pub(super) answered: Mutex<Monotonic>,
    pub(super) pace: Pace,
    pub(super) topics: Mutex<HashMap<Subject, Arc<Topic>>>,
    /// Whether it was said that the token of the configuration is denied.
    pub(super) denial_told: AtomicBool,
}

impl Shared {
    pub(super) fn followed(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Topic>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the upstream says of a guild without a stream, when it is its turn. While nobody is answered, that is waited
    /// for no longer than an answer is.
    pub(super) async fn poll(&self, guild: GuildId, bearer: &Bearer) -> Result<Payload, Fault> {
        tokio::select! {
            answer = self.poll_in_turn(guild, bearer) => answer,
            () = self.nobody_is_answered() => Err(Fault::Late),
        }
    }

    async fn poll_in_turn(&self, guild: GuildId, bearer: &Bearer) -> Result<Payload, Fault> {
        let _slot = self.polls.acquire().await.expect("it is never closed");
        self.metrics.upstream.polls.inc();
        let answer = timeout(POLL_ANSWER, self.upstream.status(guild, bearer)).await.map_err(|_| Fault::Late)?;
        *self.answered() = self.board.clock().monotonic();
        answer
    }

    async fn nobody_is_answered(&self) {
        let clock = self.board.clock();
        let mut last = clock.monotonic();
        while let Some(left) = (last + POLL_ANSWER).checked_sub(clock.monotonic()) {
            sleep(left).await;
            last = last.max(*self.answered());
        }
    }

    fn answered(&self) -> MutexGuard<'_, Monotonic> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The upstream denies the token of the configuration, of which somebody has to hear; once is enough.
    pub(super) fn service_denied(&self, fault: &Fault) {
        if !self.denial_told.swap(true, Ordering::Relaxed) {
            tracing::error!("the backend does not take upstream_token: {fault}; viewers are told that nobody knows");
        }
    }

    /// Takes what the upstream has answered about a right, when it was asked with its token. If that has ended, so do the streams of those who
    /// had it.
    pub(super) fn judge(&self, right: &Arc<Right>, bearer: &Bearer, answer: Result<(), &Fault>) {
        // Who comes back is not let in by what was true before.
        self.checks.keep(right.subject(), bearer, answer);
        if right.judge(answer, self.board.clock().now()) {
            self.board.withdraw(right.subject());
        }
    }
}
