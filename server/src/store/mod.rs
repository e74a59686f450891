//! The store: the log of transitions, and what the next run of the server goes on from.
//!
//! It is written behind everything else: a transition is published first and stored then. Nothing
//! that goes wrong here may stop beats or streams: what cannot be written waits in memory, within
//! bounds, until it can.

mod changes;
mod database;
mod fault;
mod file;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::InterruptHandle;

use crate::clock::Clock;
use crate::liveness::{Monotonic, Stored};
use crate::metrics::{Metrics, StoreState};

pub use changes::{Changes, Record};
use database::{Damage, Database, Left, Run};
pub use fault::Fault;
pub use file::path;
pub use writer::Writer;

/// How often it is made sure that what was written has reached the disk.
const SYNC: Duration = Duration::from_secs(1);

/// The store as those who fill it see it. Never blocks and never fails.
#[derive(Default)]
pub struct Store {
    desk: Mutex<Desk>,
    /// There is something to do for the writer.
    work: Condvar,
    /// The writer has done something.
    done: Condvar,
    /// There is something to do for the one who tends the database.
    tend: Condvar,
}

#[derive(Default)]
struct Desk {
    waiting: Changes,
    /// Why nothing can be written, while nothing can.
    fault: Option<Fault>,
    /// How many changes were handed in, and up to which they are written.
    given: u64,
    saved: u64,
    /// When the oldest of what waits came about, and of what the writer has taken and not written.
    waiting_since: Option<Monotonic>,
    taken_since: Option<Monotonic>,
    /// Somebody waits for everything to be written.
    hurry: bool,
    stopping: bool,
    /// There may be damage, so that the whole database is to be looked through.
    suspicious: bool,
    /// Something was written since the disk was last synced.
    unsynced: bool,
    /// What a check of the whole database has found.
    damage: Option<Damage>,
    /// Ends the check.
    check: Option<InterruptHandle>,
}

/// Where and how to store.
#[derive(Debug)]
pub struct Settings {
    /// The data folder.
    pub folder: PathBuf,
    /// How long lines of the log are kept.
    pub retention: Duration,
    /// The clock of the server.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// A store that was opened for a run of the server.
#[derive(Debug)]
pub struct Opened {
    /// Takes changes in.
    pub store: Arc<Store>,
    /// Writes them.
    pub writer: Writer,
    /// The number of this run: greater than that of every run before it.
    pub boot: u64,
    /// What the last run left.
    pub stored: Stored,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("fault", &self.fault()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in the folder. Whatever is wrong with it, there is a store: one that keeps
    /// what it can in memory and says why.
    ///
    /// # Errors
    ///
    /// [`Fault::Newer`]: to go on would be to lose what a newer version has written.
    pub fn open(settings: Settings) -> Result<Opened, Fault> {
        let started = settings.clock.now().wall;
        let (left, database) = match Database::open(&settings.folder, started) {
            Ok((database, left)) => (Ok(left), Ok(database)),
            Err(fault @ Fault::Newer { .. }) => return Err(fault),
            Err(fault) => (database::peek(&settings.folder), Err(fault)),
        };
        let unread = left.as_ref().err().map(ToString::to_string);
        if let Some(fault) = &unread {
            tracing::error!("what the last run left cannot be read now, so shards are unknown until they beat: {fault}");
        }
        let Left { state, boot: last } = left.unwrap_or_default();
        let boot = started.unix_seconds().max(last + 1);
        let store = Arc::new(Self::default());
        let stored = state.stored();
        let mut writer = Writer::new(settings, store.clone(), state, Run { boot, started });
        writer.begin(database, unread.is_some());
        Ok(Opened { store, writer, boot, stored })
    }

    /// Takes changes in that came about now, to be written soon.
    pub fn put(&self, changes: Changes, now: Monotonic) {
        let mut desk = self.lock();
        if !changes.is_empty() {
            desk.waiting_since.get_or_insert(now);
        }
        desk.given += 1;
        desk.waiting.merge(changes);
        self.work.notify_one();
    }

    /// Why nothing can be written now, if so.
    pub fn fault(&self) -> Option<Fault> {
        self.lock().fault.clone()
    }

    /// What becomes of what is handed in now.
    pub fn state(&self) -> StoreState {
        self.fault().as_ref().map_or(StoreState::Written, StoreState::from)
    }

    /// How old the oldest change is that is not written yet. While a backlog is written in several
    /// goes, it is as old as it was at the first.
    pub fn lag(&self, now: Monotonic) -> Duration {
        let desk = self.lock();
        desk.taken_since.or(desk.waiting_since).map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Waits until everything that was handed in is written, but no longer than this.
    pub fn flush(&self, patience: Duration) {
        let mut desk = self.lock();
        let given = desk.given;
        desk.hurry = true;
        self.work.notify_one();
        let unsaved = |desk: &mut Desk| desk.saved < given && desk.fault.is_none();
        let waited = self.done.wait_timeout_while(desk, patience, unsaved);
        waited.unwrap_or_else(PoisonError::into_inner).0.hurry = false;
    }

    /// Lets the writer write what waits and end.
    pub fn stop(&self) {
        let mut desk = self.lock();
        desk.stopping = true;
        if let Some(check) = desk.check.take() {
            check.interrupt();
        }
        self.work.notify_one();
        self.tend.notify_one();
    }

    /// Does what may take long and must not hold up the writer: looks through the whole database for
    /// damage, at first and when it is suspected, and sees to it every second that what was written
    /// reaches the disk. Blocks until [`stop`](Self::stop) is called; runs on a thread of its own.
    pub fn tend(&self, folder: &Path) {
        self.lock().suspicious = true;
        loop {
            let idle = |desk: &mut Desk| !desk.stopping && !desk.suspicious;
            let waited = self.tend.wait_timeout_while(self.lock(), SYNC, idle);
            let mut desk = waited.unwrap_or_else(PoisonError::into_inner).0;
            if desk.stopping {
                return;
            }
            let (suspicious, unsynced) = (std::mem::take(&mut desk.suspicious), std::mem::take(&mut desk.unsynced));
            drop(desk);
            if suspicious {
                self.check(folder);
            }
            // What is wrong here is wrong for the writer, too, which says so.
            if unsynced && let Err(fault) = database::sync(folder) {
                tracing::debug!("the database could not be synced: {fault}");
            }
        }
    }

    /// Has the whole database looked through.
    fn suspect(&self) {
        self.lock().suspicious = true;
        self.tend.notify_one();
    }

    fn check(&self, folder: &Path) {
        let checked = database::check(folder, |handle| {
            let mut desk = self.lock();
            desk.check = Some(handle);
            !desk.stopping
        });
        let mut desk = self.lock();
        desk.check = None;
        // A check that could not be made found nothing; the writer will see what is wrong.
        if let Ok(Some(damage)) = checked {
            desk.damage = Some(damage);
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies the database of the folder into a new file, while a server may be using it.
///
/// # Errors
///
/// When there is no database, or the file cannot be written.
pub fn backup(folder: &Path, to: &Path) -> Result<(), Fault> {
    database::copy(folder, to)
}
