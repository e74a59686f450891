//! The one thread that writes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::changes::{Changes, State};
use super::database::{Damage, Database, Run};
use super::fault::Fault;
use super::file::Identity;
use super::{Settings, Store};
use crate::liveness::{Monotonic, Now};
use crate::wire::UnixMillis;

/// While changes keep coming, they are written together, this often. An idle writer writes at once.
/// With the time that a write takes, less than 50 ms of the log are at stake when we are killed.
const GROUP: Duration = Duration::from_millis(20);
/// How often it is tried again when nothing could be written.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether the file is still there.
const LOOK: Duration = Duration::from_secs(10);
/// How often old lines are removed, and how long between two writes that do.
const PRUNE: Duration = Duration::from_secs(60 * 60);
const PRUNE_STEP: Duration = Duration::from_millis(100);
/// How far the clock may be set ahead while we run, before we do not trust it with what is old.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes what is handed in to the store.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    store: Arc<Store>,
    /// What the tables hold, or will when they can be written again.
    state: State,
    /// What is not written yet.
    unsaved: Changes,
    /// How many lines were dropped since the store could be written last.
    lost: u64,
    database: Option<Database>,
    /// What the last run left could not be read at the start.
    unread: bool,
    run: Run,
    /// When it began, and how long the machine had slept by then.
    begun: (Monotonic, Duration),
    /// Up to which change it was handed everything.
    given: u64,
    /// When it wrote last, and when it is to do what.
    wrote: Monotonic,
    retry: Monotonic,
    look: Monotonic,
    prune: Monotonic,
    /// Up to which line the log was looked through for what is old.
    pruned: i64,
}

/// What the desk had to do.
struct Order {
    changes: Changes,
    given: u64,
    damage: Option<Damage>,
    stopping: bool,
}

impl Writer {
    pub(super) fn new(settings: Settings, store: Arc<Store>, state: State, run: Run) -> Self {
        let Now { monotonic: now, .. } = settings.clock.now();
        let slept = settings.clock.slept();
        Self {
            settings,
            store,
            state,
            unsaved: Changes::default(),
            lost: 0,
            database: None,
            unread: false,
            run,
            begun: (now, slept),
            given: 0,
            wrote: Monotonic::ZERO,
            retry: now + RETRY,
            look: now + LOOK,
            prune: now + LOOK,
            pruned: 0,
        }
    }

    /// Takes the database over, or what is wrong with it; `unread` if what the last run left in it
    /// could not be read.
    pub(super) fn begin(&mut self, database: Result<Database, Fault>, unread: bool) {
        self.unread = unread;
        self.settings.metrics.store_writable.set(1);
        // The number of the run has to be written before anybody sees it.
        let begun = database.and_then(|mut database| {
            database.begin_run(self.run, self.run.started)?;
            Ok(database)
        });
        match begun {
            Ok(database) => self.database = Some(database),
            Err(fault) => self.degrade(fault),
        }
    }

    /// Writes until [`Store::stop`] is called. Blocks; runs on a thread of its own.
    pub fn run(mut self) {
        loop {
            let order = self.next();
            self.unsaved.merge(order.changes);
            self.given = order.given;
            if let Some(Damage { what, .. }) = order.damage.filter(|damage| self.is_open(damage.file)) {
                self.renew(&what);
            }
            self.write();
            while order.stopping && self.database.is_some() && !self.unsaved.is_empty() {
                self.write();
            }
            self.keep_house();
            if order.stopping {
                self.end();
            }
            let mut desk = self.store.lock();
            desk.unsynced |= self.database.is_some();
            if self.database.is_some() && self.unsaved.is_empty() {
                desk.saved = self.given;
                desk.taken_since = None;
            }
            drop(desk);
            self.store.done.notify_all();
            if order.stopping {
                return;
            }
        }
    }

    fn is_open(&self, file: Identity) -> bool {
        self.database.as_ref().is_some_and(|database| database.identity == file)
    }

    /// Waits until there is something to do: changes to write, or a time that has come.
    fn next(&self) -> Order {
        let mut desk = self.store.lock();
        let saved = self.unsaved.is_empty();
        loop {
            let now = self.settings.clock.now().monotonic;
            let idle = saved && desk.waiting.is_empty() && desk.damage.is_none();
            let due = match (&self.database, idle) {
                (None, _) => self.retry,
                (Some(_), true) => self.look.min(self.prune),
                (Some(_), false) => self.wrote + GROUP,
            };
            if due <= now || desk.stopping || desk.hurry {
                break;
            }
            desk = self.store.work.wait_timeout(desk, due - now).unwrap_or_else(PoisonError::into_inner).0;
        }
        desk.hurry = false;
        let since = desk.waiting_since.take();
        desk.taken_since = desk.taken_since.or(since);
        Order {
            changes: std::mem::take(&mut desk.waiting),
            given: desk.given,
            damage: desk.damage.take(),
            stopping: desk.stopping,
        }
    }

