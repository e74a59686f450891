//! What is said of each guild, as its backend said it last.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use crate::clock::Clock;
use crate::hub::{Cause, Hub, Subject};
use crate::liveness::{Monotonic, Now};
use crate::wire::{Facts, Payload, Reason, Revision, State, Template, UnixMillis};

/// How much memory may take what is remembered of guilds that nobody watches, in bytes. It is remembered so that who
/// asks for one again and again sees its revision change only with its status.
const MEMORY: u64 = 32 << 20;
/// What a guild takes besides its words, rather more than less.
const ENTRY_BYTES: u64 = 512;

/// The newest status of each guild. A change is noted for the reactors under the lock that holds it, as
/// the monitor does it.
#[derive(Debug)]
pub struct Board {
    clock: Clock,
    hub: Hub,
    said: Mutex<Said>,
}

/// What is said at one moment.
#[derive(Debug)]
pub struct Said {
    boot: u64,
    started: UnixMillis,
    /// The number of the newest change.
    seq: u64,
    /// Of those that are watched.
    watched: HashMap<Subject, Entry>,
    /// Of those that are not.
    remembered: Cache<Subject, Entry, Size>,
}

#[derive(Debug)]
struct Entry {
    payload: Payload,
    /// When it was asked for.
    asked: Monotonic,
    /// Since when the bot is so, as far as we have seen.
    since: UnixMillis,
    seq: u64,
    status: Template,
}

/// How many bytes an entry takes.
#[derive(Debug, Clone)]
struct Size;

impl Weighter<Subject, Entry> for Size {
    fn weight(&self, _: &Subject, entry: &Entry) -> u64 {
        // Its words stand in the payload and in the status.
        ENTRY_BYTES + 2 * entry.status.size() as u64
    }
}

impl Board {
    /// A board with nothing on it.
    pub fn new(clock: Clock, hub: Hub) -> Self {
        let started = clock.now().wall;
        let boot = started.unix_seconds();
        let most = usize::try_from(MEMORY / (2 * ENTRY_BYTES)).expect("it is small");
        let remembered = Cache::with_weighter(most, MEMORY, Size);
        let said = Said { boot, started, seq: 0, watched: HashMap::new(), remembered };
        Self { clock, hub, said: Mutex::new(said) }
    }

    /// The clock by which is told what is newer.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The first half of all revisions.
    pub fn boot(&self) -> u64 {
        self.lock().boot
    }

    /// Takes what a backend says of a guild, and was asked for at that time. What was asked for before
    /// what is known is dropped.
    pub fn publish(&self, guild: Subject, payload: Payload, asked: Monotonic, cause: Cause) {
        let mut said = self.lock();
        let has_changed = said.take(guild, payload, asked, self.clock.now().wall);
        if has_changed {
            self.hub.note_one(guild, cause);
        }
        drop(said);
        self.hub.wake();
    }

    /// Takes what a backend says of a guild that nobody watches. Of one that is watched, whoever follows it knows more.
    pub fn offer(&self, guild: Subject, payload: Payload, asked: Monotonic) {
        let mut said = self.lock();
        if !said.watched.contains_key(&guild) {
            said.take(guild, payload, asked, self.clock.now().wall);
        }
    }

    /// From now on the guild is watched. Returns what was said of it last, if that is known.
    pub fn watch(&self, guild: Subject) -> Option<Payload> {
        let mut said = self.lock();
        if let Some((guild, entry)) = said.remembered.remove(&guild) {
            said.watched.insert(guild, entry);
        }
        said.watched.get(&guild).map(|entry| entry.payload.clone())
    }

    /// From now on the guild is not watched, and may be forgotten.
    pub fn leave(&self, guild: Subject) {
        let mut said = self.lock();
        if let Some(entry) = said.watched.remove(&guild) {
            said.remembered.insert(guild, entry);
        }
    }

