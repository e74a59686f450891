//! What the monitor says at one moment.

use std::collections::HashMap;

use super::index::{Index, Place};
use crate::hub::{Inbox, News};
use crate::liveness::Liveness;
use crate::monitor::Monitor;
use crate::wire::{Facts, GuildId};

/// What has changed and what is so, of one and the same moment. A shard that was read after its guilds
/// had moved away from it, but before the reactor knew that, would be a wrong status for them.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) news: News,
    /// Where each guild is to be found, and what is said of it alone if it is an exception.
    pub(super) guilds: Vec<(GuildId, Place, Option<Facts>)>,
    /// What is said of the guilds of each place.
    pub(super) places: HashMap<Place, Facts>,
}

/// Takes the news, and looks at everything that they are about as far as somebody watches it, and at
/// the guilds that are asked for. Encoding is left for later, because beats wait meanwhile.
pub(super) fn look(monitor: &Monitor, inbox: &Inbox, index: &Index, asked: &[GuildId]) -> Sight {
    monitor.look(|liveness| {
        let mut sight = Sight { news: inbox.take(), guilds: Vec::new(), places: HashMap::new() };
        asked.iter().for_each(|guild| sight.see(liveness, *guild));
        if sight.news.routing.is_some() {
            index.ids().for_each(|guild| sight.see(liveness, guild));
        }
        let changed: Vec<_> = sight.news.guilds.keys().copied().filter(|guild| index.find(*guild).is_some()).collect();
        changed.into_iter().for_each(|guild| sight.see(liveness, guild));
        let shards: Vec<_> = sight.news.shards.keys().map(|key| Some(*key)).collect();
        for place in shards.into_iter().filter(|place| !index.guilds_at(*place).is_empty()) {
            sight.see_place(liveness, place);
            for guild in index.guilds_at(place) {
                let id = index.id(*guild);
                if !liveness.shares(id) || index.has_own(*guild) {
                    sight.see(liveness, id);
                }
            }
        }
        sight
    })
}

impl Sight {
    fn see(&mut self, liveness: &Liveness, guild: GuildId) {
        let place = liveness.route(guild);
        self.see_place(liveness, place);
        self.guilds.push((guild, place, (!liveness.shares(guild)).then(|| liveness.facts(guild))));
    }

    fn see_place(&mut self, liveness: &Liveness, place: Place) {
        self.places.entry(place).or_insert_with(|| liveness.place_facts(place));
    }
}
