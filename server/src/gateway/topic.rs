//! A guild that somebody watches, and with whose token the upstream can be asked about it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::Bearer;
use crate::hub::Subject;
use crate::wire::GuildId;

/// How long the upstream is listened to after the last viewer has left.
const LINGER: Duration = Duration::from_secs(30);

/// A watched guild.
#[derive(Debug)]
pub(super) struct Topic {
    subject: Subject,
    /// The tokens of those who are connected now, in the order in which they came.
    members: Mutex<BTreeMap<u64, Bearer>>,
    changed: Notify,
}

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

    pub(super) fn join(&self, number: u64, bearer: &Bearer) {
        self.members().insert(number, bearer.clone());
        self.changed.notify_waiters();
    }

    pub(super) fn leave(&self, number: u64) {
        let left = self.members().remove(&number);
        drop(left);
        self.changed.notify_waiters();
    }

    pub(super) fn is_deserted(&self) -> bool {
        self.members().is_empty()
    }

    /// The token of whoever has been there for longest, once there is somebody.
    pub(super) async fn bearer(&self) -> (u64, Bearer) {
        self.once(|members| members.first_key_value().map(|(number, bearer)| (*number, bearer.clone()))).await
    }

    /// Waits until this one has left and somebody else is there.
    pub(super) async fn left_by(&self, number: u64) {
        self.once(|members| (!members.is_empty() && !members.contains_key(&number)).then_some(())).await;
    }

    /// Waits until nobody has been there for a while.
    pub(super) async fn deserted(&self) {
        loop {
            self.once(|members| members.is_empty().then_some(())).await;
            let somebody = self.once(|members| (!members.is_empty()).then_some(()));
            if timeout(LINGER, somebody).await.is_err() {
                return;
            }
        }
    }

    /// Waits until there is what is looked for.
    async fn once<T>(&self, find: impl Fn(&BTreeMap<u64, Bearer>) -> Option<T>) -> T {
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

    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Bearer>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
