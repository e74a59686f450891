//! What each input does.

use std::collections::BTreeSet;

use super::generation::next;
use super::process::LostGateway;
use super::shard::Shard;
use super::{Changes, Liveness, Now, Transition};
use crate::wire::{Beat, Goodbye, GuildId, ShardKey, ShardReport};

impl Liveness {
    pub(super) fn beat(&mut self, beat: &Beat, now: Now, changes: &mut Changes) {
        if !self.sessions.admit(beat, now.monotonic) {
            return;
        }
        for report in &beat.shards {
            if !self.sessions.has_left(beat, report.key) && self.report(beat, report, now, changes) {
                changes.applied.accepted += 1;
            }
        }
        self.availability(beat, now, changes);
    }

    /// One shard of a beat; false if it does not count.
    fn report(&mut self, beat: &Beat, report: &ShardReport, now: Now, changes: &mut Changes) -> bool {
        let ShardKey { id, count } = report.key;
        let index = self.generation(count, now, changes);
        let generation = &mut self.generations[index];
        let shard = generation.shards.entry(id).or_insert_with(|| {
            changes.moved = true;
            Shard::new(report.key, now.wall)
        });
        self.order += 1;
        if let (Some(session), Some(newer)) = (&beat.session, shard.other_session(beat))
            && self.sessions.is_earlier(beat.instance.as_ref(), session, newer)
        {
            return false;
        }
        let heard = shard.beat(beat, report, self.order, now);
        generation.last_beat = now.monotonic;
        self.settle(index, id, heard.gateway, now, changes);
        self.end_exceptions(report.key, heard.ended, now, changes);
        true
    }

    pub(super) fn goodbye(&mut self, goodbye: &Goodbye, now: Now, changes: &mut Changes) {
        self.sessions.end(goodbye, now.monotonic);
        let keys = goodbye.shards.clone().unwrap_or_else(|| self.all_keys());
        for ShardKey { id, count } in keys {
            let Some(index) = self.generations.iter().position(|generation| generation.count == count) else { continue };
            let Some(shard) = self.generations[index].shards.get_mut(&id) else { continue };
            let Some(ended) = shard.goodbye(goodbye, now) else { continue };
            changes.applied.accepted += 1;
            self.settle(index, id, LostGateway::No, now, changes);
            self.end_exceptions(ShardKey { id, count }, ended, now, changes);
        }
    }

    pub(super) fn tick(&mut self, now: Now, changes: &mut Changes) {
        while let Some((at, key)) = self.timers.pop(now.monotonic) {
            let Some(index) = self.generations.iter().position(|generation| generation.count == key.count) else { continue };
            let Some(shard) = self.generations[index].shards.get_mut(&key.id) else { continue };
            if shard.armed != Some(at) {
                continue;
            }
            shard.armed = None;
            let ended = shard.expire(now);
            self.settle(index, key.id, LostGateway::No, now, changes);
            self.end_exceptions(key, ended, now, changes);
        }
        changes.born |= self.forget_generations(now.monotonic);
        let generations = &self.generations;
        let is_excepted = |guild| {
            generations.iter().any(|one| one.shard_of(guild).is_some_and(|shard| shard.excepted_since(guild).is_some()))
        };
        if self.exceptions.prune(is_excepted) {
            self.floor = next(&mut self.seq);
        }
    }

    /// Throws away the entries of timers that are out of date, when most of them are.
    pub(super) fn tidy_timers(&mut self) {
        let known: usize = self.generations.iter().map(|generation| generation.shards.len()).sum();
        let generations = &self.generations;
        let is_current = |at, key: ShardKey| {
            let generation = generations.iter().find(|generation| generation.count == key.count);
            generation.and_then(|known| known.shards.get(&key.id)).is_some_and(|shard| shard.armed == Some(at))
        };
        self.timers.tidy(known, is_current);
    }

