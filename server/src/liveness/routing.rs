//! Which generation a guild uses (rule 6).

use super::generation::{Generation, MEMORY};
use super::{Changes, Liveness, Monotonic, Now};
use crate::wire::{GuildId, ShardKey};

/// How many generations are remembered at once.
const MOST: usize = 64;

impl Liveness {
    /// The shard that the guild uses: the place under which its viewers are to be found. `None`
    /// while no generation is known.
    pub fn route(&self, guild: GuildId) -> Option<ShardKey> {
        let none_counts = !self.generations.iter().any(|generation| generation.counts);
        let counting = || {
            let newest_first = self.generations.iter().rev();
            newest_first.filter(move |generation| generation.counts || none_counts)
        };
        let takers = || counting().filter(|generation| self.may_take(generation, guild));
        let known = || takers().filter_map(|generation| generation.shard_of(guild));
        let ready = known().find(|shard| shard.ready);
        // Else the one that was ready last; of equals the newest, which comes first. One that never
        // was ready counts as earliest, so if none was, this is the newest that was heard of.
        let later = || known().reduce(|best, shard| if shard.last_ready > best.last_ready { shard } else { best });
        let shard = ready.or_else(later);
        let newest = || takers().next().map(|generation| ShardKey::of(guild, generation.count));
        shard.map(|shard| shard.key).or_else(newest)
    }

    /// Whether guilds use the shard: the next few that it would serve are asked. That is all there is
    /// to ask when one count is up to eight times the other, as when a bot is resharded.
    pub(super) fn is_used(&self, shard: ShardKey) -> bool {
        let guild = |nth: u64| GuildId::new((u64::from(shard.id) + nth * u64::from(shard.count)) << 22);
        (1..=8).filter_map(guild).any(|guild| self.route(guild) == Some(shard))
    }

    /// A generation of one shard always has half of its shards ready, so that proves nothing: it
    /// may be a stray. While an older generation is alive, it may have only the guilds whose shard
    /// there said goodbye when the one shard was there to take them.
    fn may_take(&self, taker: &Generation, guild: GuildId) -> bool {
        if taker.count != 1 {
            return true;
        }
        let older = self.generations.iter().take_while(|generation| generation.count != taker.count);
        let mut alive = older.filter(|generation| generation.counts && generation.ready > 0);
        let since = taker.shard_of(guild).and_then(|shard| shard.first_ready);
        alive.all(|other| other.shard_of(guild).is_some_and(|shard| since.is_some_and(|since| shard.handed_over(since))))
    }

    /// The place of the generation, which is begun if it is new.
    pub(super) fn generation(&mut self, count: u32, now: Now, changes: &mut Changes) -> usize {
        let known = self.generations.iter().position(|generation| generation.count == count);
        known.unwrap_or_else(|| {
            changes.born = true;
            if self.generations.len() == MOST {
                let oldest = self.generations.iter().min_by_key(|generation| generation.last_beat);
                let oldest = oldest.expect("there are as many as there may be").count;
                self.generations.retain(|generation| generation.count != oldest);
            }
            self.generations.push(Generation::new(count, now.monotonic));
            self.generations.len() - 1
        })
    }

    /// Lets generations count that have come that far; true if one began to.
    pub(super) fn count_generations(&mut self) -> bool {
        let all_ready: usize = self.generations.iter().map(|generation| generation.ready).sum();
        let mut began = false;
        for generation in self.generations.iter_mut().filter(|generation| !generation.counts) {
            let only_one = generation.ready > 0 && generation.ready == all_ready;
            generation.counts = generation.has_half_ready() || only_one;
            began |= generation.counts;
        }
        began
    }

    /// The generations that will be forgotten if they do not beat. The one with the newest beat
    /// is not among them: there would be nothing left to say of its guilds.
    pub(super) fn mortal_generations(&self) -> impl Iterator<Item = &Generation> {
        let newest = self.generations.iter().max_by_key(|generation| generation.last_beat).map(|newest| newest.count);
        self.generations.iter().filter(move |generation| Some(generation.count) != newest)
    }

    /// Forgets the generations whose time has come; true if there were any.
    pub(super) fn forget_generations(&mut self, now: Monotonic) -> bool {
        let over = |generation: &&Generation| generation.last_beat + MEMORY <= now;
        let gone: Vec<u32> = self.mortal_generations().filter(over).map(|generation| generation.count).collect();
        self.generations.retain(|generation| !gone.contains(&generation.count));
        !gone.is_empty()
    }
}
