//! What is to be written: merged as long as it waits, so that it has a bound.

use std::collections::{BTreeMap, VecDeque};

use crate::liveness::{Stored, StoredGeneration, StoredShard};
use crate::wire::{Facts, GuildId, ShardKey, UnixMillis};

/// How many lines of the log may wait. The oldest are dropped, and counted: of what happened while
/// nothing could be written, the newest says the most.
const MOST_RECORDS: usize = 200_000;
/// How many lines of the log and how many times of last beats are written at once, so that no write
/// takes long and what comes meanwhile does not wait.
const LINES_AT_ONCE: usize = 5000;
const SEEN_AT_ONCE: usize = 2000;

/// One line of the transition log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: UnixMillis,
    /// The guild, for an exception that began or ended; `None` for a whole shard.
    pub guild: Option<GuildId>,
    /// What has been said since.
    pub facts: Facts,
}

/// What changed, and is not written yet.
#[derive(Debug, Default)]
pub struct Changes {
    /// Lines for the log, oldest first.
    pub records: VecDeque<Record>,
    /// The newest of each shard.
    pub shards: BTreeMap<ShardKey, StoredShard>,
    /// All generations, if any of them changed.
    pub generations: Option<Vec<StoredGeneration>>,
    /// The newest beats.
    pub seen: Vec<(ShardKey, UnixMillis)>,
    /// How many lines were dropped.
    pub lost: u64,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.shards.is_empty() && self.generations.is_none() && self.seen.is_empty()
    }

    /// Takes in what came later.
    pub(super) fn merge(&mut self, newer: Self) {
        self.records.extend(newer.records);
        if let Some(generations) = newer.generations {
            self.shards.retain(|key, _| generations.iter().any(|generation| generation.count == key.count));
            self.generations = Some(generations);
        }
        self.shards.extend(newer.shards);
        if !newer.seen.is_empty() {
            // Every round names all shards.
            self.seen = newer.seen;
        }
        self.lost += newer.lost;
        self.drop_excess();
    }

    /// Takes out what is to be written next.
    pub(super) fn next(&mut self) -> Self {
        let lines = self.records.len().min(LINES_AT_ONCE);
        let seen = self.seen.len().saturating_sub(SEEN_AT_ONCE);
        Self {
            records: self.records.drain(..lines).collect(),
            shards: std::mem::take(&mut self.shards),
            generations: self.generations.take(),
            seen: self.seen.split_off(seen),
            lost: 0,
        }
    }

    /// Takes the lines back that could not be written.
    pub(super) fn put_back(&mut self, mut records: VecDeque<Record>) {
        records.append(&mut self.records);
        self.records = records;
        self.drop_excess();
    }

    fn drop_excess(&mut self) {
        let excess = self.records.len().saturating_sub(MOST_RECORDS);
        self.records.drain(..excess);
        self.lost += u64::try_from(excess).unwrap_or(u64::MAX);
    }
}

/// Everything that the tables hold but for the log.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) generations: Vec<StoredGeneration>,
    pub(super) shards: BTreeMap<ShardKey, StoredShard>,
}

impl State {
    pub(super) fn stored(&self) -> Stored {
        Stored { generations: self.generations.clone(), shards: self.shards.values().cloned().collect() }
    }

    /// Takes over what another run left and this one has not heard of.
    pub(super) fn adopt(&mut self, left: Self) {
        let (mut generations, ours) = (left.generations, std::mem::take(&mut self.generations));
        generations.retain(|theirs| ours.iter().all(|ours| ours.count != theirs.count));
        generations.extend(ours);
        self.generations = generations;
        for (key, shard) in left.shards {
            self.shards.entry(key).or_insert(shard);
        }
    }

    /// Whether the time of the shard's last beat is news.
    pub(super) fn is_news(&self, key: ShardKey, time: UnixMillis) -> bool {
        self.shards.get(&key).is_some_and(|shard| shard.last_heartbeat < Some(time))
    }

    /// Takes in the changes but for the log; returns the shards as they were before.
    pub(super) fn apply(&mut self, changes: &Changes) -> Vec<Option<StoredShard>> {
        let before = changes.shards.iter().map(|(key, shard)| self.shards.insert(*key, shard.clone())).collect();
        for (key, time) in &changes.seen {
            if let Some(shard) = self.shards.get_mut(key) {
                shard.last_heartbeat = shard.last_heartbeat.max(Some(*time));
            }
        }
        if let Some(generations) = &changes.generations {
            self.generations.clone_from(generations);
            self.shards.retain(|key, _| generations.iter().any(|generation| generation.count == key.count));
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Revision, State as Word};

    fn record(seq: u64) -> Record {
        let facts = Facts {
            healthy: true,
            state: Word::Online,
            reason: None,
            last_heartbeat: None,
            version: None,
            since: UnixMillis(0),
            expected_back: None,
            shard: None,
            revision: Revision { boot: 1, seq },
        };
        Record { at: UnixMillis(0), guild: None, facts }
    }

    #[test]
    fn what_waits_has_a_bound_and_the_oldest_lines_are_dropped_and_counted() {
        let mut waiting = Changes::default();
        for round in 0..300 {
            let records = (0..1000).map(|line| record(round * 1000 + line)).collect();
            waiting.merge(Changes { records, ..Changes::default() });
        }
        assert_eq!((waiting.records.len(), waiting.lost), (MOST_RECORDS, 100_000));
        let next = waiting.next();
        assert_eq!((next.records.len(), next.records[0].facts.revision.seq), (LINES_AT_ONCE, 100_000));
        waiting.put_back(next.records);
        assert_eq!((waiting.records.len(), &waiting.records[0]), (MOST_RECORDS, &record(100_000)));
        assert_eq!(waiting.records.back(), Some(&record(299_999)));
    }
}
