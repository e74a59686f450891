//! Guilds that are, or were, an exception to what is said of their shard (rule 7).

use std::collections::HashMap;

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
