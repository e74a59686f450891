//! Whether somebody may see a guild, by the word of the upstream.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Bearer;
use super::fault::Fault;
use super::upstream::Upstream;
use crate::clock::Clock;
use crate::liveness::Monotonic;
use crate::metrics::{Check, Limit, Metrics};
use crate::wire::{Code, GuildId, Payload, Problem};

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(10);
/// How many questions may be open at once.
pub(super) const IN_FLIGHT: usize = 32;
/// How long a request waits for its question to be put.
const WAIT: Duration = Duration::from_secs(1);
/// How much memory answers may take, in bytes.
const MEMORY: u64 = 32 << 20;
/// What an answer takes besides what the backend said in words of its own.
const ANSWER_BYTES: usize = 512;

/// Asks the upstream, and knows for a while what it has said.
#[derive(Debug)]
pub(super) struct Checks {
    upstream: Arc<Upstream>,
    clock: Clock,
    metrics: Metrics,
    slots: Semaphore,
    answers: Cache<Question, Answer>,
}

/// Who asks, by the hash of the token, and for which guild.
type Question = ([u8; 32], GuildId);

/// An answer that may be given again.
#[derive(Debug, Clone)]
enum Answer {
    Allowed(Allowed),
    Denied(Arc<Fault>),
}

/// The upstream has told somebody the status of a guild.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    /// The status.
    pub(super) payload: Arc<Payload>,
    /// When it was asked for.
    pub(super) asked: Monotonic,
}

/// Why there is no answer that may be given again.
#[derive(Debug)]
enum NoAnswer {
    Busy,
    Fault(Fault),
}

impl Checks {
    pub(super) fn new(upstream: Arc<Upstream>, clock: Clock, metrics: Metrics) -> Self {
        let weight = |_: &Question, answer: &Answer| {
            let others = match answer {
                Answer::Allowed(allowed) => allowed.payload.others().len(),
                Answer::Denied(_) => 0,
            };
            u32::try_from(ANSWER_BYTES + others).unwrap_or(u32::MAX)
        };
        let answers = Cache::builder().weigher(weight).max_capacity(MEMORY).time_to_live(FRESH).build();
        Self { upstream, clock, metrics, slots: Semaphore::new(IN_FLIGHT), answers }
    }

    /// Asks for somebody who waits. Many who ask the same at once are one question.
    ///
    /// # Errors
    ///
    /// What the upstream has against it, and `too_many_checks` if too many others ask.
    pub(super) async fn ask(&self, guild: GuildId, bearer: &Bearer) -> Result<Allowed, Problem> {
        let answer = self.answers.try_get_with((bearer.hash(), guild), async {
            let slot = timeout(WAIT, self.slots.acquire()).await.map_err(|_| NoAnswer::Busy)?;
            let answer = self.put(guild, bearer).await;
            drop(slot);
            match answer {
                Ok(allowed) => Ok(Answer::Allowed(allowed)),
                Err(fault) if fault.is_lasting() => Ok(Answer::Denied(Arc::new(fault))),
                Err(fault) => Err(NoAnswer::Fault(fault)),
            }
        });
        match answer.await {
            Ok(Answer::Allowed(allowed)) => Ok(allowed),
            Ok(Answer::Denied(fault)) => Err(fault.problem()),
            Err(none) => Err(match &*none {
                NoAnswer::Fault(fault) => fault.problem(),
                NoAnswer::Busy => {
                    self.metrics.limit_reached(Limit::Checks);
                    Problem::new(Code::TooManyChecks, "too many ask the backend at once whether they may see a guild")
                }
            }),
        }
    }

    /// Asks once more for somebody who was let in, whatever is known, and however long that takes.
    pub(super) async fn ask_again(&self, guild: GuildId, bearer: &Bearer) -> Result<Allowed, Fault> {
        let slot = self.slots.acquire().await.expect("it is never closed");
        let answer = self.put(guild, bearer).await;
        drop(slot);
        let question = (bearer.hash(), guild);
        match &answer {
            Ok(allowed) => self.answers.insert(question, Answer::Allowed(allowed.clone())).await,
            Err(fault) if fault.is_lasting() => {
                self.answers.insert(question, Answer::Denied(Arc::new(fault.clone()))).await;
            }
            Err(_) => {}
        }
        answer
    }

    async fn put(&self, guild: GuildId, bearer: &Bearer) -> Result<Allowed, Fault> {
        let asked = self.clock.monotonic();
        let answer = self.upstream.status(guild, bearer).await;
        self.metrics.upstream.checked(match &answer {
            Ok(_) => Check::Allowed,
            Err(fault) if fault.is_lasting() => Check::Denied,
            Err(_) => Check::Failed,
        });
        answer.map(|payload| Allowed { payload: Arc::new(payload), asked })
    }
}
