//! Who may watch what, for as long as somebody is connected who does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Bearer;
use super::fault::Fault;
use super::topic::Topic;
use crate::auth::LEEWAY;
use crate::hub::Subject;
use crate::liveness::Now;
use crate::wire::sse::GoodbyeReason;
use crate::wire::{Code, GuildId, UnixMillis};

/// The upstream is asked again about everybody who is connected after 60 s, 20 % more or less.
const AGAIN_SECONDS: std::ops::Range<f64> = 48.0..72.0;
/// After an answer that says nothing of the right, it is asked again sooner.
const SOON_SECONDS: std::ops::Range<f64> = 8.0..12.0;
/// How long after its end a token may still be good, as the clocks of two machines differ.
const LATE: Duration = Duration::from_secs(LEEWAY + 1);

/// That one token may watch one guild. All viewers of the guild with this token share it.
#[derive(Debug)]
pub(super) struct Right {
    number: u64,
    guild: GuildId,
    bearer: Bearer,
    topic: Arc<Topic>,
    over: OnceLock<GoodbyeReason>,
    /// When the upstream is to be asked again, if it is.
    due: Mutex<Option<Instant>>,
    rights: Arc<Rights>,
}

/// What a stream needs for as long as it is open: the right to each of its guilds.
#[derive(Debug)]
pub struct Lease(Box<[Arc<Right>]>);

impl Lease {
    pub(super) fn new(rights: Vec<Arc<Right>>) -> Self {
        Self(rights.into())
    }

    /// Why the stream has to end, if it has to.
    pub fn over(&self) -> Option<GoodbyeReason> {
        self.0.iter().find_map(|right| right.over.get().copied())
    }
}

/// All rights of those who are connected.
#[derive(Debug, Default)]
pub(super) struct Rights {
    table: Mutex<Table>,
    /// When to ask about whom again.
    due: Mutex<BTreeMap<(Instant, u64), Weak<Right>>>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Table {
    number: u64,
    known: HashMap<([u8; 32], GuildId), (u64, Weak<Right>)>,
}

impl Rights {
    /// The right of this token to watch the guild, which was just found to be good.
    pub(super) fn grant(self: &Arc<Self>, topic: &Arc<Topic>, bearer: &Bearer, now: Now) -> Arc<Right> {
        let key = (bearer.hash(), topic.guild());
        let known = self.table().known.get(&key).map(|(_, right)| right.clone());
        if let Some(right) = known.and_then(|right| right.upgrade()).filter(|right| right.over.get().is_none()) {
            return right;
        }
        let mut table = self.table();
        table.number += 1;
        let right = Arc::new(Right {
            number: table.number,
            guild: topic.guild(),
            bearer: bearer.clone(),
            topic: topic.clone(),
            over: OnceLock::new(),
            due: Mutex::default(),
            rights: self.clone(),
        });
        table.known.insert(key, (right.number, Arc::downgrade(&right)));
        drop(table);
        topic.join(right.number, bearer);
        self.ask_again(&right, AGAIN_SECONDS, now);
        right
    }

    /// The next right that the upstream has to be asked about.
    pub(super) async fn next(&self) -> Arc<Right> {
        loop {
            let sooner = self.sooner.notified();
            let first = self.due().first_key_value().map(|((at, _), _)| *at);
            let is_due = async {
                match first {
                    Some(at) => sleep_until(at).await,
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

    /// The right with this number, if somebody has it.
    pub(super) fn find(&self, guild: GuildId, number: u64, bearer: &Bearer) -> Option<Arc<Right>> {
        let known = self.table().known.get(&(bearer.hash(), guild)).cloned();
        known.filter(|(known, _)| *known == number).and_then(|(_, right)| right.upgrade())
    }

    fn ask_again(&self, right: &Arc<Right>, seconds: std::ops::Range<f64>, now: Now) {
        let regular = Duration::from_secs_f64(rand::rng().random_range(seconds));
        let wait = right.ends(now.wall).fold(regular, Duration::min);
        let at = instant_in(wait);
        *right.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        self.due().insert((at, right.number), Arc::downgrade(right));
        self.sooner.notify_one();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Weak<Right>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Right {
    pub(super) fn guild(&self) -> GuildId {
        self.guild
    }

    pub(super) fn subject(&self) -> Subject {
        self.topic.subject()
    }

    pub(super) fn bearer(&self) -> &Bearer {
        &self.bearer
    }

    /// Takes what the upstream has answered. Says whether the right has ended by it.
    pub(super) fn judge(self: &Arc<Self>, answer: Result<(), &Fault>, now: Now) -> bool {
        match answer {
            Err(fault) if fault.is_denial() => {
                self.over.set(self.reason(fault, now.wall)).ok();
                // Nobody is to ask with it any more.
                self.topic.leave(self.number);
                return true;
            }
            Ok(()) => self.rights.ask_again(self, AGAIN_SECONDS, now),
            Err(_) => self.rights.ask_again(self, SOON_SECONDS, now),
        }
        false
    }

    fn reason(&self, fault: &Fault, now: UnixMillis) -> GoodbyeReason {
        let has_ended = self.bearer.until().is_some_and(|until| until <= now);
        if has_ended || fault.problem().code == Code::ExpiredCredential {
            GoodbyeReason::Expired
        } else {
            GoodbyeReason::Revoked
        }
    }

    /// When its token ends, and when even a clock that is late has seen it end, as far as that is yet to come.
    fn ends(&self, now: UnixMillis) -> impl Iterator<Item = Duration> {
        let until = self.bearer.until();
        let ends = until.into_iter().flat_map(|until| [until, until.saturating_add(LATE)]);
        ends.filter_map(move |end| u64::try_from(end.0 - now.0).ok().filter(|left| *left > 0).map(Duration::from_millis))
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        let mut table = self.rights.table();
        let key = (self.bearer.hash(), self.guild);
        // Another may have taken its place.
        if table.known.get(&key).is_some_and(|(number, _)| *number == self.number) {
            table.known.remove(&key);
        }
        drop(table);
        if let Some(at) = self.due.get_mut().unwrap_or_else(PoisonError::into_inner) {
            self.rights.due().remove(&(*at, self.number));
        }
        self.topic.leave(self.number);
    }
}

#[expect(clippy::disallowed_methods, reason = "a timer of the runtime goes by the clock of the runtime")]
fn instant_in(wait: Duration) -> Instant {
    Instant::now() + wait
}
