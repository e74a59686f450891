//! The file: opening it, bringing its tables up to date, setting it aside, writing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags, TransactionBehavior, params};

use super::changes::{Changes, State};
use super::fault::Fault;
use super::file::{self, Identity, identity, length, path, refuse_cut, set_aside, sibling};
use super::rows;
use crate::liveness::StoredShard;
use crate::wire::UnixMillis;

/// Reading changes neither the file nor the log beside it.
const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY;
const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE;
/// How long we wait for somebody else's write before we go on without the store.
const PATIENCE: Duration = Duration::from_millis(250);
/// Each step brings the tables from one version to the next; `PRAGMA user_version` counts them.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
/// How large the log beside the database may become before its pages are moved into the database,
/// and before the writer stops to do that itself (in pages of 4 KiB), because under an endless load
/// nobody else comes to an end with it.
const LARGE_LOG_BYTES: u64 = 4 * 1024 * 1024;
const CHECKPOINT_PAGES: u32 = 4096;
/// How far a time may be ahead of the clock before it is taken for one of a clock that was.
const A_DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many rows of the log one write removes, so that none takes long.
const PRUNED_ROWS: i64 = 2000;

/// A run of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) boot: u64,
    pub(super) started: UnixMillis,
}

/// What the last run left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) state: State,
    /// The number of that run.
    pub(super) boot: u64,
}

/// An open database, which nobody else writes.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// The file that was opened.
    pub(super) identity: Identity,
    /// How long it was when it was last looked at.
    length: u64,
    /// The lock of the folder, held until this is dropped.
    _lock: File,
}

impl Database {
    /// Opens the database of the folder, or begins one. A corrupt one is set aside first.
    ///
    /// Returns what the last run left in it.
    pub(super) fn open(folder: &Path, now: UnixMillis) -> Result<(Self, Left), Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = file::lock(folder)?;
        let path = path(folder);
        let (connection, left) = match refuse_cut(&path).and_then(|()| connect(&path)) {
            Err(Fault::Corrupt(what)) => {
                set_aside(&path, &what, now)?;
                connect(&path)?
            }
            result => result?,
        };
        let (identity, length) = (identity(&path)?, length(&path));
        Ok((Self { connection, path, identity, length, _lock: lock }, left))
    }

    /// Gives the file another name and begins a new one. What was in it is lost to this server, but
    /// not to the operator.
    pub(super) fn renew(self, what: &str, now: UnixMillis) -> Result<(), Fault> {
        drop(self.connection);
        set_aside(&self.path, what, now)
    }

    /// Notes that a run of the server began.
    pub(super) fn begin_run(&mut self, run: Run, now: UnixMillis) -> Result<(), Fault> {
        let sql = "REPLACE INTO run (boot, started_ms, alive_ms) VALUES (?, ?, ?)";
        self.connection.execute(sql, params![run.boot, run.started.0, now.0])?;
        Ok(())
    }

    /// Notes that the run goes on.
    pub(super) fn keep_run(&mut self, run: Run, now: UnixMillis) -> Result<(), Fault> {
        self.connection.execute("UPDATE run SET alive_ms = ? WHERE boot = ?", params![now.0, run.boot])?;
        Ok(())
    }

    /// Notes that the run ended as it should.
    pub(super) fn end_run(&mut self, run: Run, now: UnixMillis) -> Result<(), Fault> {
        self.connection.execute("UPDATE run SET alive_ms = ?1, ended_ms = ?1 WHERE boot = ?2", params![now.0, run.boot])?;
        Ok(())
    }

    /// Writes the changes, all or nothing; `before` holds their shards as they were.
    pub(super) fn save(&mut self, changes: &Changes, before: &[Option<StoredShard>]) -> Result<(), Fault> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for record in &changes.records {
            rows::write_record(&tx, record)?;
        }
        for (shard, before) in changes.shards.values().zip(before) {
            rows::write_shard(&tx, before.as_ref(), shard)?;
        }
        rows::write_seen(&tx, &changes.seen)?;
        if let Some(generations) = &changes.generations {
            rows::write_generations(&tx, generations)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Writes everything that is known, and the lines that wait.
    pub(super) fn save_all(&mut self, state: &State, changes: &Changes) -> Result<(), Fault> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows::write_all(&tx, state)?;
        for record in &changes.records {
            rows::write_record(&tx, record)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Removes what is older of the next lines behind the line `after`; returns the last of those
    /// that it looked at, if there may be more of them.
    pub(super) fn prune(&mut self, after: i64, older_than: UnixMillis, now: UnixMillis) -> Result<Option<i64>, Fault> {
        let first = self.connection.query_row("SELECT min(id) FROM transition WHERE id > ?", [after], |row| row.get(0))?;
        let Some(first): Option<i64> = first else { return Ok(None) };
        let last = first + PRUNED_ROWS - 1;
        let sql = "DELETE FROM transition WHERE id BETWEEN ? AND ? AND at_ms < ?";
        let pruned = self.connection.execute(sql, params![first, last, older_than.0])?;
        // Lines stand in the order of their times, so behind one that is young there is none that is
        // old; unless it is of a time when the clock was ahead.
        let sql = "SELECT EXISTS (SELECT 1 FROM transition WHERE id BETWEEN ? AND ? AND at_ms > ?)";
        let ahead: bool = self.connection.query_row(sql, params![first, last, now.0 + A_DAY_MS], |row| row.get(0))?;
        self.vacuum()?;
        Ok((pruned > 0 || ahead).then_some(last))
    }

    /// Forgets the starts of the server that were over long ago.
    pub(super) fn prune_runs(&mut self, older_than: UnixMillis, run: Run) -> Result<(), Fault> {
        self.connection.execute("DELETE FROM run WHERE alive_ms < ? AND boot <> ?", params![older_than.0, run.boot])?;
        Ok(())
    }

    /// Gives some of what is free in the file back to the disk.
    fn vacuum(&mut self) -> Result<(), Fault> {
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum(500)")?;
        let mut steps = vacuum.query(())?;
        while steps.next()?.is_some() {}
        Ok(())
    }

    /// Fails if the path no longer names the file that is open.
    pub(super) fn is_there(&self) -> Result<(), Fault> {
        let here = identity(&self.path).is_ok_and(|identity| identity == self.identity);
        if here { Ok(()) } else { Err(Fault::Gone) }
    }

    /// Fails if what others find in the file is not what was written into it: somebody has cut it or
    /// its log short, which SQLite does not notice as long as it remembers the pages. `alive` is
    /// what [`keep_run`](Self::keep_run) wrote last.
    ///
    /// Returns whether it became shorter since it was last asked, by our own removal of old lines or
    /// by somebody who cut less of it.
    pub(super) fn became_shorter(&mut self, run: Run, alive: UnixMillis) -> Result<bool, Fault> {
        refuse_cut(&self.path)?;
        let length = length(&self.path);
        match found_by_others(&self.path, run) {
            Ok(found) if found == alive.0 => Ok(length < std::mem::replace(&mut self.length, length)),
            Ok(_) => Err(Fault::Corrupt("it does not hold what was written last".into())),
            // Whoever cannot open the file, as when no descriptors are left, has found nothing. To let
            // go of the open one for that would be to lose it.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads what can be read of a database that cannot be opened as it should, so that a full disk or
/// a foreign lock at the start does not cost what is known.
pub(super) fn peek(folder: &Path) -> Result<Left, Fault> {
    let path = path(folder);
    if !path.exists() {
        return Ok(Left::default());
    }
    let log = length(&sibling(&path, "-wal"));
    // Without a log beside it nobody is writing, and the file alone is the whole database; then it
    // can be read in a folder where SQLite may not make its own files.
    let immutable = if log == 0 { "?immutable=1" } else { "" };
    let uri = url::Url::from_file_path(fs::canonicalize(&path)?).map_err(|()| Fault::Other("no path".into()))?;
    read(&open(format!("{uri}{immutable}"), READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?)
}

/// Copies the database into a new file, while a server may be writing it.
pub(super) fn copy(folder: &Path, to: &Path) -> Result<(), Fault> {
    let connection = open(path(folder), READ_WRITE)?;
    // Made here, because SQLite would let others read it.
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(to)?;
    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])?;
    Ok(())
}

/// What is wrong with a file.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) what: String,
    pub(super) file: Identity,
}

/// Looks through a whole database for damage. `begins` is given what stops it, and says whether to
/// begin at all.
pub(super) fn check(folder: &Path, begins: impl FnOnce(InterruptHandle) -> bool) -> Result<Option<Damage>, Fault> {
    let path = path(folder);
    let file = identity(&path)?;
    let connection = open(&path, READ_ONLY)?;
    if !begins(connection.get_interrupt_handle()) {
        return Ok(None);
    }
    match find_damage(&connection) {
        Err(Fault::Corrupt(what)) => Ok(Some(Damage { what, file })),
        result => result.map(|()| None),
    }
}

/// Sees to it that a power cut takes nothing away that was written until now, and that the log
/// beside the database does not grow for ever.
pub(super) fn sync(folder: &Path) -> Result<(), Fault> {
    let path = path(folder);
    let log = sibling(&path, "-wal");
    File::open(&log)?.sync_data()?;
    if length(&log) > LARGE_LOG_BYTES {
        open(path, READ_WRITE)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?;
    }
    Ok(())
}

/// Opens a database that is there.
fn open(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// When the run was said to be alive last, as it stands in the file.
fn found_by_others(path: &Path, run: Run) -> rusqlite::Result<i64> {
    open(path, READ_ONLY)?.query_row("SELECT alive_ms FROM run WHERE boot = ?", [run.boot], |row| row.get(0))
}

fn find_damage(connection: &Connection) -> Result<(), Fault> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Fault::Corrupt(said)) }
}

