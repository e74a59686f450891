//! A guild that somebody watches, and with whose token the upstream can be asked about it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::rights::Right;
use crate::hub::Subject;
use crate::wire::GuildId;

/// A watched guild.
#[derive(Debug)]
pub(super) struct Topic {
    subject: Subject,
    /// The rights of those who are connected now, by the numbers of their tokens.
    members: Mutex<Members>,
    changed: Notify,
}

type Members = BTreeMap<NonZeroU64, Weak<Right>>;

impl Topic {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, members: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn subject(&self) -> Subject {
        self.subject
    }

    pub(super) fn guild(&self) -> GuildId {
        self.subject.guild()
    }

    /// The right of whoever has this number. If nobody has it, somebody joins with a new one.
    pub(super) fn join(&self, number: NonZeroU64, new: impl FnOnce() -> Arc<Right>) -> Arc<Right> {
        let mut members = self.members();
        if let Some(right) = members.get(&number).and_then(Weak::upgrade) {
            return right;
        }
        let right = new();
        members.insert(number, Arc::downgrade(&right));
        drop(members);
        self.changed.notify_waiters();
        right
    }

    /// Whoever has this right has left, or has lost it.
    pub(super) fn leave(&self, number: NonZeroU64, right: *const Right) {
        let mut members = self.members();
        // Another may have taken its place.
        if members.get(&number).is_none_or(|member| member.as_ptr() != right) {
            return;
        }
        members.remove(&number);
        drop(members);
        self.changed.notify_waiters();
    }

    pub(super) fn is_deserted(&self) -> bool {
        self.members().is_empty()
    }

    /// How many different tokens there are.
    pub(super) fn tokens(&self) -> usize {
        self.members().len()
    }

    /// The right of somebody who is there, once there is somebody: of whoever has this number, or else of the next one.
    pub(super) async fn somebody(&self, number: NonZeroU64) -> Arc<Right> {
        self.once(|members| {
            let mut in_turn = members.range(number..).chain(members.range(..number));
            in_turn.find_map(|(_, right)| right.upgrade())
        })
        .await
    }

    /// Waits until whoever has this right has left and somebody else is there.
    pub(super) async fn left_by(&self, number: NonZeroU64, right: &Weak<Right>) {
        let has_left = |members: &Members| members.get(&number).is_none_or(|member| !member.ptr_eq(right));
        self.once(|members| (!members.is_empty() && has_left(members)).then_some(())).await;
    }

    /// Waits until nobody is there.
    pub(super) async fn deserted(&self) {
        self.once(|members| members.is_empty().then_some(())).await;
    }

    /// Waits until there is what is looked for.
    async fn once<T>(&self, find: impl Fn(&Members) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(found) = find(&self.members()) {
                return found;
            }
            changed.await;
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
