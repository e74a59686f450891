//! When to look at the list of bots: every now and then, and at once when somebody asks. Whoever
//! asks is never held up by the disk for longer than its patience.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// How soon a change is noticed that nobody asks for.
const EVERY: Duration = Duration::from_millis(500);
/// How long somebody with an unknown credential waits for a look.
const PATIENCE: Duration = Duration::from_millis(250);

/// Brings those who ask for a look together with the thread that looks. Looks have numbers, from 1
/// on. All who ask while one is under way share the next, so there is never more than that to do.
#[derive(Debug)]
pub(super) struct Looks {
    state: Mutex<State>,
    wake: Condvar,
    /// The number of the last look that has ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    begun: u64,
    asked: bool,
    stopped: bool,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), ended: watch::Sender::new(0) }
    }

    /// Waits for a look that begins from now on, until patience or the looks end.
    pub(super) async fn ask(&self) {
        let number = self.wish();
        let mut ended = self.ended.subscribe();
        tokio::time::timeout(PATIENCE, ended.wait_for(|ended| *ended >= number)).await.ok();
    }

    /// The number of the look that is wished for. One that has begun may already have read.
    fn wish(&self) -> u64 {
        let mut state = self.lock();
        state.asked = true;
        self.wake.notify_one();
        state.begun + 1
    }

    /// Blocks until it is time to look; the number of the look, or none at the stop.
    pub(super) fn next(&self) -> Option<u64> {
        let wait = self.wake.wait_timeout_while(self.lock(), EVERY, |state| !state.asked && !state.stopped);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        state.asked = false;
        state.begun += 1;
        Some(state.begun)
    }

    /// This look has ended.
    pub(super) fn end(&self, number: u64) {
        self.ended.send_replace(number);
    }

    /// No look begins any more, and nobody waits for one.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_one();
        self.end(u64::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_ask_during_a_look_share_the_next_one() {
        let looks = Looks::new();
        assert_eq!(looks.wish(), 1);
        assert_eq!(looks.next(), Some(1));
        assert!((0..1000).all(|_| looks.wish() == 2), "the first may have read before they asked");
        looks.end(1);
        assert_eq!(looks.next(), Some(2));
        assert!(!looks.lock().asked, "nothing more is to be done");
    }

    #[test]
    fn nobody_waits_after_the_stop() {
        let looks = Looks::new();
        looks.wish();
        looks.stop();
        assert_eq!(looks.next(), None);
        assert!(*looks.ended.borrow() >= looks.wish());
    }
}
