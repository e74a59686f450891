//! Rules 5 and 6: what holds for the shards of a generation together, and which generation a
//! guild uses.

use std::time::Duration;

use guildpulse::wire::{GuildId, Reason, ShardKey};

use super::Oracle;
use super::shard::Shard;
use super::tables::{self, Crew, Lost};

/// All shards that share one count.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) count: u32,
    pub(crate) last_beat: Duration,
    /// It began to count, and goes on until it is forgotten.
    pub(crate) counts: bool,
    /// Those that were heard of.
    pub(crate) shards: Vec<Shard>,
}

impl Generation {
    fn ready(&self) -> usize {
        self.shards.iter().filter(|shard| shard.crew() == Crew::Ready).count()
    }

    /// Rule 5 and its reading: whether it is an outage is asked when a shard loses the gateway, not
    /// when others fall.
    pub(crate) fn mark_outage(&mut self, step: usize, now: Duration) {
        let one_more =
            |shard: &Shard| shard.told_lost_at().is_some() && shard.spans.last().is_some_and(|span| span.step == step);
        if !self.shards.iter().any(one_more) {
            return;
        }
        let recent = |shard: &Shard| shard.told_lost_at().is_some_and(|lost| now <= lost + tables::OUTAGE_WINDOW);
        let lost = self.shards.iter().filter(|shard| recent(shard)).count();
        if tables::is_outage(lost, self.ready()) {
            for shard in self.shards.iter_mut().filter(|shard| recent(shard)) {
                shard.lost = Lost::WithMost;
            }
        }
    }

    fn of(&self, guild: GuildId) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.key.carries(guild))
    }

    fn is_ready_for(&self, guild: GuildId) -> bool {
        self.of(guild).is_some_and(|shard| shard.crew() == Crew::Ready)
    }

    /// When it was ready for the guild for the last time.
    fn ready_until(&self, guild: GuildId) -> Option<Duration> {
        self.of(guild).and_then(Shard::ready_until)
    }

    /// When a generation of one shard was ready for the first time.
    fn first_ready(&self) -> Option<Duration> {
        let spans = self.shards.first()?.spans.iter();
        spans.filter(|span| span.crew == Crew::Ready).map(|span| span.from).next()
    }
}

impl Oracle {
    /// The generations that may be forgotten: all but the one with the newest beat.
    pub(crate) fn mortal(&self) -> impl Iterator<Item = &Generation> {
        let newest = self.generations.iter().max_by_key(|generation| generation.last_beat).map(|newest| newest.count);
        self.generations.iter().filter(move |generation| Some(generation.count) != newest)
    }

    /// Rule 6: ten minutes after its last beat.
    pub(crate) fn forget_generations(&mut self) {
        let forgotten = self.mortal().filter(|generation| generation.last_beat + tables::MEMORY <= self.clock);
        let forgotten: Vec<u32> = forgotten.map(|generation| generation.count).collect();
        self.generations.retain(|generation| !forgotten.contains(&generation.count));
    }

    /// The reading "Generations": 64 at most.
    pub(crate) fn forget_those_too_many(&mut self) {
        while self.generations.len() > tables::MOST_GENERATIONS {
            let oldest = (0..self.generations.len()).min_by_key(|place| self.generations[*place].last_beat);
            self.generations.remove(oldest.expect("there are many"));
        }
    }

    /// Rule 6: half of its shards are ready, or one is and none of another generation.
    pub(crate) fn count_generations(&mut self) {
        let ready: Vec<usize> = self.generations.iter().map(Generation::ready).collect();
        let all: usize = ready.iter().sum();
        for (generation, ready) in self.generations.iter_mut().zip(ready) {
            generation.counts |= 2 * ready >= generation.count as usize || (ready > 0 && ready == all);
        }
    }

    /// The shard that the guild uses.
    pub(crate) fn route(&self, guild: GuildId) -> Option<ShardKey> {
        let used = self.used(guild)?;
        Some(ShardKey::of(guild, used.count))
    }

    /// Rule 6: the generation that the guild uses.
    fn used(&self, guild: GuildId) -> Option<&Generation> {
        let counting: Vec<&Generation> = self.generations.iter().filter(|generation| generation.counts).collect();
        let candidates = if counting.is_empty() { self.generations.iter().collect() } else { counting };
        // The one shard may have to leave the guild to what it would use otherwise.
        let others: Vec<&Generation> = candidates.iter().copied().filter(|generation| generation.count != 1).collect();
        let stray = candidates.iter().position(|generation| generation.count == 1);
        if let (Some(stray), Some(other)) = (stray, best(&others, guild)) {
            let newer = candidates[..stray].iter().any(|older| older.count == other.count);
            if newer && !may_take_over(candidates[stray], other, guild) {
                return Some(other);
            }
        }
        best(&candidates, guild)
    }
}

/// Rule 6 and its reading; `candidates` from the oldest to the newest.
fn best<'a>(candidates: &[&'a Generation], guild: GuildId) -> Option<&'a Generation> {
    let newest = |fits: &dyn Fn(&Generation) -> bool| candidates.iter().copied().rfind(|generation| fits(generation));
    let ready = newest(&|generation| generation.is_ready_for(guild));
    let last = candidates.iter().copied().filter(|generation| generation.ready_until(guild).is_some());
    let last = last.max_by_key(|generation| generation.ready_until(guild));
    let heard = newest(&|generation| generation.of(guild).is_some());
    ready.or(last).or(heard).or(newest(&|_| true))
}

/// The reading "Generations": a stray `--shard 0/1` turns nobody green.
fn may_take_over(one: &Generation, other: &Generation, guild: GuildId) -> bool {
    let left = other.of(guild).is_some_and(|shard| !shard.was_ready() && shard.fell == Reason::Goodbye);
    let meanwhile = one.first_ready().is_some_and(|first| other.ready_until(guild).is_some_and(|until| until >= first));
    other.ready() == 0 || (left && meanwhile)
}
