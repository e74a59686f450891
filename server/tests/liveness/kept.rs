//! What a store would hold that is told of changes only, as the server's is.

use std::collections::BTreeMap;

use guildpulse::liveness::{Applied, Liveness, Stored, StoredGeneration, StoredShard};
use guildpulse::wire::{ShardKey, UnixMillis};

#[derive(Default)]
pub(crate) struct Kept {
    generations: Vec<StoredGeneration>,
    shards: BTreeMap<ShardKey, StoredShard>,
}

impl Kept {
    /// Takes in what an input changed.
    pub(crate) fn take(&mut self, machine: &Liveness, applied: &Applied) {
        if applied.generations {
            self.generations = machine.stored_generations();
            let known = |count| self.generations.iter().any(|generation| generation.count == count);
            self.shards.retain(|key, _| known(key.count));
        }
        for key in &applied.shards {
            match machine.stored_shard(*key) {
                Some(shard) => self.shards.insert(*key, shard),
                None => self.shards.remove(key),
            };
        }
    }

    /// What the next run finds, with the last beats as they are written now and then.
    pub(crate) fn stored(&mut self, machine: &Liveness) -> Stored {
        for (key, time) in machine.last_heartbeats() {
            if let Some(shard) = self.shards.get_mut(&key) {
                shard.last_heartbeat = Some(time);
            }
        }
        Stored { generations: self.generations.clone(), shards: self.shards.values().cloned().collect() }
    }
}

/// What can be compared with the oracle, who has no order of shards and does not keep since when
/// guilds are excepted.
pub(crate) fn comparable(mut stored: Stored) -> Stored {
    stored.shards.sort_unstable_by_key(|shard| shard.key);
    for (_, since) in stored.shards.iter_mut().flat_map(|shard| &mut shard.processes).flat_map(|one| &mut one.unavailable) {
        *since = UnixMillis(0);
    }
    for process in stored.shards.iter_mut().flat_map(|shard| &mut shard.processes) {
        process.unavailable.sort_unstable();
    }
    stored
}

/// The first difference, in words.
pub(crate) fn difference(is: Stored, expected: Stored) -> String {
    let (is, expected) = (comparable(is), comparable(expected));
    if is.generations != expected.generations {
        return format!("{:?}\nand not {:?}", is.generations, expected.generations);
    }
    let mut pairs = is.shards.iter().zip(&expected.shards);
    let pair = pairs.find(|(is, expected)| is != expected);
    format!("{} and not {} shards: {pair:#?}", is.shards.len(), expected.shards.len())
}
