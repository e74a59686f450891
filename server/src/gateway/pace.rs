//! How often a backend that is out of reach is tried, by all guilds together.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::liveness::Monotonic;

/// A guild waits so long before it tries again, doubled from the first to the last, a quarter more or less. It has to be
/// seen within 2 s that the backend is back.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_millis(1200);
/// What is between the tries of many guilds.
const GAP: Duration = Duration::from_millis(20);
/// The longest that a guild waits for its turn, however many there are: those before it may have troubles of their own.
const LONGEST: Duration = Duration::from_secs(5);
/// How often the others are called at most.
const CALLS: Duration = Duration::from_secs(1);
/// Over how long those spread who are called, as the backend is back.
const SPREAD_MS: std::ops::Range<u64> = 0..300;

/// The turns of those who try again. Whoever gets through calls the others.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Clock,
    turns: Mutex<Turns>,
    /// How often the backend was back.
    back: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Turns {
    /// When the next one may try.
    next: Monotonic,
    /// When somebody called last.
    called: Option<Monotonic>,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, turns: Mutex::default(), back: watch::Sender::new(0) }
    }

    /// Somebody has got through.
    pub(super) fn is_back(&self) {
        let now = self.clock.monotonic();
        let mut turns = self.turns();
        if turns.called.is_none_or(|called| called + CALLS <= now) {
            *turns = Turns { next: now, called: Some(now) };
            self.back.send_modify(|times| *times += 1);
        }
    }

    /// Waits until a guild may try again that has failed so often before, at least for this long.
    pub(super) async fn turn(&self, failures: u32, least: Duration) {
        let mut back = self.back.subscribe();
        sleep(least).await;
        let turn = async {
            let doubled = WAIT.start().saturating_mul(1 << failures.min(16)).min(*WAIT.end());
            let wait = doubled.mul_f64(rand::rng().random_range(0.75..1.25));
            sleep(wait.saturating_sub(least)).await;
            // A stream that ends alone is nothing that others have to be waited for.
            if failures > 0 {
                sleep(self.reserve()).await;
            }
        };
        tokio::select! {
            () = turn => {}
            _ = back.changed() => {
                let spread = rand::rng().random_range(SPREAD_MS);
                sleep(Duration::from_millis(spread)).await;
            }
        }
    }

    /// How long it is until the next turn that nobody else has.
    fn reserve(&self) -> Duration {
        let now = self.clock.monotonic();
        let mut turns = self.turns();
        let turn = turns.next.clamp(now, now + LONGEST);
        turns.next = turn + GAP;
        turn.saturating_sub(now)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_wait_have_turns_of_their_own_until_somebody_gets_through() {
        let clock = Clock::by_hand();
        let pace = Pace::new(clock);
        let turns = |number: u32| (0..number).map(|_| pace.reserve()).collect::<Vec<_>>();
        assert_eq!(turns(3), [0, 20, 40].map(Duration::from_millis));
        clock.pass(Duration::from_millis(30));
        assert_eq!(turns(2), [30, 50].map(Duration::from_millis));
        assert_eq!(turns(10_000).into_iter().max(), Some(LONGEST), "nobody waits for longer");
        pace.is_back();
        assert_eq!(turns(2), [0, 20].map(Duration::from_millis));
    }

    #[test]
    fn who_gets_through_calls_the_others_once_a_second_at_most() {
        let clock = Clock::by_hand();
        let pace = Pace::new(clock);
        let mut back = pace.back.subscribe();
        let mut is_called = || {
            pace.is_back();
            let is_called = back.has_changed().unwrap();
            back.mark_unchanged();
            is_called
        };
        assert!(is_called() && !is_called());
        clock.pass(Duration::from_millis(999));
        assert!(!is_called());
        clock.pass(Duration::from_millis(1));
        assert!(is_called() && !is_called());
    }
}
