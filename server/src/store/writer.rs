//! The one thread that writes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::changes::{Changes, State};
use super::database::{Database, Run};
use super::fault::Fault;
use super::{Desk, Settings, Store};
use crate::liveness::Monotonic;
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
    run: Run,
    /// When it wrote last, and when it is to do what.
    wrote: Monotonic,
    retry: Monotonic,
    look: Monotonic,
    prune: Monotonic,
}

/// What the desk had to do.
struct Order {
    changes: Changes,
    given: u64,
    damage: Option<Fault>,
    stopping: bool,
}

impl Writer {
    pub(super) fn new(
        settings: Settings,
        store: Arc<Store>,
        state: State,
        run: Run,
        database: Result<Database, Fault>,
    ) -> Self {
        let now = settings.clock.now().monotonic;
        settings.metrics.store_writable.set(1);
        let mut writer = Self {
            settings,
            store,
            state,
            unsaved: Changes::default(),
            lost: 0,
            database: None,
            run,
            wrote: Monotonic::ZERO,
            retry: now + RETRY,
            look: now + LOOK,
            prune: now + LOOK,
        };
        // The number of the run has to be written before anybody sees it.
        let begun = database.and_then(|mut database| {
            database.begin_run(run, run.started)?;
            Ok(database)
        });
        match begun {
            Ok(database) => writer.database = Some(database),
            Err(fault) => writer.degrade(fault),
        }
        writer
    }

    /// Writes until [`Store::stop`] is called. Blocks; runs on a thread of its own.
    pub fn run(mut self) {
        loop {
            let order = self.next();
            self.unsaved.merge(order.changes);
            self.count_lost();
            if let Some(Fault::Corrupt(what)) = order.damage {
                self.renew(&what);
            }
            self.write();
            self.keep_house();
            if order.stopping {
                self.end();
            }
            let mut desk = self.store.lock();
            if self.database.is_some() {
                desk.saved = order.given;
            }
            drop(desk);
            self.store.done.notify_all();
            if order.stopping {
                return;
            }
        }
    }

    /// Waits until there is something to do: changes to write, or a time that has come.
    fn next(&self) -> Order {
        let mut desk = self.store.lock();
        let idle = |desk: &Desk| desk.waiting.is_empty() && desk.damage.is_none() && !desk.stopping && !desk.hurry;
        loop {
            let now = self.settings.clock.now().monotonic;
            let due = if self.database.is_none() {
                self.retry
            } else if idle(&desk) {
                self.look.min(self.prune)
            } else {
                self.wrote + GROUP
            };
            if due <= now || desk.stopping || desk.hurry {
                break;
            }
            desk = self.store.work.wait_timeout(desk, due - now).unwrap_or_else(PoisonError::into_inner).0;
        }
        desk.hurry = false;
        Order {
            changes: std::mem::take(&mut desk.waiting),
            given: desk.given,
            damage: desk.damage.take(),
            stopping: desk.stopping,
        }
    }

    fn write(&mut self) {
        let before = self.state.apply(&self.unsaved);
        let now = self.settings.clock.now();
        let written = match &mut self.database {
            Some(_) if self.unsaved.is_empty() => Ok(()),
            Some(database) => database.save(&self.unsaved, &before),
            None => self.recover(now.wall),
        };
        match written {
            Ok(()) => {
                self.settings
                    .metrics
                    .transitions_logged
                    .inc_by(u64::try_from(self.unsaved.records.len()).unwrap_or(u64::MAX));
                self.unsaved = Changes::default();
                self.wrote = now.monotonic;
            }
            Err(fault) => self.fail(fault),
        }
    }

    /// Opens the database anew and writes all that is known.
    fn recover(&mut self, now: UnixMillis) -> Result<(), Fault> {
        let mut database = Database::open(&self.settings.folder, now)?;
        database.begin_run(self.run, now)?;
        database.save_all(&self.state, &self.unsaved)?;
        self.database = Some(database);
        self.settings.metrics.store_writable.set(1);
        let lost = std::mem::take(&mut self.lost);
        tracing::info!(lost, "the store can be written again; what waited is stored");
        self.store.lock().fault = None;
        Ok(())
    }

    fn count_lost(&mut self) {
        let lost = std::mem::take(&mut self.unsaved.lost);
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
        let mut desk = self.store.lock();
        if desk.fault.as_ref() != Some(&fault) {
            let folder = self.settings.folder.display();
            tracing::error!(%folder, "the store cannot be written: {fault}; beats and streams go on, and what happens waits in memory");
        }
        desk.fault = Some(fault);
    }

    /// What is due now and then.
    fn keep_house(&mut self) {
        let now = self.settings.clock.now();
        let Some(database) = &mut self.database else { return };
        let mut kept = Ok(());
        if self.look <= now.monotonic {
            self.look = now.monotonic + LOOK;
            let there = database.is_there().and_then(|()| database.keep_run(self.run, now.wall));
            kept = there.and_then(|()| database.is_whole(self.run, now.wall));
        }
        if kept.is_ok() && self.prune <= now.monotonic {
            let retention = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
            let pruned = database.prune(UnixMillis(now.wall.0.saturating_sub(retention)));
            let more = pruned.as_ref().is_ok_and(|more| *more);
            self.prune = now.monotonic + if more { PRUNE_STEP } else { PRUNE };
            kept = pruned.map(drop);
        }
        if let Err(fault) = kept {
            self.fail(fault);
        }
    }

    fn end(&mut self) {
        let now = self.settings.clock.now().wall;
        let ended = self.database.as_mut().map_or(Ok(()), |database| database.end_run(self.run, now));
        if let Err(fault) = ended {
            self.degrade(fault);
        }
    }
}
