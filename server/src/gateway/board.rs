//! What is said of each guild, as its backend said it last.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::hub::{Cause, Hub, Subject};
use crate::liveness::{Monotonic, Now};
use crate::wire::{Facts, Payload, Reason, Revision, State, Template, UnixMillis};

/// How many guilds are remembered that nobody watches, so that who asks for one again and again sees its
/// revision change only with its status.
const REMEMBERED: usize = 10_000;

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
    guilds: HashMap<Subject, Entry>,
    /// Those that were left, and when in the order of that; the first one is forgotten first, unless somebody
    /// has come back to it.
    left: VecDeque<(Subject, u64)>,
    leaving: u64,
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
    /// When it was left; none while it is watched.
    left: Option<u64>,
}

impl Board {
    /// A board with nothing on it.
    pub fn new(clock: Clock, hub: Hub) -> Self {
        let started = clock.now().wall;
        let boot = started.unix_seconds();
        let said = Said { boot, started, seq: 0, guilds: HashMap::new(), left: VecDeque::new(), leaving: 0 };
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

    /// From now on the guild is watched, or is not any more. One that is not may be forgotten.
    pub fn watched(&self, guild: Subject, is_watched: bool) {
        self.lock().watched(guild, is_watched);
    }

    /// What is said of a guild that is watched, or was shortly before.
    pub fn status(&self, guild: Subject) -> Option<(Facts, Template)> {
        let said = self.lock();
        let entry = said.guilds.get(&guild)?;
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
        self.guilds.get(&guild).map_or_else(|| self.of_nobody(), |entry| entry.status.clone())
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
        let known = self.guilds.get(&guild);
        if known.is_some_and(|known| known.asked > asked) {
            return false;
        }
        let has_changed = known.is_none_or(|known| known.payload.differs(&payload));
        self.seq += u64::from(has_changed);
        let since = known.filter(|known| known.payload.has_state_of(&payload)).map_or(now, |known| known.since);
        let seq = known.filter(|_| !has_changed).map_or(self.seq, |known| known.seq);
        let (is_new, left) = (known.is_none(), known.and_then(|known| known.left));
        let status = Template::with(&payload.facts(since, Revision { boot: self.boot, seq }), payload.others());
        self.guilds.insert(guild, Entry { payload, asked, since, seq, status, left });
        if is_new {
            self.watched(guild, false);
        }
        has_changed
    }

    fn watched(&mut self, guild: Subject, is_watched: bool) {
        let Some(entry) = self.guilds.get_mut(&guild) else { return };
        entry.left = None;
        if is_watched {
            return;
        }
        self.leaving += 1;
        entry.left = Some(self.leaving);
        self.left.push_back((guild, self.leaving));
        while self.left.len() > REMEMBERED {
            let (guild, left) = self.left.pop_front().expect("there are many");
            if self.guilds.get(&guild).is_some_and(|entry| entry.left == Some(left)) {
                self.guilds.remove(&guild);
            }
        }
    }
}

impl Entry {
    fn facts(&self, boot: u64) -> Facts {
        self.payload.facts(self.since, Revision { boot, seq: self.seq })
    }
}

#[cfg(test)]
mod tests {
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
    fn guilds_that_nobody_watches_are_forgotten_when_there_are_many_and_numbers_go_on() {
        let (clock, board) = board();
        let say = |id: u64| board.publish(guild(id), payload(r#"{"healthy":true}"#), clock.monotonic(), Cause::Time);
        say(1);
        say(2);
        board.watched(guild(2), true);
        let many = u64::try_from(REMEMBERED).unwrap();
        (3..=many + 2).for_each(say);
        assert!(board.status(guild(1)).is_none() && board.status(guild(3)).is_some());
        assert!(board.status(guild(2)).is_some(), "somebody watches it");
        say(1);
        assert!(facts(&board, 1).revision > facts(&board, many + 2).revision);
        board.watched(guild(2), false);
        (many + 3..=2 * many + 4).for_each(say);
        assert!(board.status(guild(2)).is_none());
        assert!(board.look(|said| said.guilds.len()) <= REMEMBERED && board.look(|said| said.left.len()) <= REMEMBERED);
    }

    #[test]
    fn of_a_guild_that_no_backend_has_spoken_of_nothing_is_known() {
        let (_, board) = board();
        let (_, all) = board.snapshot(&[guild(7)]);
        let json = String::from_utf8(all[0].json(guild(7).guild()).to_vec()).unwrap();
        assert!(json.contains(r#""state":"unknown","reason":"upstream_unreachable""#), "{json}");
    }
}
