//! How long what a backend has said counts, once it says nothing any more.

use std::time::Duration;

use super::Board;
use crate::hub::{Cause, Subject};
use crate::liveness::Monotonic;
use crate::wire::Payload;

/// From then on nobody knows how the bot is. It has to be seen within 10 s.
const UNKNOWN: Duration = Duration::from_millis(9_500);
/// From then on the bot does not count as working.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// What is known of a guild, and since when it has not been confirmed.
#[derive(Debug)]
pub(super) struct Standing {
    guild: Subject,
    /// What the backend said last.
    known: Payload,
    /// When it said something last.
    heard: Monotonic,
    lost: Option<Lost>,
}

/// The backend says nothing.
#[derive(Debug, Clone, Copy)]
struct Lost {
    since: Monotonic,
    said: Said,
}

/// What viewers were told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Unknown,
    GivenUp,
}

impl Standing {
    pub(super) fn new(guild: Subject, known: Payload, now: Monotonic) -> Self {
        Self { guild, known, heard: now, lost: None }
    }

    /// The backend has said something, after it was asked at that time.
    pub(super) fn heard(&mut self, payload: Payload, asked: Monotonic, now: Monotonic, board: &Board) {
        self.known = payload.clone();
        self.heard = now;
        board.publish(self.guild, payload, asked, Cause::Received(now));
        self.lost = None;
    }

    /// From now on nobody says that what is known is still so.
    pub(super) fn lost(&mut self, now: Monotonic) {
        self.lost.get_or_insert(Lost { since: now, said: Said::Nothing });
    }

    /// The backend has not answered, and may have been lost since it was heard last. However long that took,
    /// nobody knows is said before it is given up.
    pub(super) fn unanswered(&mut self, now: Monotonic) {
        self.lost(self.heard.max(now.saturating_sub(UNKNOWN)));
    }

    /// Whether viewers were told that nobody knows.
    pub(super) fn is_told(&self) -> bool {
        self.lost.is_some_and(|lost| lost.said != Said::Nothing)
    }

    /// When viewers have to be told more of it.
    pub(super) fn due(&self) -> Option<Monotonic> {
        let Lost { since, said } = self.lost?;
        match said {
            Said::Nothing => Some(since + UNKNOWN),
            Said::Unknown => Some(since + GIVEN_UP),
            Said::GivenUp => None,
        }
    }

    /// Tells viewers what this moment means.
    pub(super) fn pass(&mut self, now: Monotonic, board: &Board) {
        let Some(lost) = &mut self.lost else { return };
        let (said, healthy) =
            if lost.since + GIVEN_UP <= now { (Said::GivenUp, false) } else { (Said::Unknown, self.known.is_healthy()) };
        if lost.since + UNKNOWN <= now && lost.said != said {
            lost.said = said;
            // Whatever is asked now was asked after the last answer, and is newer than this.
            board.publish(self.guild, self.known.out_of_reach(healthy), self.heard, Cause::Time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::hub::Hub;
    use crate::wire::{Pointers, State};

    struct Scene {
        clock: Clock,
        board: Board,
        standing: Standing,
    }

    fn guild() -> Subject {
        Subject::of_all("81384788765712384".parse().unwrap())
    }

    fn payload(json: &str) -> Payload {
        Payload::read(json.as_bytes(), guild().guild(), &Pointers::default()).unwrap()
    }

    impl Scene {
        fn start() -> Self {
            let clock = Clock::by_hand();
            let board = Board::new(clock, Hub::new(vec![]));
            let known = payload(r#"{"healthy":true,"version":"1.4.2","bot_healthy":true}"#);
            board.publish(guild(), known.clone(), clock.monotonic(), Cause::Time);
            Self { clock, standing: Standing::new(guild(), known, clock.monotonic()), board }
        }

        /// Lets time pass, and everything be told that is due.
        fn pass(&mut self, time: Duration) {
            let end = self.clock.monotonic() + time;
            while let Some(due) = self.standing.due().filter(|due| *due <= end) {
                self.clock.pass(due.saturating_sub(self.clock.monotonic()));
                self.standing.pass(self.clock.monotonic(), &self.board);
            }
            self.clock.pass(end.saturating_sub(self.clock.monotonic()));
        }

        fn said(&self) -> (State, bool) {
            let (facts, _) = self.board.status(guild()).unwrap();
            (facts.state, facts.healthy)
        }
    }

    #[test]
    fn what_is_not_confirmed_is_unknown_within_10_s_and_not_healthy_after_a_minute() {
        let mut scene = Scene::start();
        scene.pass(Duration::from_secs(3600));
        assert_eq!(scene.said(), (State::Online, true), "nothing is lost, however long nothing was said");
        scene.standing.lost(scene.clock.monotonic());
        for (seconds, expected) in [
            (9, (State::Online, true)),
            (1, (State::Unknown, true)),
            (49, (State::Unknown, true)),
            (1, (State::Unknown, false)),
            (3600, (State::Unknown, false)),
        ] {
            scene.pass(Duration::from_secs(seconds));
            assert_eq!(scene.said(), expected, "after {seconds} s more");
        }
        assert_eq!(scene.standing.due(), None);
    }

    #[test]
    fn a_second_loss_does_not_begin_anew() {
        let mut scene = Scene::start();
        scene.standing.lost(scene.clock.monotonic());
        scene.pass(Duration::from_secs(8));
        scene.standing.lost(scene.clock.monotonic());
        scene.pass(Duration::from_secs(2));
        assert_eq!(scene.said(), (State::Unknown, true));
    }

    #[test]
    fn who_is_late_to_look_tells_the_last_of_it_only() {
        let mut scene = Scene::start();
        let numbers = |scene: &Scene| scene.board.status(guild()).unwrap().0.revision.seq;
        let before = numbers(&scene);
        scene.standing.lost(scene.clock.monotonic());
        scene.clock.pass(Duration::from_secs(100));
        scene.standing.pass(scene.clock.monotonic(), &scene.board);
        assert_eq!((scene.said(), numbers(&scene)), ((State::Unknown, false), before + 1));
    }

    #[test]
    fn what_was_heard_long_ago_is_unknown_at_once_when_a_question_fails_and_is_not_given_up() {
        let mut scene = Scene::start();
        scene.pass(Duration::from_secs(5));
        scene.standing.unanswered(scene.clock.monotonic());
        scene.pass(Duration::from_secs(4));
        assert_eq!(scene.said(), (State::Online, true));
        scene.pass(Duration::from_secs(1));
        assert_eq!(scene.said(), (State::Unknown, true), "it counts from when it was heard");

        let mut scene = Scene::start();
        scene.pass(Duration::from_secs(300));
        scene.standing.unanswered(scene.clock.monotonic());
        scene.pass(Duration::from_secs(1));
        assert_eq!(scene.said(), (State::Unknown, true));
        scene.pass(Duration::from_secs(60));
        assert_eq!(scene.said(), (State::Unknown, false));
    }

    #[test]
    fn what_is_heard_again_counts_at_once() {
        let mut scene = Scene::start();
        let known = payload(r#"{"healthy":true,"version":"1.4.2","bot_healthy":true}"#);
        scene.standing.lost(scene.clock.monotonic());
        scene.pass(Duration::from_secs(20));
        let before = scene.board.status(guild()).unwrap().0.revision.seq;
        let now = scene.clock.monotonic();
        scene.standing.heard(known, now, now, &scene.board);
        let (facts, _) = scene.board.status(guild()).unwrap();
        assert_eq!((facts.state, facts.revision.seq), (State::Online, before + 1), "it never goes back");
        assert_eq!(scene.standing.due(), None);
    }
}
