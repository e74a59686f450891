//! All shards that share one count.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::process::LostGateway;
use super::shard::Shard;
use super::{Monotonic, Now, Transition};
use crate::wire::{GuildId, ShardKey};

/// How long losses of the gateway count together (rule 5).
const OUTAGE_WINDOW: Duration = Duration::from_secs(30);
/// The least number of lost shards that makes an outage.
const OUTAGE_SHARDS: usize = 3;
/// How long a generation is remembered after its last beat (rule 6).
pub(super) const MEMORY: Duration = Duration::from_secs(10 * 60);

/// One generation of the bot.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) count: u32,
    pub(super) shards: HashMap<u32, Shard>,
    pub(super) last_beat: Monotonic,
    /// It has had half of its shards ready, or one while no other generation had; guilds use it.
    pub(super) counts: bool,
    /// How many of its shards are ready.
    pub(super) ready: usize,
    /// Its shards that have lost the gateway, by when.
    losses: BTreeSet<(Monotonic, u32)>,
    /// Those of them that are not yet put down to an outage.
    unexplained: BTreeSet<(Monotonic, u32)>,
    /// A shard lost the gateway since an outage was last looked for.
    suspicious: bool,
}

impl Generation {
    pub(super) fn new(count: u32, now: Monotonic) -> Self {
        Self {
            count,
            shards: HashMap::new(),
            last_beat: now,
            counts: false,
            ready: 0,
            losses: BTreeSet::new(),
            unexplained: BTreeSet::new(),
            suspicious: false,
        }
    }

    /// The shard that carries the guild, if it was ever heard of.
    pub(super) fn shard_of(&self, guild: GuildId) -> Option<&Shard> {
        self.shards.get(&ShardKey::of(guild, self.count).id)
    }

    pub(super) fn has_half_ready(&self) -> bool {
        self.ready * 2 >= usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Draws the conclusions from what is known of a shard, and of its generation with it. Adds
    /// to `transitions`; true if guilds may move because of it.
    pub(super) fn settle(
        &mut self,
        id: u32,
        gateway: LostGateway,
        now: Now,
        seq: &mut u64,
        transitions: &mut Vec<Transition>,
    ) -> bool {
        let shard = self.shards.get_mut(&id).expect("only shards of the generation are settled");
        let was_ready = shard.ready;
        if shard.settle(gateway, now, || next(seq)) {
            transitions.push(Transition::Shard(shard.key));
        }
        match (was_ready, shard.ready) {
            (false, true) => self.ready += 1,
            (true, false) => self.ready -= 1,
            (true, true) | (false, false) => {}
        }
        let loss = shard.loss();
        let counted = std::mem::replace(&mut shard.counted_loss, loss);
        if counted != loss {
            if let Some(at) = counted {
                self.losses.remove(&(at, id));
                self.unexplained.remove(&(at, id));
            }
            if let Some(at) = loss {
                self.losses.insert((at, id));
                self.unexplained.insert((at, id));
                self.suspicious = true;
            }
        }
        shard.moves_guilds()
    }

    /// Rule 5: at least 3 and at least 80 % of the ready shards lost the gateway within 30 s.
    /// Asked after a whole input, because a beat speaks of many shards at one moment.
    pub(super) fn look_for_outage(&mut self, now: Now, seq: &mut u64, transitions: &mut Vec<Transition>) {
        if !std::mem::take(&mut self.suspicious) {
            return;
        }
        let window = now.monotonic.saturating_sub(OUTAGE_WINDOW);
        self.losses = self.losses.split_off(&(window, 0));
        self.unexplained = self.unexplained.split_off(&(window, 0));
        let lost = self.losses.len();
        if lost < OUTAGE_SHARDS || lost * 5 < (lost + self.ready) * 4 {
            return;
        }
        for (_, id) in std::mem::take(&mut self.unexplained) {
            let shard = self.shards.get_mut(&id).expect("a loss is of a shard of the generation");
            let lost = shard.lost.as_mut().expect("a loss is removed when the shard is ready or falls");
            lost.outage = true;
            if shard.settle(LostGateway::No, now, || next(seq)) {
                transitions.push(Transition::Shard(shard.key));
            }
        }
    }
}

/// The next number of a transition.
pub(super) fn next(seq: &mut u64) -> u64 {
    *seq += 1;
    *seq
}
