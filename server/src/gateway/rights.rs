//! Who may watch what, for as long as somebody is connected who does.

use std::collections::BTreeMap;
use std::iter;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::bearer::{Bearer, Kept};
use super::fault::Fault;
use super::topic::Topic;
use crate::auth::LEEWAY;
use crate::hub::Subject;
use crate::liveness::Now;
use crate::wire::sse::GoodbyeReason;
use crate::wire::{Code, UnixMillis};

/// The upstream is asked again about everybody who is connected after 60 s, 20 % more or less.
const AGAIN_SECONDS: std::ops::Range<f64> = 48.0..72.0;
/// After an answer that says nothing of the right, it is asked again sooner.
const SOON_SECONDS: std::ops::Range<f64> = 8.0..12.0;
/// How long after its end a token may still be good, as the clocks of two machines differ.
const LATE: Duration = Duration::from_secs(LEEWAY + 1);

/// That one token may watch one guild. All viewers of the guild with this token share it.
#[derive(Debug)]
pub(super) struct Right {
    token: Kept,
    /// Of the token.
    number: NonZeroU64,
    topic: Arc<Topic>,
    over: OnceLock<GoodbyeReason>,
    /// When the upstream is to be asked again, as in `Rights::due`.
    due: AtomicU64,
    rights: Arc<Rights>,
}

/// What a stream needs for as long as it is open: the right to each of its guilds. Nearly all streams are of one guild,
/// and then this takes nothing beside the stream.
#[derive(Debug)]
pub struct Lease {
    right: Arc<Right>,
    others: Option<Box<Lease>>,
}

impl Lease {
    /// All of these, if there are any.
    pub(super) fn of(rights: Vec<Arc<Right>>) -> Option<Self> {
        rights.into_iter().fold(None, |others, right| Some(Self { right, others: others.map(Box::new) }))
    }

    /// Why the stream has to end, if it has to.
    pub fn over(&self) -> Option<GoodbyeReason> {
        let mut all = iter::successors(Some(self), |lease| lease.others.as_deref());
        all.find_map(|lease| lease.right.over.get().copied())
    }
}

/// All rights of those who are connected.
#[derive(Debug)]
pub(super) struct Rights {
    /// Times are counted from here.
    begun: Instant,
    due: Mutex<Due>,
    sooner: Notify,
}

/// When to ask about whom again, in milliseconds. What is due at the same time is told apart by where it is in memory.
type Due = BTreeMap<(u64, usize), Weak<Right>>;

impl Rights {
    pub(super) fn new() -> Self {
        Self { begun: origin(), due: Mutex::default(), sooner: Notify::new() }
    }

    /// The right of this token to watch the guild, which was just found to be good.
    pub(super) fn grant(self: &Arc<Self>, topic: &Arc<Topic>, bearer: &Bearer, now: Now) -> Arc<Right> {
        let mut is_new = false;
        let right = topic.join(bearer.number(), || {
            is_new = true;
            Arc::new(Right {
                token: bearer.keep(),
                number: bearer.number(),
                topic: topic.clone(),
                over: OnceLock::new(),
                due: AtomicU64::new(0),
                rights: self.clone(),
            })
        });
        if is_new {
            self.ask_again(&right, AGAIN_SECONDS, now);
        }
        right
    }

