//! Whether somebody may see a guild, by the word of the upstream.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::fault::Fault;
use super::upstream::Upstream;
use super::{Bearer, Board};
use crate::hub::Subject;
use crate::liveness::Monotonic;
use crate::metrics::{Check, Limit, Metrics};
use crate::wire::{Code, GuildId, Problem};

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(10);
/// How many questions may be open at once.
pub(super) const IN_FLIGHT: usize = 32;
/// How long a request waits for its question to be put.
const WAIT: Duration = Duration::from_secs(1);
/// How much memory answers may take, in bytes.
const MEMORY: u64 = 16 << 20;
/// What an answer takes besides words, rather more than less.
const ANSWER_BYTES: u64 = 128;

/// Asks the upstream, and knows for a while whom it has let in. What it says of the guild besides goes to the
/// board.
#[derive(Debug)]
pub(super) struct Checks {
    upstream: Arc<Upstream>,
    board: Arc<Board>,
    metrics: Metrics,
    slots: Semaphore,
    answers: Cache<Question, Answer, Size>,
}

/// Who asks, by the hash of the token, and for which guild.
type Question = ([u8; 32], GuildId);

/// Whether somebody may see a guild.
#[derive(Debug, Clone)]
struct Answer {
    /// Why not, if not.
    refused: Option<Arc<Problem>>,
    /// It is given to whoever came before this.
    until: Monotonic,
}

/// How many bytes an answer takes.
#[derive(Debug, Clone)]
struct Size;

impl Weighter<Question, Answer> for Size {
    fn weight(&self, _: &Question, answer: &Answer) -> u64 {
        let words = answer.refused.as_ref().map_or(0, |problem| {
            let Problem { r#type, title, detail, pointer, .. } = &**problem;
            r#type.len() + title.len() + detail.len() + pointer.as_ref().map_or(0, String::len)
        });
        ANSWER_BYTES + words as u64
    }
}

impl Checks {
    pub(super) fn new(upstream: Arc<Upstream>, board: Arc<Board>, metrics: Metrics) -> Self {
        let most = usize::try_from(MEMORY / ANSWER_BYTES).expect("it is small");
        let answers = Cache::with_weighter(most, MEMORY, Size);
        Self { upstream, board, metrics, slots: Semaphore::new(IN_FLIGHT), answers }
    }

    /// Asks for somebody who waits. Many who ask the same at once are one question. Whoever is let in finds the
    /// status on the board.
    ///
    /// # Errors
    ///
    /// What the upstream has against it, and `too_many_checks` if too many others ask.
    pub(super) async fn ask(&self, subject: Subject, bearer: &Bearer) -> Result<(), Problem> {
        let question = (bearer.hash(), subject.guild());
        let came = self.board.clock().monotonic();
        let counts = |answer: &Answer| came < answer.until && (answer.refused.is_some() || self.board.knows(subject));
        let place = loop {
            match self.answers.get_value_or_guard_async(&question).await {
                Ok(answer) if counts(&answer) => return self.verdict(answer),
                Ok(old) => drop(self.answers.remove_if(&question, |answer| answer.until == old.until)),
                Err(place) => break place,
            }
        };
        let answer = match timeout(WAIT, self.slots.acquire()).await {
            Ok(slot) => {
                let answer = self.put(subject, bearer).await;
                drop(slot);
                self.answer(answer.as_ref().err())
            }
            Err(_) => {
                let detail = "too many ask the backend at once whether they may see a guild";
                self.no_answer(Problem::new(Code::TooManyChecks, detail))
            }
        };
        // Without room it is not kept.
        place.insert(answer.clone()).ok();
        self.verdict(answer)
    }

    /// Asks once more for somebody who was let in, whatever is known, and however long that takes.
    pub(super) async fn ask_again(&self, subject: Subject, bearer: &Bearer) -> Result<(), Fault> {
        let slot = self.slots.acquire().await.expect("it is never closed");
        let answer = self.put(subject, bearer).await;
        drop(slot);
        answer
    }

    /// Takes what the upstream has just said of somebody who was let in, if it counts for a while.
    pub(super) fn keep(&self, subject: Subject, bearer: &Bearer, answer: Result<(), &Fault>) {
        if answer.err().is_none_or(Fault::is_lasting) {
            self.answers.insert((bearer.hash(), subject.guild()), self.answer(answer.err()));
        }
    }

    async fn put(&self, subject: Subject, bearer: &Bearer) -> Result<(), Fault> {
        let asked = self.board.clock().monotonic();
        let answer = self.upstream.status(subject.guild(), bearer).await;
        self.metrics.upstream.checked(match &answer {
            Ok(_) => Check::Allowed,
            Err(fault) if fault.is_lasting() => Check::Denied,
            Err(_) => Check::Failed,
        });
        self.board.offer(subject, answer?, asked);
        Ok(())
    }

    fn answer(&self, fault: Option<&Fault>) -> Answer {
        match fault {
            Some(fault) if !fault.is_lasting() => self.no_answer(fault.problem()),
            lasting => {
                let refused = lasting.map(|fault| Arc::new(fault.problem()));
                Answer { refused, until: self.board.clock().monotonic() + FRESH }
            }
        }
    }

    /// An answer for those only who wait for it.
    fn no_answer(&self, problem: Problem) -> Answer {
        Answer { refused: Some(Arc::new(problem)), until: self.board.clock().monotonic() }
    }

    fn verdict(&self, answer: Answer) -> Result<(), Problem> {
        let Some(problem) = answer.refused else { return Ok(()) };
        if problem.code == Code::TooManyChecks {
            self.metrics.limit_reached(Limit::Checks);
        }
        Err(Arc::unwrap_or_clone(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_as_much_memory_as_all_of_its_words() {
        let words = "x".repeat(1000);
        let problem = Problem {
            r#type: words.clone(),
            title: words.clone(),
            pointer: Some(words.clone()),
            ..Problem::new(Code::NotFound, words)
        };
        let weight = |refused| Size.weight(&([0; 32], GuildId::MIN), &Answer { refused, until: Monotonic::ZERO });
        assert_eq!(weight(Some(Arc::new(problem))) - weight(None), 4000);
    }
}