    fn write(&mut self) {
        self.count_lost();
        let mut next = self.unsaved.next();
        next.seen.retain(|(key, time)| self.state.is_news(*key, *time));
        let before = self.state.apply(&next);
        let now = self.settings.clock.now();
        let written = match &mut self.database {
            Some(_) if next.is_empty() => Ok(()),
            Some(database) => database.save(&next, &before),
            None => self.recover(&next, now.wall),
        };
        if let Err(fault) = written {
            self.unsaved.put_back(next.records);
            self.fail(fault);
            return;
        }
        let lines = u64::try_from(next.records.len()).unwrap_or(u64::MAX);
        self.settings.metrics.transitions_logged.inc_by(lines);
        self.wrote = now.monotonic;
    }

    /// Opens the database anew and writes all that is known.
    fn recover(&mut self, next: &Changes, now: UnixMillis) -> Result<(), Fault> {
        let (mut database, left) = Database::open(&self.settings.folder, now)?;
        if self.unread {
            // What could not be read at the start must not be written over: the next run needs it.
            self.state.adopt(left.state);
        }
        database.begin_run(self.run, now)?;
        database.save_all(&self.state, next)?;
        self.database = Some(database);
        self.unread = false;
        self.settings.metrics.store_writable.set(1);
        let lost = std::mem::take(&mut self.lost);
        self.store.lock().fault = None;
        tracing::info!(lost, "the store can be written again; what waited is stored");
        Ok(())
    }

    fn count_lost(&mut self) {
        let lost = std::mem::take(&mut self.unsaved.lost);
        if lost > 0 && self.database.is_some() {
            tracing::warn!(lost, "more happened at once than the log can take; the oldest lines are lost");
        }
        self.settings.metrics.transitions_lost.inc_by(lost);
        self.lost += lost;
    }

    fn fail(&mut self, fault: Fault) {
        if let Fault::Corrupt(what) = &fault {
            self.renew(what);
        }
        self.database = None;
        self.degrade(fault);
    }

    /// The database is damaged: the next try begins a new one.
    fn renew(&mut self, what: &str) {
        let Some(database) = self.database.take() else { return };
        self.retry = Monotonic::ZERO;
        if let Err(fault) = database.renew(what, self.settings.clock.now().wall) {
            self.degrade(fault);
        }
    }

    /// Goes on in memory. Says so once, however often it is tried again.
    fn degrade(&mut self, fault: Fault) {
        self.retry = self.retry.max(self.settings.clock.now().monotonic + RETRY);
        self.settings.metrics.store_writable.set(0);
        let said =
            format!("the store cannot be written: {fault}; beats and streams go on, and what happens waits in memory");
        let before = self.store.lock().fault.replace(fault.clone());
        if before != Some(fault) {
            let folder = self.settings.folder.display();
            tracing::error!(%folder, "{said}");
        }
    }

    /// What is due now and then.
    fn keep_house(&mut self) {
        let now = self.settings.clock.now();
        let Some(database) = &mut self.database else { return };
        let mut kept = Ok(());
        if self.look <= now.monotonic {
            self.look = now.monotonic + LOOK;
            let there = database.is_there().and_then(|()| database.keep_run(self.run, now.wall));
            kept = there.and_then(|()| database.became_shorter(self.run, now.wall)).map(|shorter| {
                if shorter {
                    self.store.suspect();
                }
            });
        }
        if kept.is_ok() && self.prune <= now.monotonic {
            kept = self.prune(now);
        }
        if let Err(fault) = kept {
            self.fail(fault);
        }
    }

    /// Removes some of what is old.
    fn prune(&mut self, now: Now) -> Result<(), Fault> {
        let Some(database) = &mut self.database else { return Ok(()) };
        self.prune = now.monotonic + PRUNE;
        // The time that passed by the wall clock and by the one that nobody sets.
        let (begun, slept) = self.begun;
        let passed = now.monotonic.saturating_sub(begun) + self.settings.clock.slept().saturating_sub(slept);
        let possible = self.run.started.saturating_add(passed + AHEAD);
        if now.wall > possible {
            tracing::warn!("the clock has jumped ahead; no line of the log is taken for old until the next start");
            return Ok(());
        }
        let retention = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
        let older_than = UnixMillis(now.wall.0.saturating_sub(retention));
        match database.prune(self.pruned, older_than, now.wall)? {
            Some(last) => (self.pruned, self.prune) = (last, now.monotonic + PRUNE_STEP),
            None => {
                self.pruned = 0;
                database.prune_runs(older_than, self.run)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        let now = self.settings.clock.now().wall;
        let ended = self.database.as_mut().map_or(Ok(()), |database| database.end_run(self.run, now));
        if let Err(fault) = ended {
            self.degrade(fault);
        }
    }
}
