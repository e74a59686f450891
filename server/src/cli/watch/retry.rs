//! When to connect again, and when to stop believing in a connection. Pure: time is an argument.

use std::time::Duration;

use crate::liveness::Monotonic;
use crate::wire::sse::{GoodbyeReason, Hello, SNAPSHOT_INTERVAL, StreamGoodbye};

/// The longest wait that grows by itself, before it is spread out.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for: a little more than the longest drain.
const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);
/// The shortest wait after a goodbye, so that a server that only ever says goodbye is not hammered.
const SHORTEST_ASKED: Duration = Duration::from_millis(250);
/// How long a stream may be open without the first status.
const FIRST_STATUS: Duration = Duration::from_secs(5);
/// Bounds of the interval that a server may announce.
const INTERVALS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10 * 60)];

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// The server did not answer, or not with a stream; it may say when to ask again.
    Refused { why: String, retry_after: Option<Duration> },
    /// The stream ended without a goodbye.
    Cut { why: String },
    /// Nothing came for too long.
    Silent,
    /// The server said goodbye.
    Goodbye(StreamGoodbye),
}

impl Loss {
    /// What happened, for a person.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Refused { why, .. } | Self::Cut { why } => why.clone(),
            Self::Silent => "the stream fell silent".into(),
            Self::Goodbye(goodbye) => match goodbye.reason {
                GoodbyeReason::Shutdown => "the server is stopping".into(),
                GoodbyeReason::MaxAge => "the server ended the stream, as it does from time to time".into(),
                GoodbyeReason::Expired => "the token has expired".into(),
                GoodbyeReason::Revoked => "the right to look was taken back".into(),
            },
        }
    }
}

/// One connection, and the budget of waits that outlives it.
#[derive(Debug, Default)]
pub(super) struct Retry {
    /// Failures in a row.
    spent: u32,
    /// The wait that the server asks for, once the connection has proved to be one.
    hello: Option<Hello>,
    /// When to stop waiting for the next status.
    deadline: Monotonic,
    /// Whether the connection brought a status.
    proven: bool,
    /// Whether this connection was tried at once, after the last one's goodbye.
    at_once: bool,
}

impl Retry {
    /// The stream is open. That alone proves nothing: a proxy may hold back all that follows.
    pub(super) fn opened(&mut self, now: Monotonic) {
        self.hello = None;
        self.proven = false;
        self.deadline = now.saturating_add(FIRST_STATUS);
    }

    /// The server introduced itself.
    pub(super) fn greeted(&mut self, hello: Hello, now: Monotonic) {
        self.hello = Some(hello);
        if !self.proven {
            self.deadline = now.saturating_add(FIRST_STATUS);
        }
    }

    /// A status arrived.
    pub(super) fn heard(&mut self, now: Monotonic) {
        self.proven = true;
        self.spent = 0;
        let announced = self.hello.as_ref().map(|hello| Duration::from_millis(hello.snapshot_interval_ms));
        let [least, most] = INTERVALS;
        let interval = announced.unwrap_or(SNAPSHOT_INTERVAL).clamp(least, most);
        self.deadline = now.saturating_add(interval * 5 / 2);
    }

    /// Whether the server has introduced itself, without which a goodbye means nothing.
    pub(super) fn is_greeted(&self) -> bool {
        self.hello.is_some()
    }

    /// When the connection counts as lost if nothing comes.
    pub(super) fn deadline(&self) -> Monotonic {
        self.deadline
    }

    /// How long to wait after a loss. `chance`, from 0 to 1, spreads out those who lost it together.
    pub(super) fn wait(&mut self, loss: &Loss, chance: f64) -> Duration {
        let was_at_once = std::mem::take(&mut self.at_once);
        let hello = self.hello.take().filter(|_| self.proven);
        self.proven = false;
        match loss {
            Loss::Goodbye(goodbye) => match goodbye.reason {
                GoodbyeReason::Shutdown | GoodbyeReason::MaxAge => {
                    Duration::from_millis(goodbye.retry_after_ms).clamp(SHORTEST_ASKED, LONGEST_ASKED)
                }
                // The answer to one more try says what is to be done. A second one in a row is a failure.
                GoodbyeReason::Expired | GoodbyeReason::Revoked if !was_at_once => {
                    self.at_once = true;
                    Duration::ZERO
                }
                GoodbyeReason::Expired | GoodbyeReason::Revoked => self.own_wait(chance),
            },
            Loss::Refused { retry_after, .. } => {
                self.own_wait(chance).max(retry_after.unwrap_or_default().min(LONGEST_ASKED))
            }
            Loss::Cut { .. } | Loss::Silent => {
                let asked = hello.map_or(Duration::ZERO, |hello| Duration::from_millis(hello.retry_ms));
                self.own_wait(chance).max(asked.min(LONGEST_ASKED))
            }
        }
    }

