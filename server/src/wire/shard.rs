//! Shards, and which of them a guild belongs to.

use serde::{Deserialize, Serialize};

use super::GuildId;

/// One gateway connection of the bot: shard `id` of `count`, with `id < count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardKey {
    /// Which one, counted from 0.
    pub id: u32,
    /// How many shards its generation has.
    pub count: u32,
}

impl ShardKey {
    /// The shard that carries `guild` in the generation of `count` shards.
    ///
    /// Discord: "Sharding" in the gateway documentation, `(guild_id >> 22) % num_shards`.
    ///
    /// # Panics
    ///
    /// When `count` is 0.
    pub fn of(guild: GuildId, count: u32) -> Self {
        let id = (guild.get() >> 22) % u64::from(count);
        Self { id: u32::try_from(id).expect("a remainder is less than its u32 divisor"), count }
    }

    /// Whether the shard carries `guild`.
    pub fn carries(self, guild: GuildId) -> bool {
        Self::of(guild, self.count) == self
    }
}

#[cfg(test)]
mod tests {
    use super::{GuildId, ShardKey};

    #[test]
    fn a_guild_belongs_to_the_shard_that_discord_sends_it_to() {
        let guild: GuildId = "80351110224678912".parse().unwrap();
        assert_eq!(ShardKey::of(guild, 16), ShardKey { id: 9, count: 16 });
        assert_eq!(ShardKey::of(guild, 1), ShardKey { id: 0, count: 1 });
        let largest = GuildId::new(u64::MAX).unwrap();
        assert_eq!(ShardKey::of(largest, u32::MAX).id, 1023, "2^42 - 1 modulo 2^32 - 1");
    }
}
