//! When the machine wants to be woken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Monotonic;
use crate::wire::ShardKey;

/// A queue of shards by the time at which something of theirs is due.
///
/// A beat moves a deadline away, and there are many more beats than deadlines that come true. So
/// an entry is left where it is and found out of date when its time comes; only a deadline that
/// moved *closer* needs a new entry. Each shard remembers the time of its earliest entry.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BinaryHeap<Reverse<(Monotonic, ShardKey)>>,
}

impl Timers {
    /// Sees to it that the shard is looked at when `due`, given the time for which it was `armed`.
    pub(super) fn arm(&mut self, key: ShardKey, armed: &mut Option<Monotonic>, due: Option<Monotonic>) {
        let Some(due) = due else { return };
        if armed.is_none_or(|at| due < at) {
            *armed = Some(due);
            self.queue.push(Reverse((due, key)));
        }
    }

    /// Throws away what is out of date, if that is most of it: a bot that makes deadlines closer and
    /// leaves them behind, again and again, does not fill the memory.
    pub(super) fn tidy(&mut self, shards: usize, is_current: impl Fn(Monotonic, ShardKey) -> bool) {
        if self.queue.len() > 4 * shards + 1024 {
            self.queue.retain(|Reverse((at, key))| is_current(*at, *key));
        }
    }

    /// The next shard whose entry is due, and the time of that entry.
    pub(super) fn pop(&mut self, now: Monotonic) -> Option<(Monotonic, ShardKey)> {
        let &Reverse((at, _)) = self.queue.peek()?;
        if at > now {
            return None;
        }
        self.queue.pop().map(|Reverse(entry)| entry)
    }

    /// The time of the first entry.
    pub(super) fn next(&self) -> Option<Monotonic> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_out_of_date_have_a_bound() {
        let (mut timers, key, mut armed) = (Timers::default(), ShardKey { id: 0, count: 1 }, None);
        for number in (0..100_000).rev() {
            timers.arm(key, &mut armed, Some(Monotonic::from_millis(number)));
            timers.tidy(1, |at, _| armed == Some(at));
            assert!(timers.queue.len() <= 4 + 1024, "{}", timers.queue.len());
        }
        assert_eq!(timers.next(), Some(Monotonic::ZERO));
    }
}
