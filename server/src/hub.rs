//! Who watches which guild, and what each viewer has yet to be sent.
//!
//! It owns the index shard → guilds → viewers and knows neither HTTP nor liveness: it is told
//! what changed and where guilds are to be found. Nothing is kept per watched guild but its place
//! in the index, and nothing per viewer but the newest frame of each of its guilds: a viewer
//! that does not read costs the others nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

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

    /// Hands a letter to every viewer of the guild; returns how many there are.
    pub fn publish(&self, guild: GuildId, letter: &Letter) -> usize {
        let Some(watched) = self.guilds.get(&guild) else { return 0 };
        for (mailbox, slot) in watched.viewers.values() {
            mailbox.put(*slot, letter.clone());
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

/// Why a status is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A beat or a goodbye, which was received at this time of the monotonic clock.
    Received(Duration),
    /// Time passed.
    Time,
}

impl Cause {
    /// The cause of a frame that stands for one of this cause and for a newer one.
    ///
    /// A viewer has waited since the first change that it was not told of. If the newest counted, a
    /// server would look the quicker the more it has to merge.
    fn and(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::Received(first), Self::Received(_) | Self::Time) => Self::Received(first),
            (Self::Time, newer) => newer,
        }
    }
}

/// A frame on its way to a viewer, and why it is sent.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The bytes, which all viewers of a guild share.
    pub frame: Bytes,
    /// Why.
    pub cause: Cause,
}

/// What a viewer has yet to be sent: at most one frame per guild, the newest.
#[derive(Debug)]
pub struct Mailbox(Mutex<Letters>);

#[derive(Debug)]
struct Letters {
    slots: Vec<Option<Letter>>,
    /// The slots that hold a letter, in the order in which they were filled.
    waiting: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Mailbox {
    fn new(slots: usize) -> Self {
        Self(Mutex::new(Letters { slots: vec![None; slots], waiting: VecDeque::new(), waker: None }))
    }

    fn put(&self, slot: usize, mut letter: Letter) {
        let waker = {
            let mut letters = self.lock();
            match letters.slots[slot].take() {
                Some(older) => letter.cause = older.cause.and(letter.cause),
                None => letters.waiting.push_back(slot),
            }
            letters.slots[slot] = Some(letter);
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Throws away what waits in the slot, because something newer is about to be sent; returns why
    /// that is sent.
    pub fn discard(&self, slot: usize) -> Cause {
        let mut letters = self.lock();
        let Some(letter) = letters.slots[slot].take() else { return Cause::Time };
        letters.waiting.retain(|waiting| *waiting != slot);
        letter.cause
    }

    /// The next letter and its slot, or a promise to wake the task when there is one.
    pub fn poll_take(&self, context: &Context<'_>) -> Poll<(usize, Letter)> {
        let mut letters = self.lock();
        let Some(slot) = letters.waiting.pop_front() else {
            letters.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let letter = letters.slots[slot].take().expect("a waiting slot holds a letter");
        Poll::Ready((slot, letter))
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(frame: &'static str, cause: Cause) -> Letter {
        Letter { frame: frame.into(), cause }
    }

    fn received(at: u64) -> Cause {
        Cause::Received(Duration::from_millis(at))
    }

    #[test]
    fn the_newest_frame_is_sent_and_the_first_receipt_that_it_stands_for_counts() {
        for (causes, expected) in [
            (&[received(1), received(2), received(3)][..], received(1)),
            (&[received(1), Cause::Time], received(1)),
            (&[Cause::Time, received(2), received(3)], received(2)),
            (&[Cause::Time, Cause::Time], Cause::Time),
        ] {
            let (mailbox, context) = (Mailbox::new(2), Context::from_waker(Waker::noop()));
            mailbox.put(1, letter("another guild", received(0)));
            for cause in causes {
                mailbox.put(0, letter("older", *cause));
            }
            mailbox.put(0, letter("newest", Cause::Time));
            let take = || mailbox.poll_take(&context);
            assert!(matches!(take(), Poll::Ready((1, _))));
            let Poll::Ready((0, taken)) = take() else { panic!("one waits") };
            assert_eq!((&taken.frame[..], taken.cause), (&b"newest"[..], expected));
            assert!(take().is_pending(), "each is taken once");
            mailbox.put(0, letter("thrown away", expected));
            assert_eq!((mailbox.discard(0), mailbox.discard(0)), (expected, Cause::Time));
        }
    }
}
