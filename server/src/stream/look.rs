//! What is said at one moment, by whoever knows it.

use std::collections::HashMap;
use std::sync::Arc;

use super::index::{Index, Place};
use crate::clock::Clock;
use crate::gateway::Board;
use crate::hub::{Inbox, News, Subject};
use crate::liveness::{Liveness, Now};
use crate::monitor::Monitor;
use crate::wire::{Facts, Template};

/// Who knows the statuses.
#[derive(Debug, Clone)]
pub enum Source {
    /// We do, by the beats that we get.
    Monitor(Arc<Monitor>),
    /// A backend does, and we pass on what it says.
    Board(Arc<Board>),
}

/// What has changed and what is so, of one and the same moment. A shard that was read after its guilds
/// had moved away from it, but before the reactor knew that, would be a wrong status for them.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) news: News,
    /// Where each guild is to be found, and what is said of it alone if it is an exception.
    pub(super) guilds: Vec<(Subject, Place, Option<Template>)>,
    /// What is said of the guilds of each place.
    pub(super) places: HashMap<Place, Template>,
}

impl Source {
    pub(super) fn clock(&self) -> Clock {
        match self {
            Self::Monitor(monitor) => monitor.clock(),
            Self::Board(board) => board.clock(),
        }
    }

    pub(super) fn boot(&self) -> u64 {
        match self {
            Self::Monitor(monitor) => monitor.boot(),
            Self::Board(board) => board.boot(),
        }
    }

    /// What is said of each of these guilds at one moment, and when that was.
    pub(super) fn snapshot(&self, guilds: &[Subject]) -> (Now, Vec<Template>) {
        match self {
            Self::Monitor(monitor) => {
                let guilds: Vec<_> = guilds.iter().map(|guild| guild.guild()).collect();
                let (now, all) = monitor.snapshot(&guilds);
                (now, all.iter().map(Template::new).collect())
            }
            Self::Board(board) => board.snapshot(guilds),
        }
    }

    /// Takes the news, and looks at everything that they are about as far as somebody watches it, and at
    /// the guilds that are asked for.
    pub(super) fn look(&self, inbox: &Inbox, index: &Index, asked: &[Subject]) -> Sight {
        match self {
            Self::Monitor(monitor) => {
                let view = monitor.look(|liveness| View::new(liveness, inbox.take(), index, asked));
                // Beats waited until now, so nothing was encoded before.
                view.encoded()
            }
            Self::Board(board) => board.look(|said| {
                let news = inbox.take();
                let changed = news.guilds.keys().filter(|guild| index.find(**guild).is_some());
                let guilds = asked.iter().chain(changed).map(|guild| (*guild, None, Some(said.of(*guild)))).collect();
                Sight { news, guilds, places: HashMap::from([(None, said.of_nobody())]) }
            }),
        }
    }
}

/// What the monitor says, not encoded yet.
struct View {
    news: News,
    guilds: Vec<(Subject, Place, Option<Facts>)>,
    places: HashMap<Place, Facts>,
}

impl View {
    fn new(liveness: &Liveness, news: News, index: &Index, asked: &[Subject]) -> Self {
        let mut view = Self { news, guilds: Vec::new(), places: HashMap::new() };
        asked.iter().for_each(|guild| view.see(liveness, *guild));
        if view.news.routing.is_some() {
            index.ids().for_each(|guild| view.see(liveness, guild));
        }
        let changed: Vec<_> = view.news.guilds.keys().copied().filter(|guild| index.find(*guild).is_some()).collect();
        changed.into_iter().for_each(|guild| view.see(liveness, guild));
        let shards: Vec<_> = view.news.shards.keys().map(|key| Some(*key)).collect();
        for place in shards.into_iter().filter(|place| !index.guilds_at(*place).is_empty()) {
            view.see_place(liveness, place);
            for guild in index.guilds_at(place) {
                let id = index.id(*guild);
                if !liveness.shares(id.guild()) || index.has_own(*guild) {
                    view.see(liveness, id);
                }
            }
        }
        view
    }

    fn see(&mut self, liveness: &Liveness, subject: Subject) {
        let guild = subject.guild();
        let place = liveness.route(guild);
        self.see_place(liveness, place);
        self.guilds.push((subject, place, (!liveness.shares(guild)).then(|| liveness.facts(guild))));
    }

    fn see_place(&mut self, liveness: &Liveness, place: Place) {
        self.places.entry(place).or_insert_with(|| liveness.place_facts(place));
    }

    fn encoded(self) -> Sight {
        let encode = |facts: Facts| Template::new(&facts);
        Sight {
            news: self.news,
            guilds: self.guilds.into_iter().map(|(guild, place, own)| (guild, place, own.map(encode))).collect(),
            places: self.places.into_iter().map(|(place, facts)| (place, encode(facts))).collect(),
        }
    }
}