fn read(connection: &Connection) -> Result<Left, Fault> {
    let boot = connection.query_row("SELECT coalesce(max(boot), 0) FROM run", (), |row| row.get(0))?;
    // Beyond this, JavaScript cannot tell one number from the next.
    if boot >= 1 << 53 {
        return Err(Fault::Corrupt(format!("{boot} is no number of a run")));
    }
    Ok(Left { state: rows::read_all(connection)?, boot })
}

fn connect(path: &Path) -> Result<(Connection, Left), Fault> {
    file::begin(path)?;
    refuse_newer(path)?;
    let mut connection = open(path, READ_WRITE)?;
    // The first of these has to come before the first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::Other(format!("the file system cannot hold a database in WAL mode, only in {mode} mode")));
    }
    // No write waits for the disk: `sync` sees to it that what was written gets there.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LARGE_LOG_BYTES)?;
    migrate(&mut connection)?;
    // What cannot be read is as good as garbage; better to know it now.
    let left = read(&connection)?;
    Ok((connection, left))
}

/// Fails if a newer version has written the file, before anything is written into it: the other
/// pragmas do, and so does closing what could be written.
fn refuse_newer(path: &Path) -> Result<(), Fault> {
    let known = u32::try_from(MIGRATIONS.len()).expect("there are a few");
    let found = version(&open(path, READ_ONLY)?)?;
    if found > known { Err(Fault::Newer { found, known }) } else { Ok(()) }
}

fn version(connection: &Connection) -> Result<u32, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let found = version(connection)?;
    for (step, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).expect("a version fits")) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", step)?;
        tx.commit()?;
    }
    Ok(())
}
