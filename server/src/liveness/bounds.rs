//! What keeps a bot with a good token from filling the memory. No real bot comes near.

use super::Liveness;
use crate::wire::Beat;

/// How many shards are known at once, in all generations. The largest bots have some thousand.
const MOST_SHARDS: usize = 100_000;
/// How many guilds are exceptions at once, in all and of one shard; of more than these, nothing is
/// noted. Discord puts at most 2500 guilds on a shard.
pub(super) const MOST_EXCEPTIONS: usize = 1_000_000;
pub(super) const MOST_EXCEPTIONS_OF_A_SHARD: usize = 10_000;
/// How many processes beat for one shard at once. A deploy has two.
pub(super) const MOST_PROCESSES: usize = 64;

/// There is no room for what a beat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server knows {MOST_SHARDS} shards at most, and this would be more; shards of a count are forgotten 10 minutes after its last beat"
)]
pub struct TooManyShards;

impl Liveness {
    /// Whether there is room for the shards of the beat.
    ///
    /// # Errors
    ///
    /// When there is not; then the beat must not be applied.
    pub fn has_room_for(&self, beat: &Beat) -> Result<(), TooManyShards> {
        let known: usize = self.generations.iter().map(|generation| generation.shards.len()).sum();
        if known + beat.shards.len() <= MOST_SHARDS {
            return Ok(());
        }
        let new = beat.shards.iter().filter(|report| self.shard(report.key).is_none()).count();
        if new == 0 || known + new <= MOST_SHARDS { Ok(()) } else { Err(TooManyShards) }
    }
}
