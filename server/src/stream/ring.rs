//! Deadlines of many viewers, each known to within a [`TICK`].
//!
//! A ring of buckets: to set a deadline and to let it fire costs the same however many there are.
//! Nothing is ever taken out. Whoever is told of a deadline looks whether it still holds, and sets
//! the next one; so a deadline that moves later, as most do, costs nothing at all.

use std::time::Duration;

use crate::liveness::Monotonic;

/// How exact a deadline is.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How many ticks lie in the ring: more than the longest time between two statuses.
const BUCKETS: u64 = 512;

#[derive(Debug)]
pub(super) struct Ring<K> {
    buckets: Box<[Vec<K>]>,
    /// The newest tick that was fired.
    fired: u64,
    set: usize,
}

impl<K> Ring<K> {
    pub(super) fn new(now: Monotonic) -> Self {
        let buckets = std::iter::repeat_with(Vec::new).take(usize::try_from(BUCKETS).expect("it is small")).collect();
        Self { buckets, fired: ticks(now), set: 0 }
    }

    /// Sets a deadline: it fires in the first tick that begins at `at` or later, but always in a
    /// later one than now, and at the latest when the ring has turned once.
    pub(super) fn set(&mut self, at: Monotonic, key: K) {
        let tick = ticks(at + TICK - Duration::from_nanos(1)).clamp(self.fired + 1, self.fired + BUCKETS - 1);
        self.buckets[bucket(tick)].push(key);
        self.set += 1;
    }

    /// Hands out what is due by now.
    pub(super) fn fire(&mut self, now: Monotonic, due: &mut impl Extend<K>) {
        let now = ticks(now);
        // After a long pause, each bucket is looked at once.
        let first = (self.fired + 1).max(now.saturating_sub(BUCKETS - 1));
        for tick in first..=now {
            let fired = std::mem::take(&mut self.buckets[bucket(tick)]);
            self.set -= fired.len();
            due.extend(fired);
        }
        self.fired = self.fired.max(now);
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Monotonic> {
        if self.set == 0 {
            return None;
        }
        let mut ticks = self.fired + 1..self.fired + BUCKETS;
        let tick = ticks.find(|tick| !self.buckets[bucket(*tick)].is_empty()).expect("something is set");
        Some(TICK * u32::try_from(tick - self.fired).expect("it is in the ring") + begin(self.fired))
    }
}

fn ticks(time: Monotonic) -> u64 {
    u64::try_from(time.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
}

fn begin(tick: u64) -> Monotonic {
    Duration::from_millis(tick * u64::try_from(TICK.as_millis()).expect("it is short"))
}

fn bucket(tick: u64) -> usize {
    usize::try_from(tick % BUCKETS).expect("there are few buckets")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The clock does not begin at zero.
    const START: u64 = 1_795_378_677_321;

    fn at(ms: u64) -> Monotonic {
        Duration::from_millis(START + ms)
    }

    proptest! {
        #[test]
        fn a_deadline_fires_once_not_before_it_is_due_and_at_most_a_tick_late(
            deadlines in prop::collection::vec(0..25_000_u64, 1..50), looks in prop::collection::vec(1..9000_u64, 1..50),
        ) {
            let mut ring = Ring::new(at(0));
            for deadline in &deadlines {
                ring.set(at(*deadline), *deadline);
            }
            let mut waiting = deadlines;
            let mut now = 0;
            for pause in looks {
                now += pause;
                let mut due = Vec::new();
                ring.fire(at(now), &mut due);
                for deadline in &due {
                    let place = waiting.iter().position(|known| known == deadline);
                    prop_assert!(place.is_some(), "{deadline} fires once");
                    waiting.swap_remove(place.unwrap());
                }
                // Nobody fires in the tick in which it was set.
                prop_assert!(due.iter().all(|deadline| *deadline <= now.max(50)), "{due:?} at {now}");
                prop_assert!(waiting.iter().all(|deadline| *deadline + 50 > now), "{waiting:?} at {now}");
            }
        }

        #[test]
        fn who_sleeps_until_the_next_deadline_finds_it_due(deadlines in prop::collection::vec(0..25_000_u64, 1..50)) {
            let mut ring = Ring::new(at(0));
            deadlines.iter().for_each(|deadline| ring.set(at(*deadline), *deadline));
            let mut due = Vec::new();
            for _ in 0..deadlines.len() {
                let Some(next) = ring.next() else { break };
                let before = due.len();
                ring.fire(next - Duration::from_millis(1), &mut due);
                prop_assert_eq!(due.len(), before, "it is not early");
                ring.fire(next, &mut due);
                prop_assert!(due.len() > before);
            }
            prop_assert_eq!(due.len(), deadlines.len());
            prop_assert_eq!(ring.next(), None);
        }
    }

    #[test]
    fn after_a_pause_longer_than_the_ring_everything_is_due_once() {
        let mut ring = Ring::new(at(0));
        (0..1000).for_each(|deadline| ring.set(at(deadline * 25), deadline));
        let mut due = Vec::new();
        ring.fire(at(10_000_000), &mut due);
        due.sort_unstable();
        assert_eq!(due, (0..1000).collect::<Vec<_>>());
        assert_eq!(ring.next(), None);
    }
}