    /// Does the same to every shard.
    pub(super) fn each_shard(&mut self, now: Now, changes: &mut Changes, mut act: impl FnMut(&mut Shard)) {
        for index in 0..self.generations.len() {
            let mut ids: Vec<u32> = self.generations[index].shards.keys().copied().collect();
            ids.sort_unstable();
            for id in ids {
                act(self.generations[index].shards.get_mut(&id).expect("the id was just listed"));
                self.settle(index, id, LostGateway::No, now, changes);
            }
        }
    }

    /// Draws the conclusions of a change to a shard.
    pub(super) fn settle(&mut self, index: usize, id: u32, gateway: LostGateway, now: Now, changes: &mut Changes) {
        let generation = &mut self.generations[index];
        changes.moved |= generation.settle(id, gateway, now, &mut self.seq, &mut changes.applied.transitions);
        let shard = generation.shards.get_mut(&id).expect("only shards of the generation are settled");
        let due = shard.next_due();
        self.timers.arm(shard.key, &mut shard.armed, due);
        if shard.take_changed() {
            changes.applied.shards.insert(shard.key);
        }
    }

    /// The beat's changes of availability, which belong to the process on the guild's shard.
    fn availability(&mut self, beat: &Beat, now: Now, changes: &mut Changes) {
        if beat.unavailable.is_empty() && beat.available.is_empty() {
            return;
        }
        let counts: BTreeSet<u32> = beat.shards.iter().map(|report| report.key.count).collect();
        for count in counts {
            for guild in &beat.available {
                let key = ShardKey::of(*guild, count);
                let Some(shard) = self.shard_of_process(beat, key) else { continue };
                let mut ended = BTreeSet::new();
                for process in &mut shard.processes {
                    ended.extend(process.unavailable.take(guild));
                }
                if !ended.is_empty() {
                    changes.applied.shards.insert(key);
                }
                self.end_exceptions(key, ended, now, changes);
            }
            for guild in &beat.unavailable {
                if !self.exceptions.has_room_for(*guild) {
                    continue;
                }
                let key = ShardKey::of(*guild, count);
                let Some(shard) = self.shard_of_process(beat, key) else { continue };
                let news = shard.except(beat, *guild, now);
                if shard.take_changed() {
                    changes.applied.shards.insert(key);
                }
                if news {
                    self.change_exception(key, *guild, changes);
                }
            }
        }
    }

    /// The shard, if the process that sent the beat is on it.
    fn shard_of_process(&mut self, beat: &Beat, key: ShardKey) -> Option<&mut Shard> {
        let shard = self.shard_mut(key)?;
        shard.processes.iter().any(|process| process.speaks_for(beat)).then_some(shard)
    }

    /// A process no longer reports these guilds; those that no other reports are available again.
    fn end_exceptions(&mut self, key: ShardKey, guilds: BTreeSet<GuildId>, now: Now, changes: &mut Changes) {
        for guild in guilds {
            if self.shard_mut(key).is_some_and(|shard| shard.end_exception(guild, now)) {
                self.change_exception(key, guild, changes);
            }
        }
    }

    fn change_exception(&mut self, key: ShardKey, guild: GuildId, changes: &mut Changes) {
        self.exceptions.change(guild, next(&mut self.seq));
        let shows = self.shard(key).is_some_and(Shard::is_up);
        if shows && self.route(guild) == Some(key) {
            changes.applied.transitions.push(Transition::Guild(guild));
        }
    }

    fn shard_mut(&mut self, key: ShardKey) -> Option<&mut Shard> {
        let generation = self.generations.iter_mut().find(|generation| generation.count == key.count)?;
        generation.shards.get_mut(&key.id)
    }

    fn all_keys(&self) -> Vec<ShardKey> {
        let shards = self.generations.iter().flat_map(|generation| generation.shards.values());
        let mut keys: Vec<ShardKey> = shards.map(|shard| shard.key).collect();
        keys.sort_unstable();
        keys
    }
}