    /// Whether something is said of the guild.
    pub fn knows(&self, guild: Subject) -> bool {
        self.lock().entry(guild).is_some()
    }

    /// What is said of a guild that is watched, or was shortly before.
    pub fn status(&self, guild: Subject) -> Option<(Facts, Template)> {
        let said = self.lock();
        let entry = said.entry(guild)?;
        Some((entry.facts(said.boot), entry.status.clone()))
    }

    /// What is said of each of these guilds at one moment, and when that was.
    pub fn snapshot(&self, guilds: &[Subject]) -> (Now, Vec<Template>) {
        let said = self.lock();
        (self.clock.now(), guilds.iter().map(|guild| said.of(*guild)).collect())
    }

    /// Looks at all that is said at one moment.
    pub fn look<T>(&self, at: impl FnOnce(&Said) -> T) -> T {
        at(&self.lock())
    }

    /// The viewers of these guilds may have lost their right to them.
    pub fn withdraw(&self, guild: Subject) {
        let said = self.lock();
        self.hub.withdraw(guild);
        drop(said);
        self.hub.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    /// What is said of the guild.
    pub fn of(&self, guild: Subject) -> Template {
        self.entry(guild).map_or_else(|| self.of_nobody(), |entry| entry.status.clone())
    }

    /// What is said of a guild of which no backend has said anything.
    pub fn of_nobody(&self) -> Template {
        Template::new(&Facts {
            healthy: false,
            state: State::Unknown,
            reason: Some(Reason::UpstreamUnreachable),
            last_heartbeat: None,
            version: None,
            since: self.started,
            expected_back: None,
            shard: None,
            revision: Revision { boot: self.boot, seq: 0 },
        })
    }

    /// Says whether it is a change.
    fn take(&mut self, guild: Subject, payload: Payload, asked: Monotonic, now: UnixMillis) -> bool {
        let known = self.entry(guild);
        if known.is_some_and(|known| known.asked > asked) {
            return false;
        }
        let has_changed = known.is_none_or(|known| known.payload.differs(&payload));
        let newest = self.seq + u64::from(has_changed);
        let since = known.filter(|known| known.payload.has_state_of(&payload)).map_or(now, |known| known.since);
        let seq = known.filter(|_| !has_changed).map_or(newest, |known| known.seq);
        let status = Template::with(&payload.facts(since, Revision { boot: self.boot, seq }), payload.others());
        let entry = Entry { payload, asked, since, seq, status };
        self.seq = newest;
        match self.watched.get_mut(&guild) {
            Some(watched) => *watched = entry,
            None => self.remembered.insert(guild, entry),
        }
        has_changed
    }

    fn entry(&self, guild: Subject) -> Option<&Entry> {
        self.watched.get(&guild).or_else(|| self.remembered.get(&guild))
    }
}

impl Entry {
    fn facts(&self, boot: u64) -> Facts {
        self.payload.facts(self.since, Revision { boot, seq: self.seq })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    use super::*;
    use crate::wire::{GuildId, Pointers};

    fn guild(id: u64) -> Subject {
        Subject::of_all(GuildId::new(id).unwrap())
    }

    fn payload(json: &str) -> Payload {
        Payload::read(json.as_bytes(), guild(1).guild(), &Pointers::default()).unwrap()
    }

    fn board() -> (Clock, Board) {
        let clock = Clock::by_hand();
        (clock, Board::new(clock, Hub::new(vec![])))
    }

    fn facts(board: &Board, id: u64) -> Facts {
        board.status(guild(id)).unwrap().0
    }

    #[test]
    fn a_fresh_heartbeat_is_shown_and_is_no_change() {
        let (clock, board) = board();
        let say = |json: &str| {
            clock.pass(Duration::from_secs(1));
            board.publish(guild(1), payload(json), clock.monotonic(), Cause::Time);
            facts(&board, 1)
        };
        let first = say(r#"{"healthy":true,"lastHeartbeat":"2026-11-22T20:07:00Z"}"#);
        let fresh = say(r#"{"healthy":true,"lastHeartbeat":"2026-11-22T20:07:02Z"}"#);
        assert_eq!((fresh.revision, fresh.since), (first.revision, first.since));
        assert!(fresh.last_heartbeat > first.last_heartbeat);
        let version = say(r#"{"healthy":true,"version":"2"}"#);
        assert_eq!((version.revision.seq, version.since), (first.revision.seq + 1, first.since), "it is as it was");
        let down = say(r#"{"healthy":false}"#);
        assert!(down.revision > version.revision && down.since > version.since);
        assert_eq!(say(r#"{"healthy":false,"since":"2026-11-20T08:00:00Z"}"#).since.to_string(), "2026-11-20T08:00:00.000Z");
    }

    #[test]
    fn what_was_asked_for_earlier_than_what_is_known_is_dropped() {
        let (clock, board) = board();
        let early = clock.monotonic();
        clock.pass(Duration::from_secs(1));
        board.publish(guild(1), payload(r#"{"healthy":false}"#), clock.monotonic(), Cause::Time);
        board.publish(guild(1), payload(r#"{"healthy":true}"#), early, Cause::Time);
        assert!(!facts(&board, 1).healthy);
    }

    #[test]
    fn what_somebody_was_told_who_asked_counts_while_nobody_watches() {
        let (clock, board) = board();
        let offer = |json: &str| {
            clock.pass(Duration::from_secs(1));
            board.offer(guild(1), payload(json), clock.monotonic());
            facts(&board, 1).healthy
        };
        assert!(!board.knows(guild(1)) && board.watch(guild(1)).is_none());
        assert!(offer(r#"{"healthy":true}"#) && board.knows(guild(1)));
        assert!(!offer(r#"{"healthy":false}"#));
        assert_eq!(board.watch(guild(1)), Some(payload(r#"{"healthy":false}"#)));
        assert!(!offer(r#"{"healthy":true}"#), "who follows it knows more");
        board.leave(guild(1));
        assert!(offer(r#"{"healthy":true}"#));
    }

    #[test]
    fn guilds_that_nobody_watches_are_forgotten_when_they_take_much_memory_and_numbers_go_on() {
        let (clock, board) = board();
        let long = format!(r#"{{"healthy":true,"version":"{0}","words":"{0}"}}"#, "x".repeat(30_000));
        let say = |id: u64| board.publish(guild(id), payload(&long), clock.monotonic(), Cause::Time);
        let known = |ids: RangeInclusive<u64>| ids.filter(|id| board.knows(guild(*id))).count() as u64;
        say(1);
        board.watch(guild(1));
        (2..=600).for_each(say);
        assert!(board.knows(guild(1)), "somebody watches it");
        let most = MEMORY / 120_000;
        assert!((most - 50..=most).contains(&known(2..=600)), "{} of {most}", known(2..=600));
        let newest = facts(&board, 600).revision;
        say(601);
        assert!(facts(&board, 601).revision > newest);
        board.leave(guild(1));
        (602..=1000).for_each(say);
        assert!(!board.knows(guild(1)));

        // Short ones are many.
        let say = |id: u64| board.publish(guild(id), payload(r#"{"healthy":true}"#), clock.monotonic(), Cause::Time);
        (1..=50_000).for_each(say);
        assert!((40_000..50_000).contains(&known(1..=50_000)), "{}", known(1..=50_000));
        assert!(board.look(|said| said.remembered.weight()) <= MEMORY);
    }

    #[test]
    fn of_a_guild_that_no_backend_has_spoken_of_nothing_is_known() {
        let (_, board) = board();
        let (_, all) = board.snapshot(&[guild(7)]);
        let json = String::from_utf8(all[0].json(guild(7).guild()).to_vec()).unwrap();
        assert!(json.contains(r#""state":"unknown","reason":"upstream_unreachable""#), "{json}");
    }
}
