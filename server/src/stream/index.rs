//! Who watches what: shard → guilds → viewers.
//!
//! A guild is found under the shard it uses, and shares what is said of that shard. Only a guild that
//! is an exception has a status of its own here. Nothing else is kept per watched guild.

use std::collections::HashMap;

use slotmap::{SlotMap, new_key_type};
use smallvec::SmallVec;

use crate::hub::Subject;
use crate::wire::{ShardKey, Template};

new_key_type! {
    /// A viewer among all of a reactor. It is never given to another.
    pub(super) struct ViewerKey;
    /// A watched guild.
    pub(super) struct GuildKey;
    struct PlaceKey;
}

/// The shard that guilds use; none while no generation is known.
pub(super) type Place = Option<ShardKey>;

/// One viewer of a guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) viewer: ViewerKey,
    /// Which of the viewer's guilds it is.
    pub(super) seat: u8,
}

#[derive(Debug)]
struct Guild {
    id: Subject,
    place: PlaceKey,
    /// Where it stands among the guilds of its place.
    at: usize,
    own: Option<Box<Template>>,
    members: SmallVec<[Member; 1]>,
}

#[derive(Debug)]
struct Guilds {
    place: Place,
    /// What is said of those that have no status of their own.
    shared: Template,
    guilds: Vec<GuildKey>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    ids: HashMap<Subject, GuildKey>,
    guilds: SlotMap<GuildKey, Guild>,
    by_place: HashMap<Place, PlaceKey>,
    places: SlotMap<PlaceKey, Guilds>,
}

impl Index {
    /// The guild, if somebody watches it.
    pub(super) fn find(&self, id: Subject) -> Option<GuildKey> {
        self.ids.get(&id).copied()
    }

    /// All guilds that somebody watches.
    pub(super) fn ids(&self) -> impl Iterator<Item = Subject> {
        self.ids.keys().copied()
    }

    pub(super) fn id(&self, guild: GuildKey) -> Subject {
        self.guilds[guild].id
    }

    pub(super) fn place(&self, guild: GuildKey) -> Place {
        self.places[self.guilds[guild].place].place
    }

    /// What is said of the guild, but for its id.
    pub(super) fn status(&self, guild: GuildKey) -> &Template {
        let guild = &self.guilds[guild];
        guild.own.as_deref().unwrap_or(&self.places[guild.place].shared)
    }

    pub(super) fn has_own(&self, guild: GuildKey) -> bool {
        self.guilds[guild].own.is_some()
    }

    pub(super) fn members(&self, guild: GuildKey) -> &[Member] {
        &self.guilds[guild].members
    }

    /// The guilds of a place.
    pub(super) fn guilds_at(&self, place: Place) -> &[GuildKey] {
        self.by_place.get(&place).map_or(&[], |place| &self.places[*place].guilds)
    }

    /// Adds a viewer to a guild; returns where it stands among the members. If nobody watched the guild,
    /// it is put at this place, of which this is said.
    pub(super) fn join(&mut self, id: Subject, place: Place, shared: &Template, member: Member) -> (GuildKey, u32) {
        let guild = self.find(id).unwrap_or_else(|| self.watch(id, place, shared));
        let members = &mut self.guilds[guild].members;
        members.push(member);
        (guild, u32::try_from(members.len() - 1).expect("there are fewer viewers than descriptors"))
    }

    /// Removes the member that stands there, and the guild with its last member. Returns the member that
    /// has moved into its place.
    pub(super) fn leave(&mut self, guild: GuildKey, at: u32) -> Option<Member> {
        let at = usize::try_from(at).expect("a position fits");
        let members = &mut self.guilds[guild].members;
        members.swap_remove(at);
        let moved = members.get(at).copied();
        if members.is_empty() {
            let gone = self.guilds.remove(guild).expect("it was just there");
            self.ids.remove(&gone.id);
            self.leave_place(gone.place, gone.at);
        }
        moved
    }

    /// Replaces what is said of the guilds of a place, if there are any.
    pub(super) fn say(&mut self, place: Place, shared: &Template) {
        if let Some(key) = self.by_place.get(&place) {
            self.places[*key].shared = shared.clone();
        }
    }

    /// Replaces what is said of a guild alone.
    pub(super) fn except(&mut self, guild: GuildKey, own: Option<Template>) {
        self.guilds[guild].own = own.map(Box::new);
    }

    /// Moves a guild to another place, of which this is said.
    pub(super) fn route(&mut self, guild: GuildKey, place: Place, shared: &Template) {
        let (left, at) = (self.guilds[guild].place, self.guilds[guild].at);
        self.leave_place(left, at);
        (self.guilds[guild].place, self.guilds[guild].at) = self.enter_place(guild, place, shared);
    }

    fn watch(&mut self, id: Subject, place: Place, shared: &Template) -> GuildKey {
        let new = Guild { id, place: PlaceKey::default(), at: 0, own: None, members: SmallVec::new() };
        let guild = self.guilds.insert(new);
        (self.guilds[guild].place, self.guilds[guild].at) = self.enter_place(guild, place, shared);
        self.ids.insert(id, guild);
        guild
    }

    fn enter_place(&mut self, guild: GuildKey, place: Place, shared: &Template) -> (PlaceKey, usize) {
        let places = &mut self.places;
        let new = || places.insert(Guilds { place, shared: shared.clone(), guilds: Vec::new() });
        let key = *self.by_place.entry(place).or_insert_with(new);
        let guilds = &mut self.places[key].guilds;
        guilds.push(guild);
        (key, guilds.len() - 1)
    }

    fn leave_place(&mut self, place: PlaceKey, at: usize) {
        let guilds = &mut self.places[place].guilds;
        guilds.swap_remove(at);
        if let Some(moved) = guilds.get(at) {
            self.guilds[*moved].at = at;
        }
        if guilds.is_empty() {
            let gone = self.places.remove(place).expect("it was just there");
            self.by_place.remove(&gone.place);
        }
    }

    /// Whether nothing is left of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.guilds.is_empty() && self.by_place.is_empty() && self.places.is_empty()
    }
}