    /// The next right that the upstream has to be asked about.
    pub(super) async fn next(&self) -> Arc<Right> {
        loop {
            let sooner = self.sooner.notified();
            let first = self.due().first_key_value().map(|((at, _), _)| *at);
            let is_due = async {
                match first {
                    Some(at) => sleep_until(self.begun + Duration::from_millis(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sooner => continue,
                () = is_due => {}
            }
            let due = self.due().pop_first();
            // Whoever has left is not asked about.
            if let Some(right) = due.and_then(|(_, right)| right.upgrade()) {
                return right;
            }
        }
    }

    fn ask_again(&self, right: &Arc<Right>, seconds: std::ops::Range<f64>, now: Now) {
        let regular = Duration::from_secs_f64(rand::rng().random_range(seconds));
        let wait = right.ends(now.wall).fold(regular, Duration::min);
        let at = u64::try_from((self.begun.elapsed() + wait).as_millis()).unwrap_or(u64::MAX);
        let mut due = self.due();
        right.due.store(at, Ordering::Relaxed);
        due.insert((at, Arc::as_ptr(right).addr()), Arc::downgrade(right));
        drop(due);
        self.sooner.notify_one();
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Right {
    /// The number of its token.
    pub(super) fn number(&self) -> NonZeroU64 {
        self.number
    }

    pub(super) fn subject(&self) -> Subject {
        self.topic.subject()
    }

    pub(super) fn bearer(&self) -> Bearer {
        self.token.bearer()
    }

    /// Takes what the upstream has answered. Says whether the right has ended by it.
    pub(super) fn judge(self: &Arc<Self>, answer: Result<(), &Fault>, now: Now) -> bool {
        match answer {
            Err(fault) if fault.is_denial() => {
                // Nobody is to join it or to ask with it any more.
                self.topic.leave(self.number, Arc::as_ptr(self));
                self.over.set(self.reason(fault, now.wall)).ok();
                return true;
            }
            Ok(()) => self.rights.ask_again(self, AGAIN_SECONDS, now),
            Err(_) => self.rights.ask_again(self, SOON_SECONDS, now),
        }
        false
    }

    fn reason(&self, fault: &Fault, now: UnixMillis) -> GoodbyeReason {
        let has_ended = self.bearer().until().is_some_and(|until| until <= now);
        if has_ended || fault.problem().code == Code::ExpiredCredential {
            GoodbyeReason::Expired
        } else {
            GoodbyeReason::Revoked
        }
    }

    /// When its token ends, and when even a clock that is late has seen it end, as far as that is yet to come.
    fn ends(&self, now: UnixMillis) -> impl Iterator<Item = Duration> {
        let until = self.bearer().until();
        let ends = until.into_iter().flat_map(|until| [until, until.saturating_add(LATE)]);
        ends.filter_map(move |end| u64::try_from(end.0 - now.0).ok().filter(|left| *left > 0).map(Duration::from_millis))
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        self.rights.due().remove(&(self.due.load(Ordering::Relaxed), (&raw const *self).addr()));
        self.topic.leave(self.number, self);
    }
}

#[expect(clippy::disallowed_methods, reason = "a timer of the runtime goes by the clock of the runtime")]
fn origin() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::clock::Clock;

    fn bearer() -> Bearer {
        Bearer::new("a-token").unwrap()
    }

    /// Rights of one token to so many guilds.
    fn granted(guilds: u64) -> (Clock, Vec<Arc<Right>>) {
        let (clock, rights) = (Clock::by_hand(), Arc::new(Rights::new()));
        let subject = |number: u64| Subject::of_all(number.to_string().parse().unwrap());
        let topics = (1..=guilds).map(|number| Arc::new(Topic::new(subject(number))));
        (clock, topics.map(|topic| rights.grant(&topic, &bearer(), clock.now())).collect())
    }

    #[test]
    fn whichever_right_is_lost_ends_a_stream_of_many_guilds() {
        for lost in 0..3 {
            let (clock, rights) = granted(3);
            let lease = Lease::of(rights.clone()).unwrap();
            assert!(lease.over().is_none());
            let denied = Fault::refused(StatusCode::FORBIDDEN, None, b"");
            assert!(rights[lost].judge(Err(&denied), clock.now()));
            assert!(lease.over().is_some(), "it lost {lost}");
        }
    }

    #[test]
    fn whatever_is_answered_about_a_right_that_is_not_lost_it_is_asked_about_again() {
        let (clock, rights) = granted(1);
        let right = &rights[0];
        for (refusal, seconds) in [
            (None, AGAIN_SECONDS),
            (Some(StatusCode::NOT_FOUND), SOON_SECONDS),
            (Some(StatusCode::TOO_MANY_REQUESTS), SOON_SECONDS),
            (Some(StatusCode::BAD_GATEWAY), SOON_SECONDS),
        ] {
            right.rights.due().clear();
            let fault = refusal.map(|status| Fault::refused(status, None, b""));
            assert!(!right.judge(fault.as_ref().map_or(Ok(()), Err), clock.now()), "{refusal:?}");
            let due = right.rights.due().pop_first().map(|((at, _), _)| Duration::from_millis(at));
            let wait = due.unwrap().as_secs_f64();
            assert!((seconds.start..seconds.end + 1.0).contains(&wait), "{refusal:?}: {wait} s");
        }
    }

    #[test]
    fn one_token_has_one_right_to_a_guild_until_it_is_lost_or_nobody_has_it() {
        let (clock, rights) = granted(1);
        let right = &rights[0];
        let grant = || right.rights.grant(&right.topic, &bearer(), clock.now());
        assert!(Arc::ptr_eq(&grant(), right));
        let denied = Fault::refused(StatusCode::UNAUTHORIZED, None, b"");
        assert!(right.judge(Err(&denied), clock.now()));
        assert!(right.topic.is_deserted());
        let another = grant();
        assert!(!Arc::ptr_eq(&another, right));
        let (topic, all) = (right.topic.clone(), right.rights.clone());
        drop(rights);
        assert!(!topic.is_deserted(), "who left before does not take along who came after");
        drop(another);
        assert!(topic.is_deserted() && all.due().is_empty(), "nothing is left of it");
    }
}
