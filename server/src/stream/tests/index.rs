//! The index beside a plain map.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU64;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use proptest::test_runner::Config;
use slotmap::SlotMap;

use super::super::index::{GuildKey, Index, Member, Place, ViewerKey};
use crate::hub::Subject;
use crate::wire::{Facts, GuildId, Revision, ShardKey, State, Template, UnixMillis};

#[derive(Debug, Clone)]
enum Step {
    Join { guild: u64, place: u32, says: u64 },
    Leave(Pick),
    Say { place: u32, says: u64 },
    Except { guild: u64, says: Option<u64> },
    Route { guild: u64, place: u32, says: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (guild, place, says) = (|| 1..8_u64, || 0..4_u32, || 1..1000_u64);
    let step = prop_oneof![
        4 => (guild(), place(), says()).prop_map(|(guild, place, says)| Step::Join { guild, place, says }),
        3 => any::<Pick>().prop_map(Step::Leave),
        2 => (place(), says()).prop_map(|(place, says)| Step::Say { place, says }),
        2 => (guild(), proptest::option::of(says())).prop_map(|(guild, says)| Step::Except { guild, says }),
        3 => (guild(), place(), says()).prop_map(|(guild, place, says)| Step::Route { guild, place, says }),
    ];
    vec(step, 1..100)
}

/// What is known of a guild that somebody watches.
#[derive(Debug)]
struct Watched {
    place: Place,
    own: Option<u64>,
    /// Where each viewer was told that it stands.
    members: HashMap<ViewerKey, u32>,
}

#[derive(Debug, Default)]
struct Plain {
    guilds: BTreeMap<Subject, Watched>,
    shared: HashMap<Place, u64>,
}

impl Plain {
    /// A place is forgotten with its last guild.
    fn enter(&mut self, place: Place, says: u64) {
        let used: BTreeSet<_> = self.guilds.values().map(|watched| watched.place).collect();
        self.shared.retain(|place, _| used.contains(place));
        self.shared.entry(place).or_insert(says);
    }
}

#[derive(Default)]
struct Both {
    index: Index,
    plain: Plain,
    viewers: SlotMap<ViewerKey, Subject>,
}

impl Both {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Join { guild, place, says } => self.join(id(*guild), self::place(*place), *says),
            Step::Leave(who) => {
                let all: Vec<_> = self.viewers.keys().collect();
                if !all.is_empty() {
                    self.leave(*who.get(&all));
                }
            }
            Step::Say { place, says } => {
                let place = self::place(*place);
                self.index.say(place, &template(*says));
                let used = self.plain.guilds.values().any(|watched| watched.place == place);
                self.plain.shared.entry(place).and_modify(|said| *said = if used { *says } else { *said });
            }
            Step::Except { guild, says } => {
                if let Some(key) = self.index.find(id(*guild)) {
                    self.index.except(key, says.map(template));
                    self.plain.guilds.get_mut(&id(*guild)).unwrap().own = *says;
                }
            }
            Step::Route { guild, place, says } => {
                if let Some(key) = self.index.find(id(*guild)) {
                    let place = self::place(*place);
                    // It leaves the place where it was before it enters the other, if that is another.
                    self.plain.guilds.get_mut(&id(*guild)).unwrap().place = Some(ShardKey { id: 0, count: 99 });
                    self.plain.enter(place, *says);
                    self.plain.guilds.get_mut(&id(*guild)).unwrap().place = place;
                    self.index.route(key, place, &template(*says));
                }
            }
        }
    }

    fn join(&mut self, guild: Subject, place: Place, says: u64) {
        let viewer = self.viewers.insert(guild);
        let (_, at) = self.index.join(guild, place, &template(says), Member { viewer, seat: seat(viewer) });
        if !self.plain.guilds.contains_key(&guild) {
            self.plain.enter(place, says);
            self.plain.guilds.insert(guild, Watched { place, own: None, members: HashMap::new() });
        }
        self.plain.guilds.get_mut(&guild).unwrap().members.insert(viewer, at);
    }

    fn leave(&mut self, viewer: ViewerKey) {
        let guild = self.viewers.remove(viewer).unwrap();
        let watched = self.plain.guilds.get_mut(&guild).unwrap();
        let at = watched.members.remove(&viewer).unwrap();
        if let Some(moved) = self.index.leave(self.index.find(guild).unwrap(), at) {
            assert_eq!(moved.seat, seat(moved.viewer));
            watched.members.insert(moved.viewer, at);
        }
        if watched.members.is_empty() {
            self.plain.guilds.remove(&guild);
        }
    }

    fn agree(&self) {
        let ids: BTreeSet<_> = self.index.ids().collect();
        assert_eq!(ids, self.plain.guilds.keys().copied().collect());
        for (id, watched) in &self.plain.guilds {
            let key: GuildKey = self.index.find(*id).unwrap();
            let said = self.index.status(key).revision().seq;
            assert_eq!((self.index.id(key), self.index.place(key)), (*id, watched.place));
            assert_eq!(
                (said, self.index.has_own(key)),
                (watched.own.unwrap_or(self.plain.shared[&watched.place]), watched.own.is_some())
            );
            let members = self.index.members(key);
            assert_eq!(members.len(), watched.members.len());
            for (viewer, at) in &watched.members {
                assert_eq!(members[*at as usize], Member { viewer: *viewer, seat: seat(*viewer) });
            }
        }
        for place in (0..4).map(place) {
            let there: BTreeSet<_> = self.index.guilds_at(place).iter().map(|key| self.index.id(*key)).collect();
            let expected = self.plain.guilds.iter().filter(|(_, watched)| watched.place == place).map(|(id, _)| *id);
            assert_eq!((there.len(), &there), (self.index.guilds_at(place).len(), &expected.collect()));
        }
    }
}

fn id(number: u64) -> Subject {
    let guild = GuildId::new(number / 2 + 1).unwrap();
    // Some guilds are watched by somebody alone, too.
    NonZeroU64::new(number % 2).map_or(Subject::of_all(guild), |whose| Subject::of_one(guild, whose))
}

/// Nobody knows of a shard at first, which is a place as well.
fn place(number: u32) -> Place {
    number.checked_sub(1).map(|id| ShardKey { id, count: 3 })
}

fn seat(viewer: ViewerKey) -> u8 {
    u8::try_from(slotmap::Key::data(&viewer).as_ffi() % 100).unwrap()
}

fn template(number: u64) -> Template {
    Template::new(&Facts {
        healthy: true,
        state: State::Online,
        reason: None,
        last_heartbeat: None,
        version: None,
        since: UnixMillis(0),
        expected_back: None,
        shard: None,
        revision: Revision { boot: 1, seq: number },
    })
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn an_index_knows_what_a_plain_map_knows_and_keeps_nothing_of_those_who_left(steps in steps()) {
        let mut both = Both::default();
        for step in &steps {
            both.step(step);
            both.agree();
        }
        both.viewers.keys().collect::<Vec<_>>().into_iter().for_each(|viewer| both.leave(viewer));
        prop_assert!(both.index.is_empty());
    }
}
