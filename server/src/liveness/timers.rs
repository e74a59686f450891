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