    fn own_wait(&mut self, chance: f64) -> Duration {
        let wait = Duration::from_secs(1 << self.spent.min(5)).min(LONGEST);
        self.spent = self.spent.saturating_add(1);
        wait.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::UnixMillis;

    const NOW: Monotonic = Duration::from_secs(1000);

    fn hello(retry_ms: u64, snapshot_interval_ms: u64) -> Hello {
        Hello { retry_ms, snapshot_interval_ms, ..Hello::new(Duration::ZERO, UnixMillis(0), 1) }
    }

    fn goodbye(reason: GoodbyeReason, millis: u64) -> Loss {
        Loss::Goodbye(StreamGoodbye::new(reason, Duration::from_millis(millis)))
    }

    fn refused(retry_after: Option<u64>) -> Loss {
        Loss::Refused { why: String::new(), retry_after: retry_after.map(Duration::from_secs) }
    }

    fn waits(retry: &mut Retry, count: usize) -> Vec<u64> {
        (0..count).map(|_| retry.wait(&refused(None), 0.0).as_secs()).collect()
    }

    proptest! {
        #[test]
        fn waits_double_up_to_30_s_and_spread_by_half(failures in 0_u32..200, chance in 0.0..=1.0) {
            let mut retry = Retry { spent: failures, ..Retry::default() };
            let least = 2_f64.powi(i32::try_from(failures).unwrap()).min(30.0);
            let wait = retry.wait(&Loss::Silent, chance).as_secs_f64();
            prop_assert!((least..=least * 1.5 + 1e-6).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn only_a_status_gives_the_budget_back() {
        let mut retry = Retry::default();
        assert_eq!(waits(&mut retry, 7), [1, 2, 4, 8, 16, 30, 30]);
        retry.opened(NOW);
        retry.greeted(hello(60_000, 15_000), NOW);
        let wait = retry.wait(&Loss::Silent, 0.0);
        assert_eq!(wait, Duration::from_secs(30), "open alone proves nothing, and neither does a greeting");
        retry.opened(NOW);
        retry.heard(NOW);
        assert_eq!(waits(&mut retry, 2), [1, 2]);
    }

    #[test]
    fn after_a_connection_that_was_one_the_server_may_ask_for_more_once() {
        let mut retry = Retry::default();
        let cut = Loss::Cut { why: String::new() };
        retry.opened(NOW);
        retry.greeted(hello(4500, 15_000), NOW);
        retry.heard(NOW);
        assert_eq!(retry.wait(&cut, 1.0), Duration::from_millis(4500));
        assert_eq!(retry.wait(&cut, 0.0), Duration::from_secs(2));
        retry.opened(NOW);
        retry.greeted(hello(900, 15_000), NOW);
        retry.heard(NOW);
        assert_eq!(retry.wait(&cut, 1.0), Duration::from_millis(1500));
    }

    #[test]
    fn a_goodbye_says_when_and_spends_nothing() {
        let mut retry = Retry::default();
        for (asked, wait) in [(11_834, 11_834), (0, 250), (u64::MAX, 900_000)] {
            let wait = Duration::from_millis(wait);
            assert_eq!(retry.wait(&goodbye(GoodbyeReason::Shutdown, asked), 1.0), wait);
            assert_eq!(retry.wait(&goodbye(GoodbyeReason::MaxAge, asked), 1.0), wait);
        }
        assert_eq!(waits(&mut retry, 1), [1]);
    }

    #[test]
    fn a_token_that_ended_is_tried_once_at_once() {
        let mut retry = Retry::default();
        let expired = goodbye(GoodbyeReason::Expired, 60_000);
        assert_eq!(retry.wait(&expired, 0.0), Duration::ZERO);
        retry.opened(NOW);
        retry.heard(NOW);
        assert_eq!(retry.wait(&goodbye(GoodbyeReason::Revoked, 0), 0.0), Duration::from_secs(1));
        assert_eq!(retry.wait(&expired, 0.0), Duration::ZERO);
    }

    #[test]
    fn a_refusal_says_when_to_ask_again_at_the_earliest() {
        let mut retry = Retry::default();
        assert_eq!(retry.wait(&refused(Some(7)), 0.0), Duration::from_secs(7));
        assert_eq!(retry.wait(&refused(Some(1)), 0.0), Duration::from_secs(2));
        assert_eq!(retry.wait(&refused(Some(u64::MAX)), 0.0), Duration::from_secs(15 * 60));
    }

    #[test]
    fn a_stream_has_5_s_for_its_first_status_and_then_2_5_intervals_for_each() {
        let mut retry = Retry::default();
        let second = Duration::from_secs(1);
        retry.opened(NOW);
        assert_eq!(retry.deadline(), NOW + 5 * second);
        retry.greeted(hello(0, 4000), NOW + second);
        assert_eq!(retry.deadline(), NOW + 6 * second);
        retry.heard(NOW + 2 * second);
        assert_eq!(retry.deadline(), NOW + 12 * second);
        for (announced, patience) in [(0, 2500), (u64::MAX, 1_500_000)] {
            retry.greeted(hello(0, announced), NOW);
            retry.heard(NOW);
            assert_eq!(retry.deadline(), NOW + Duration::from_millis(patience));
        }
        retry.opened(NOW);
        retry.heard(NOW);
        assert_eq!(retry.deadline(), NOW + Duration::from_millis(37_500), "nothing was announced");
    }
}
