//! Who watches which guild, and what each viewer has yet to be sent.
//!
//! It owns the index shard → guilds → viewers and knows neither HTTP nor liveness: it is told
//! what changed and where guilds are to be found. Nothing is kept per watched guild but its place
//! in the index, and nothing per viewer but the newest frame of each of its guilds: a viewer
//! that does not read costs the others nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::wire::{GuildId, ShardKey};

/// One viewer among all.
pub type ViewerId = u64;

/// The index of all viewers.
#[derive(Debug, Default)]
pub struct Hub {
    guilds: HashMap<GuildId, Watched>,
    places: HashMap<Option<ShardKey>, HashSet<GuildId>>,
    viewers: u64,
}

#[derive(Debug)]
struct Watched {
    place: Option<ShardKey>,
    viewers: HashMap<ViewerId, (Arc<Mailbox>, usize)>,
}

impl Hub {
    /// Registers a viewer of these guilds, each given with the shard it uses.
    pub fn join(&mut self, guilds: &[(GuildId, Option<ShardKey>)]) -> (ViewerId, Arc<Mailbox>) {
        self.viewers += 1;
        let (viewer, mailbox) = (self.viewers, Arc::new(Mailbox::new(guilds.len())));
        for (slot, &(guild, place)) in guilds.iter().enumerate() {
            let watched = self.guilds.entry(guild).or_insert_with(|| {
                self.places.entry(place).or_default().insert(guild);
                Watched { place, viewers: HashMap::new() }
            });
            watched.viewers.insert(viewer, (mailbox.clone(), slot));
        }
        (viewer, mailbox)
    }

    /// Forgets a viewer, and its guilds with their last viewer.
    pub fn leave(&mut self, viewer: ViewerId, guilds: &[GuildId]) {
        for guild in guilds {
            let Some(watched) = self.guilds.get_mut(guild) else { continue };
            watched.viewers.remove(&viewer);
            if watched.viewers.is_empty() {
                let place = watched.place;
                self.guilds.remove(guild);
                self.leave_place(*guild, place);
            }
        }
    }

    /// The watched guilds that use the shard.
    pub fn guilds_of(&self, shard: ShardKey) -> impl Iterator<Item = GuildId> {
        self.places.get(&Some(shard)).into_iter().flatten().copied()
    }

    /// Whether anybody watches the guild.
    pub fn watches(&self, guild: GuildId) -> bool {
        self.guilds.contains_key(&guild)
    }

    /// Finds every guild its place anew; returns those that have moved.
    pub fn reroute(&mut self, route: impl Fn(GuildId) -> Option<ShardKey>) -> Vec<GuildId> {
        let mut moved = Vec::new();
        for (guild, watched) in &mut self.guilds {
            let place = route(*guild);
            if place != watched.place {
                moved.push((*guild, std::mem::replace(&mut watched.place, place)));
                self.places.entry(place).or_default().insert(*guild);
            }
        }
        for (guild, left) in &moved {
            self.leave_place(*guild, *left);
        }
        moved.into_iter().map(|(guild, _)| guild).collect()
    }

    /// Hands a frame to every viewer of the guild; returns how many there are.
    pub fn publish(&self, guild: GuildId, frame: &Bytes) -> usize {
        let Some(watched) = self.guilds.get(&guild) else { return 0 };
        for (mailbox, slot) in watched.viewers.values() {
            mailbox.put(*slot, frame.clone());
        }
        watched.viewers.len()
    }

    fn leave_place(&mut self, guild: GuildId, place: Option<ShardKey>) {
        if let Some(guilds) = self.places.get_mut(&place) {
            guilds.remove(&guild);
            if guilds.is_empty() {
                self.places.remove(&place);
            }
        }
    }
}

/// What a viewer has yet to be sent: at most one frame per guild, the newest.
#[derive(Debug)]
pub struct Mailbox(Mutex<Letters>);

#[derive(Debug)]
struct Letters {
    frames: Vec<Option<Bytes>>,
    /// The slots that hold a frame, in the order in which they were filled.
    waiting: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Mailbox {
    fn new(slots: usize) -> Self {
        Self(Mutex::new(Letters { frames: vec![None; slots], waiting: VecDeque::new(), waker: None }))
    }

    fn put(&self, slot: usize, frame: Bytes) {
        let waker = {
            let mut letters = self.lock();
            if letters.frames[slot].replace(frame).is_none() {
                letters.waiting.push_back(slot);
            }
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Throws away what waits in the slot, because something newer is about to be sent.
    pub fn discard(&self, slot: usize) {
        let mut letters = self.lock();
        if letters.frames[slot].take().is_some() {
            letters.waiting.retain(|waiting| *waiting != slot);
        }
    }

    /// The next frame and its slot, or a promise to wake the task when there is one.
    pub fn poll_take(&self, context: &Context<'_>) -> Poll<(usize, Bytes)> {
        let mut letters = self.lock();
        let Some(slot) = letters.waiting.pop_front() else {
            letters.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let frame = letters.frames[slot].take().expect("a waiting slot holds a frame");
        Poll::Ready((slot, frame))
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
