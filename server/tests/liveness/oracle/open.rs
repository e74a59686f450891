//! What the rules and readings leave open. Random scripts keep away from it where they are
//! compared with the oracle; revisions and announcements are checked there all the same.

use std::time::Duration;

use guildpulse::wire::{Beat, Name, ShardKey};

use super::Oracle;
use crate::rig::Word;

impl Oracle {
    /// How a guild moves between generations while all of them are `unknown` is left open.
    pub(crate) fn knows_one_generation(&self) -> bool {
        self.generations.len() <= 1
    }

    /// Whether there is more than one way to take the input.
    pub(crate) fn leaves_open(&self, word: &Word, now: Duration) -> bool {
        match word {
            Word::Beat(beat) => {
                let mut keys = beat.shards.iter().map(|report| report.key);
                self.is_about_to_forget(beat.instance.as_ref(), now)
                    || keys.any(|key| self.leaves_order_open(beat, key, now))
            }
            // Whether it ends a session that is about to be forgotten.
            Word::Goodbye(goodbye) => self.fades(goodbye.instance.as_ref(), now),
            Word::Tick | Word::Suspended(_) | Word::Late(_) => false,
        }
    }

    /// Whether "for 10 minutes" includes their end.
    fn is_about_to_forget(&self, instance: Option<&Name>, now: Duration) -> bool {
        self.sessions_of(instance).any(|session| session.forgotten_at() == now)
    }

    /// Whether an old session of the instance may still be remembered for want of a reason to look.
    fn fades(&self, instance: Option<&Name>, now: Duration) -> bool {
        self.sessions_of(instance).any(|session| session.forgotten_at() <= now)
    }

    /// Which of two sessions of a named instance is the earlier one, if they came and went by
    /// turns, or came to another shard in another order.
    fn leaves_order_open(&self, beat: &Beat, key: ShardKey, now: Duration) -> bool {
        let Some(said) = self.session(beat.instance.as_ref(), beat.session.as_ref()) else { return false };
        let mut processes = self.shards().filter(|shard| shard.key == key).flat_map(|shard| &shard.present);
        processes.any(|process| {
            let current = self.session(process.instance.as_ref(), process.session.as_ref());
            let Some(current) = current.filter(|_| process.is(beat.instance.as_ref(), beat.session.as_ref())) else {
                return false;
            };
            if process.session == beat.session {
                return false;
            }
            if said.forgotten_at() <= now {
                return false;
            }
            let by_first_beat_here = current.came_to(key) > said.came_to(key) && said.came_to(key).is_some();
            let by_newest_beat_here = said.came_to(key).is_some_and(|came| process.first > came);
            let by_first_beat = current.first_heard() > said.first_heard();
            by_first_beat_here != by_newest_beat_here || by_first_beat_here != by_first_beat
        })
    }
}
