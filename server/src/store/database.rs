//! The file: opening it, bringing its tables up to date, setting it aside, writing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::changes::{Changes, State};
use super::fault::Fault;
use super::rows;
use crate::liveness::StoredShard;
use crate::wire::UnixMillis;

/// The name of the file in the data folder.
const NAME: &str = "guildpulse.db";
/// Whoever holds the lock of this file has the data folder.
const LOCK: &str = "guildpulse.lock";
/// How long we wait for somebody else's write before we go on without the store.
const PATIENCE: Duration = Duration::from_millis(250);
/// Each step brings the tables from one version to the next; `PRAGMA user_version` counts them.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
/// A file that is shorter than this has lost what SQLite writes first.
const LEAST_BYTES: u64 = 512;
/// How many rows of the log one write removes, so that none takes long.
const PRUNED_ROWS: i64 = 2000;

/// The path of the database in a data folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// A run of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) boot: u64,
    pub(super) started: UnixMillis,
}

/// An open database, which nobody else writes.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// The file that was opened: device and inode.
    identity: (u64, u64),
    /// How long it was when it was last looked at.
    length: u64,
    /// The lock of the folder, held until this is dropped.
    _lock: File,
}

impl Database {
    /// Opens the database of the folder, or begins one. A corrupt one is set aside first.
    pub(super) fn open(folder: &Path, now: UnixMillis) -> Result<Self, Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = lock(folder)?;
        let path = path(folder);
        let connection = match refuse_cut(&path).and_then(|()| connect(&path)) {
            Err(Fault::Corrupt(what)) => {
                set_aside(&path, &what, now)?;
                connect(&path)?
            }
            result => result?,
        };
        let identity = identity(&path)?;
        Ok(Self { connection, path, identity, length: 0, _lock: lock })
    }

    /// Gives the file another name and begins a new one. What was in it is lost to this server, but
    /// not to the operator.
    pub(super) fn renew(self, what: &str, now: UnixMillis) -> Result<(), Fault> {
        drop(self.connection);
        set_aside(&self.path, what, now)
    }

    /// What the last run left, and the number of that run.
    pub(super) fn read(&self) -> Result<(State, u64), Fault> {
        read(&self.connection)
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

    /// Removes some of what is older; true if there may be more of it.
    pub(super) fn prune(&mut self, older_than: UnixMillis) -> Result<bool, Fault> {
        // Lines are written in the order of their times, so that the old ones are the first.
        let sql = "DELETE FROM transition WHERE at_ms < ?1
                   AND id < (SELECT coalesce(min(id), 0) FROM transition) + ?2";
        let pruned = self.connection.execute(sql, params![older_than.0, PRUNED_ROWS])?;
        self.connection.execute("DELETE FROM run WHERE alive_ms < ?", [older_than.0])?;
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum(500)")?;
        let mut steps = vacuum.query(())?;
        while steps.next()?.is_some() {}
        Ok(pruned > 0)
    }

    /// Fails if the path no longer names the file that is open.
    pub(super) fn is_there(&self) -> Result<(), Fault> {
        let here = identity(&self.path).is_ok_and(|identity| identity == self.identity);
        if here { Ok(()) } else { Err(Fault::Gone) }
    }

    /// Fails if what others find in the file is not what was written into it: somebody has cut it or
    /// its log short, which SQLite does not notice as long as it remembers the pages. `alive` is
    /// what [`keep_run`](Self::keep_run) wrote last.
    pub(super) fn is_whole(&mut self, run: Run, alive: UnixMillis) -> Result<(), Fault> {
        refuse_cut(&self.path)?;
        let length = length(&self.path);
        let connection = look(&self.path)?;
        let sql = "SELECT alive_ms FROM run WHERE boot = ?";
        let found: i64 = connection.query_row(sql, [run.boot], |row| row.get(0))?;
        if found != alive.0 {
            return Err(Fault::Corrupt("it does not hold what was written last".into()));
        }
        // It becomes shorter by our own removal of old lines, too, which does not happen often.
        if length < std::mem::replace(&mut self.length, length) { find_damage(&connection) } else { Ok(()) }
    }
}

