//! Guilds that are, or were, an exception to what is said of their shard (rule 7).

use std::collections::HashMap;

use super::bounds::MOST_EXCEPTIONS;
use crate::wire::GuildId;

/// How many numbers are kept before those of ended exceptions are forgotten.
const KEPT: usize = 65_536;

/// The number of the newest change of each guild's exception. It outlives the exception, so that
/// the guild's revision does not go back when it ends.
#[derive(Debug)]
pub(super) struct Exceptions {
    numbers: HashMap<GuildId, u64>,
    /// The size at which ended ones are looked for next.
    limit: usize,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self { numbers: HashMap::new(), limit: KEPT }
    }
}

impl Exceptions {
    pub(super) fn get(&self, guild: GuildId) -> Option<u64> {
        self.numbers.get(&guild).copied()
    }

    /// Whether another guild can be an exception.
    pub(super) fn has_room_for(&self, guild: GuildId) -> bool {
        self.numbers.len() < MOST_EXCEPTIONS || self.numbers.contains_key(&guild)
    }

    /// An exception of the guild began or ended.
    pub(super) fn change(&mut self, guild: GuildId, number: u64) {
        self.numbers.insert(guild, number);
    }

    /// Forgets ended exceptions if there are too many; true if it did, and the floor must rise.
    pub(super) fn prune(&mut self, is_excepted: impl Fn(GuildId) -> bool) -> bool {
        let before = self.numbers.len();
        if before <= self.limit {
            return false;
        }
        self.numbers.retain(|guild, _| is_excepted(*guild));
        // Doubling keeps the cost of looking for them constant per exception.
        self.limit = KEPT.max(self.numbers.len() * 2);
        self.numbers.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_that_names_ever_new_guilds_does_not_fill_the_memory() {
        let mut exceptions = Exceptions::default();
        let guild = |id| GuildId::new(id).unwrap();
        for id in (1..).take_while(|id| *id <= MOST_EXCEPTIONS as u64) {
            assert!(exceptions.has_room_for(guild(id)));
            exceptions.change(guild(id), id);
        }
        assert!(!exceptions.has_room_for(guild(u64::MAX)) && exceptions.has_room_for(guild(1)));
    }
}
