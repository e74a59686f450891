//! What the reactors have yet to look at.
//!
//! The monitor says here which shards and guilds have changed, and the reactors come to see how.
//! What they are told is only that there is something to see: state is read when it is sent, so of
//! several changes that a reactor could not keep up with, the newest counts. So nothing waits here
//! but names, each once: at most as many as there can be shards and exceptions.

use std::collections::{HashMap, HashSet};
use std::io;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::{Poll, Token, Waker};

use crate::liveness::Transition;
use crate::wire::{GuildId, ShardKey};

/// What a [`Poll`] says when there is something new in its inbox.
pub const NEWS: Token = Token(usize::MAX);

/// What is watched: a guild, as all see it or as one alone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    guild: GuildId,
    /// Who sees it so; 0 for all.
    whose: u64,
}

impl Subject {
    /// The guild as all see it.
    pub fn of_all(guild: GuildId) -> Self {
        Self { guild, whose: 0 }
    }

    /// The guild as somebody alone sees it, who has this number.
    pub fn of_one(guild: GuildId, whose: NonZeroU64) -> Self {
        Self { guild, whose: whose.get() }
    }

    /// The guild.
    pub fn guild(self) -> GuildId {
        self.guild
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
    #[must_use]
    pub fn and(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::Received(first), Self::Received(_) | Self::Time) => Self::Received(first),
            (Self::Time, newer) => newer,
        }
    }
}

/// What has changed, and why, since a reactor looked last.
#[derive(Debug, Default)]
pub struct News {
    /// The shards whose status changed.
    pub shards: HashMap<ShardKey, Cause>,
    /// The guilds of which something changed that is said of them alone.
    pub guilds: HashMap<Subject, Cause>,
    /// Guilds may use other shards than before.
    pub routing: Option<Cause>,
    /// The guilds of which a viewer may have lost the right to watch them.
    pub withdrawn: HashSet<Subject>,
}

impl News {
    fn note(&mut self, transition: &Transition, cause: Cause) {
        let merge = |known: &mut Cause| *known = known.and(cause);
        match transition {
            Transition::Shard(key) => drop(self.shards.entry(*key).and_modify(merge).or_insert(cause)),
            Transition::Guild(guild) => self.note_one(Subject::of_all(*guild), cause),
            Transition::Routing => self.routing = Some(self.routing.map_or(cause, |known| known.and(cause))),
        }
    }

    fn note_one(&mut self, subject: Subject, cause: Cause) {
        self.guilds.entry(subject).and_modify(|known| *known = known.and(cause)).or_insert(cause);
    }
}

/// Where one reactor finds what is new.
#[derive(Debug)]
pub struct Inbox {
    news: Mutex<News>,
    waker: Waker,
    /// Whether the reactor was woken and has not looked since; one wake is enough for all.
    woken: AtomicBool,
}

impl Inbox {
    /// The inbox of the reactor that waits on this poll.
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptor for it.
    pub fn new(poll: &Poll) -> io::Result<Self> {
        let waker = Waker::new(poll.registry(), NEWS)?;
        Ok(Self { news: Mutex::default(), waker, woken: AtomicBool::new(false) })
    }

    /// Wakes the reactor, unless somebody has and it did not look yet.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            // It looks at the latest when the next status is due.
            tracing::warn!(%error, "cannot wake a reactor");
        }
    }

    /// The reactor is about to look: whoever puts something here from now on has to wake it again.
    pub fn looking(&self) {
        self.woken.store(false, Ordering::SeqCst);
    }

    /// What has changed. Must be called under the lock of the monitor, so that it is of the same
    /// moment as what the monitor says of it.
    pub fn take(&self) -> News {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The inboxes of all reactors.
#[derive(Debug)]
pub struct Hub {
    inboxes: Vec<Arc<Inbox>>,
    /// Whether something was noted of which the reactors were not told.
    noted: AtomicBool,
}

impl Hub {
    /// Tells these reactors.
    pub fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        Self { inboxes, noted: AtomicBool::new(false) }
    }

    /// Notes changes for every reactor. Must be called under the lock of the monitor.
    pub fn note(&self, transitions: &[Transition], cause: Cause) {
        for inbox in &self.inboxes {
            let mut news = inbox.lock();
            transitions.iter().for_each(|transition| news.note(transition, cause));
        }
        self.noted.fetch_or(!transitions.is_empty(), Ordering::SeqCst);
    }

    /// Notes a change of what is said of one guild. Must be called under the lock of what the reactors read.
    pub fn note_one(&self, subject: Subject, cause: Cause) {
        for inbox in &self.inboxes {
            inbox.lock().note_one(subject, cause);
        }
        self.noted.store(true, Ordering::SeqCst);
    }

    /// Notes that a viewer of the guild may have lost the right to watch it.
    pub fn withdraw(&self, subject: Subject) {
        for inbox in &self.inboxes {
            inbox.lock().withdrawn.insert(subject);
        }
        self.noted.store(true, Ordering::SeqCst);
    }

    /// Wakes the reactors to look at what was noted, if anything was. Whoever notes has to do this
    /// afterwards; without the lock of the monitor, they need not wait for it.
    pub fn wake(&self) {
        if self.noted.swap(false, Ordering::SeqCst) {
            self.inboxes.iter().for_each(|inbox| inbox.wake());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(at: u64) -> Cause {
        Cause::Received(Duration::from_millis(at))
    }

    fn shard(id: u32) -> Transition {
        Transition::Shard(ShardKey { id, count: 4 })
    }

    #[test]
    fn however_often_something_changes_it_waits_once_with_its_first_cause() {
        let poll = Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(&poll).unwrap());
        let hub = Hub::new(vec![inbox.clone()]);
        let guild = Transition::Guild(GuildId::new(7).unwrap());
        hub.note(&[shard(1)], Cause::Time);
        for round in 1..10_000 {
            hub.note(&[shard(1), guild.clone(), Transition::Routing, shard(2)], received(round));
        }
        let News { shards, guilds, routing, withdrawn } = inbox.take();
        let key = |id| ShardKey { id, count: 4 };
        assert_eq!(shards, HashMap::from([(key(1), received(1)), (key(2), received(1))]));
        assert!(withdrawn.is_empty());
        assert_eq!(
            (guilds.len(), guilds[&Subject::of_all(GuildId::new(7).unwrap())], routing),
            (1, received(1), Some(received(1)))
        );
        let nothing = inbox.take();
        assert!(nothing.shards.is_empty() && nothing.guilds.is_empty() && nothing.routing.is_none());
    }

    #[test]
    fn the_first_receipt_that_a_status_stands_for_counts() {
        for (causes, expected) in [
            (&[received(1), received(2), received(3)][..], received(1)),
            (&[received(1), Cause::Time], received(1)),
            (&[Cause::Time, received(2), received(3)], received(2)),
            (&[Cause::Time, Cause::Time], Cause::Time),
        ] {
            assert_eq!(causes.iter().copied().reduce(Cause::and), Some(expected));
        }
    }

    #[test]
    fn a_reactor_is_woken_once_until_it_looks() {
        let mut poll = Poll::new().unwrap();
        let inbox = Inbox::new(&poll).unwrap();
        let mut events = mio::Events::with_capacity(8);
        let mut wakes = |inbox: &Inbox| {
            (0..3).for_each(|_| inbox.wake());
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().filter(|event| event.token() == NEWS).count()
        };
        assert_eq!([wakes(&inbox), wakes(&inbox)], [1, 0]);
        inbox.looking();
        assert_eq!(wakes(&inbox), 1);
    }
}