/// Reads what can be read of a database that cannot be opened as it should, so that a full disk or
/// a foreign lock at the start does not cost what is known.
pub(super) fn peek(folder: &Path) -> Result<(State, u64), Fault> {
    let path = path(folder);
    let log = length(&sibling(&path, "-wal"));
    // Without a log beside it nobody is writing, and the file alone is the whole database; then it
    // can be read in a folder where SQLite may not make its own files.
    let immutable = if log == 0 { "?immutable=1" } else { "" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = url::Url::from_file_path(fs::canonicalize(&path)?).map_err(|()| Fault::Other("no path".into()))?;
    let connection = Connection::open_with_flags(format!("{uri}{immutable}"), flags)?;
    connection.busy_timeout(PATIENCE)?;
    read(&connection)
}

/// Copies the database into a new file, while a server may be writing it.
pub(super) fn copy(folder: &Path, to: &Path) -> Result<(), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path(folder), flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Made here, because SQLite would let others read it.
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(to)?;
    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])?;
    Ok(())
}

/// Looks through a whole database for damage. `started` is given what stops it.
pub(super) fn check(folder: &Path, started: impl FnOnce(rusqlite::InterruptHandle)) -> Result<(), Fault> {
    let connection = look(&path(folder))?;
    started(connection.get_interrupt_handle());
    find_damage(&connection)
}

/// Opens the database in a way that changes neither the file nor the log beside it.
fn look(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn find_damage(connection: &Connection) -> Result<(), Fault> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Fault::Corrupt(said)) }
}

fn read(connection: &Connection) -> Result<(State, u64), Fault> {
    let boot = connection.query_row("SELECT coalesce(max(boot), 0) FROM run", (), |row| row.get(0))?;
    // Beyond this, JavaScript cannot tell one number from the next.
    if boot >= 1 << 53 {
        return Err(Fault::Corrupt(format!("{boot} is no number of a run")));
    }
    Ok((rows::read_all(connection)?, boot))
}

/// Fails if so little is left of the file that SQLite would take it for a new one, and throw away
/// the log beside it. An empty file without a log is what a full disk leaves of a first start, and a
/// log without a file is what is left when somebody took the database away.
fn refuse_cut(path: &Path) -> Result<(), Fault> {
    let (left, log) = (length(path), length(&sibling(path, "-wal")));
    if path.exists() && left < LEAST_BYTES && left + log > 0 {
        return Err(Fault::Corrupt(format!("only {left} bytes are left of the file")));
    }
    Ok(())
}

/// How long a file is; one that is not there has no length.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    // Made here, because SQLite would let others read it.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    refuse_newer(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // The first of these has to come before the first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::Other(format!("the file system cannot hold a database in WAL mode, only in {mode} mode")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    migrate(&mut connection)?;
    // What cannot be read is as good as garbage; better to know it now.
    read(&connection)?;
    Ok(connection)
}

/// Fails if a newer version has written the file, before anything is written into it: the other
/// pragmas do, and so does closing what could be written.
fn refuse_newer(path: &Path) -> Result<(), Fault> {
    let known = u32::try_from(MIGRATIONS.len()).expect("there are a few");
    let found = version(&look(path)?)?;
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

fn lock(folder: &Path) -> Result<File, Fault> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Fault::Taken),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// The path with something behind its last letter.
fn sibling(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn set_aside(path: &Path, what: &str, now: UnixMillis) -> Result<(), Fault> {
    let names = (0..).map(|number| sibling(path, &format!(".corrupt-{}", now.0 + number)));
    let aside = names.into_iter().find(|name| !name.exists()).expect("numbers do not end");
    fs::rename(path, &aside)?;
    // Its log goes with it: together they are what a tool for repair wants.
    for end in ["-wal", "-shm"] {
        match fs::rename(sibling(path, end), sibling(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    tracing::error!(what, kept = %aside.display(), "the database is corrupt; it was set aside and a new one is begun");
    Ok(())
}
