//! Guilds that are, or were, an exception to what is said of their shard (rule 7).

use std::collections::HashMap;

use crate::wire::{GuildId, UnixMillis};

/// How many numbers are kept before those of ended exceptions are forgotten.
const KEPT: usize = 65_536;

/// The newest change of one guild's exception. It outlives the exception, so that the guild's
/// revision does not go back when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exception {
    pub(super) number: u64,
    pub(super) since: UnixMillis,
}

#[derive(Debug)]
pub(super) struct Exceptions {
    by_guild: HashMap<GuildId, Exception>,
    /// The size at which ended ones are looked for next.
    limit: usize,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self { by_guild: HashMap::new(), limit: KEPT }
    }
}

impl Exceptions {
    pub(super) fn get(&self, guild: GuildId) -> Option<Exception> {
        self.by_guild.get(&guild).copied()
    }

    /// An exception of the guild began or ended.
    pub(super) fn change(&mut self, guild: GuildId, number: u64, since: UnixMillis) {
        self.by_guild.insert(guild, Exception { number, since });
    }

    /// Forgets ended exceptions if there are too many; true if it did, and the floor must rise.
    pub(super) fn prune(&mut self, is_excepted: impl Fn(GuildId) -> bool) -> bool {
        let before = self.by_guild.len();
        if before <= self.limit {
            return false;
        }
        self.by_guild.retain(|guild, _| is_excepted(*guild));
        // Doubling keeps the cost of looking for them constant per exception.
        self.limit = KEPT.max(self.by_guild.len() * 2);
        self.by_guild.len() < before
    }
}
