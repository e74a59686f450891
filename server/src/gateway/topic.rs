//! A guild that somebody watches, and with whose token the upstream can be asked about it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::rights::Right;
use crate::hub::Subject;
use crate::wire::GuildId;

/// How long a stream of the upstream is kept after the last viewer has left.
const LINGER: Duration = Duration::from_secs(30);

/// A watched guild.
#[derive(Debug)]
pub(super) struct Topic {
    subject: Subject,
    audience: Mutex<Audience>,
    changed: Notify,
}

/// Those who are connected now.
#[derive(Debug, Default)]
struct Audience {
    /// Their rights, by the numbers of their tokens.
    members: BTreeMap<NonZeroU64, Weak<Right>>,
    /// Whether a token is waited for, so that nothing is heard of the guild.
    is_awaited: bool,
}

impl Topic {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, audience: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn subject(&self) -> Subject {
        self.subject
    }

    pub(super) fn guild(&self) -> GuildId {
        self.subject.guild()
    }

    /// The right of whoever has this number. If nobody has it, somebody joins with a new one.
    pub(super) fn join(&self, number: NonZeroU64, new: impl FnOnce() -> Arc<Right>) -> Arc<Right> {
        let mut audience = self.audience();
        if let Some(right) = audience.members.get(&number).and_then(Weak::upgrade) {
            return right;
        }
        let right = new();
        audience.members.insert(number, Arc::downgrade(&right));
        drop(audience);
        self.changed.notify_waiters();
        right
    }

    /// Whoever has this right has left, or has lost it.
    pub(super) fn leave(&self, number: NonZeroU64, right: *const Right) {
        let mut audience = self.audience();
        // Another may have taken its place.
        if audience.members.get(&number).is_none_or(|member| member.as_ptr() != right) {
            return;
        }
        audience.members.remove(&number);
        drop(audience);
        self.changed.notify_waiters();
    }

    pub(super) fn is_deserted(&self) -> bool {
        self.audience().members.is_empty()
    }

    /// How many different tokens there are.
    pub(super) fn tokens(&self) -> usize {
        self.audience().members.len()
    }

    /// The right of somebody who is there, once there is somebody: of whoever has this number, or else of the next one.
    pub(super) async fn somebody(&self, number: NonZeroU64) -> Arc<Right> {
        let in_turn = |audience: &mut Audience| {
            let Audience { members, is_awaited } = audience;
            let mut in_turn = members.range(number..).chain(members.range(..number));
            let right = in_turn.find_map(|(_, right)| right.upgrade());
            *is_awaited = right.is_none();
            right
        };
        if let Some(right) = in_turn(&mut self.audience()) {
            return right;
        }
        self.changed.notify_waiters();
        self.once(in_turn).await
    }

    /// Waits until whoever has this right has left and somebody else is there.
    pub(super) async fn left_by(&self, number: NonZeroU64, right: &Weak<Right>) {
        self.once(|Audience { members, .. }| {
            let has_left = members.get(&number).is_none_or(|member| !member.ptr_eq(right));
            (!members.is_empty() && has_left).then_some(())
        })
        .await;
    }

    /// Waits until nobody is there and nothing is heard of the guild, or nobody has been there for a while.
    pub(super) async fn deserted(&self) {
        loop {
            self.once(|audience| audience.members.is_empty().then_some(())).await;
            // What is known of it grows old.
            let next = self.once(|audience| (!audience.members.is_empty() || audience.is_awaited).then_some(()));
            if timeout(LINGER, next).await.is_err() || self.is_deserted() {
                return;
            }
        }
    }

    /// Waits until there is what is looked for.
    async fn once<T>(&self, find: impl Fn(&mut Audience) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(found) = find(&mut self.audience()) {
                return found;
            }
            changed.await;
        }
    }

    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
