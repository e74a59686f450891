//! Which beats are news: sequence numbers and sessions that have ended.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::Monotonic;
use crate::wire::{Beat, Goodbye, Name, ShardKey};

/// How long a session is remembered after its last word.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// How many are remembered at once; beyond that, the half that has been silent the longest is
/// forgotten. A bot of 10,000 processes that starts anew every minute stays below it.
const MOST: usize = 200_000;

/// How many shards a session is remembered to have left.
const MOST_LEFT: usize = 16_384;

#[derive(Debug, Default)]
struct Session {
    /// Orders the sessions by their first word.
    began: u64,
    seq: Option<u64>,
    ended: bool,
    /// Shards that it left while it went on for others.
    left: BTreeSet<ShardKey>,
    last_word: Monotonic,
}

/// All sessions that were heard of in the last ten minutes.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    known: HashMap<(Option<Name>, Name), Session>,
    /// How many there have been.
    begun: u64,
    swept: Monotonic,
}

impl Sessions {
    /// Whether the beat is newer than everything its session said, and the session not over.
    pub(super) fn admit(&mut self, beat: &Beat, now: Monotonic) -> bool {
        self.sweep(now);
        let Some(session) = &beat.session else { return true };
        let known = self.recall(beat.instance.as_ref(), session, now);
        let stale = beat.seq.is_some_and(|seq| known.seq.is_some_and(|newest| seq <= newest));
        if known.ended || stale {
            return false;
        }
        known.seq = beat.seq.or(known.seq);
        true
    }

    /// A session of which an earlier run of the server knew. None of them is earlier than another:
    /// in what order they came is not stored.
    pub(super) fn restore(&mut self, instance: Option<&Name>, session: &Name, now: Monotonic) {
        self.recall(instance, session, now).began = 1;
    }

    /// Whether the first word of `one` came before that of `other`, two sessions of an instance.
    pub(super) fn is_earlier(&self, instance: Option<&Name>, one: &Name, other: &Name) -> bool {
        let began = |session: &Name| self.known.get(&(instance.cloned(), session.clone())).map(|known| known.began);
        began(one).is_some_and(|one| began(other).is_some_and(|other| one < other))
    }

    /// Whether the session of the beat has said goodbye to this shard.
    pub(super) fn has_left(&self, beat: &Beat, shard: ShardKey) -> bool {
        let Some(session) = &beat.session else { return false };
        self.known.get(&(beat.instance.clone(), session.clone())).is_some_and(|known| known.left.contains(&shard))
    }

    /// Ends what the goodbye ends, so that a late beat cannot revive it.
    pub(super) fn end(&mut self, goodbye: &Goodbye, now: Monotonic) {
        if let Some(session) = &goodbye.session {
            self.recall(goodbye.instance.as_ref(), session, now).end(goodbye);
            return;
        }
        for ((instance, _), session) in &mut self.known {
            if *instance == goodbye.instance {
                session.last_word = now;
                session.end(goodbye);
            }
        }
    }

    fn recall(&mut self, instance: Option<&Name>, session: &Name, now: Monotonic) -> &mut Session {
        if self.known.len() >= MOST {
            let mut last_words: Vec<Monotonic> = self.known.values().map(|session| session.last_word).collect();
            let (_, median, _) = last_words.select_nth_unstable(MOST / 2);
            let median = *median;
            self.known.retain(|_, session| session.last_word > median);
        }
        let known = self.known.entry((instance.cloned(), session.clone())).or_default();
        // A session that was forgotten begins anew, and so does one that was never known.
        if known.began == 0 || known.is_forgotten(now) {
            self.begun += 1;
            *known = Session { began: self.begun, ..Session::default() };
        }
        known.last_word = now;
        known
    }

    fn sweep(&mut self, now: Monotonic) {
        if now.saturating_sub(self.swept) > MEMORY {
            self.swept = now;
            self.known.retain(|_, session| !session.is_forgotten(now));
        }
    }
}

impl Session {
    fn end(&mut self, goodbye: &Goodbye) {
        match &goodbye.shards {
            None => self.ended = true,
            Some(shards) => {
                // No process has that many; the newest goodbye is what a late beat can follow.
                if self.left.len() + shards.len() > MOST_LEFT {
                    self.left.clear();
                }
                self.left.extend(shards);
            }
        }
    }

    fn is_forgotten(&self, now: Monotonic) -> bool {
        now.saturating_sub(self.last_word) > MEMORY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_that_names_a_new_session_with_every_beat_does_not_fill_the_memory() {
        let mut sessions = Sessions::default();
        for number in 0..500_000_u32 {
            sessions.recall(None, &Name::from(number.to_string()), Duration::from_millis(number.into()));
            assert!(sessions.known.len() <= MOST);
        }
        assert!(sessions.known.len() >= MOST / 2, "the newest are remembered");
    }
}
