//! The database as an operator with an SQLite shell sees it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Params};
use serde_json::Value;
use tempfile::TempDir;

use super::revision;

pub(crate) const SCHEMA: &str = include_str!("../../../src/store/schema.sql");

pub(crate) struct Database {
    pub connection: Connection,
    /// Holds the copy, if it is one.
    _folder: Option<TempDir>,
}

impl Database {
    /// Looks into the file, while a server may be writing it.
    pub(crate) fn look(file: &Path) -> Self {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(Duration::from_secs(2)).unwrap();
        Self { connection, _folder: None }
    }

    /// A copy of the file and its log as they lie there, so that to look at it changes nothing.
    pub(crate) fn copy(file: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy.db");
        // It may just be replaced.
        std::fs::copy(file, &to).ok();
        // There is none if the last server ended as it should.
        std::fs::copy(wal(file), wal(&to)).ok();
        Self { connection: Connection::open(to).unwrap(), _folder: Some(folder) }
    }

    /// A new one with our tables, to be filled.
    pub(crate) fn create(file: &Path) -> Self {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let connection = Connection::open(file).unwrap();
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        Self { connection, _folder: None }
    }

    pub(crate) fn number(&self, sql: &str, parameters: impl Params) -> i64 {
        self.connection.query_row(sql, parameters, |row| row.get(0)).unwrap()
    }

    /// The runs of the server: the number of each, and when it began, in milliseconds.
    pub(crate) fn boots(&self) -> Vec<(u64, i64)> {
        let mut rows = self.connection.prepare("SELECT boot, started_ms FROM run").unwrap();
        rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn is_sound(&self) -> bool {
        is_sound(&self.connection).unwrap()
    }

    /// Whether the transition that led to this status is in the log; there may be no log yet.
    pub(crate) fn has(&self, status: &Value) -> bool {
        has(&self.connection, status).unwrap_or(false)
    }
}

/// The log that SQLite keeps beside a database.
pub(crate) fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Whether this is a database without damage, and with this transition, when nobody writes it. A
/// damaged one must not be looked at itself: SQLite throws away the log of an empty file.
pub(crate) fn is_well(file: &Path, status: &Value) -> bool {
    let Database { connection, _folder } = &Database::copy(file);
    is_sound(connection).unwrap_or(false) && has(connection, status).unwrap_or(false)
}

fn is_sound(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA quick_check", (), |row| Ok(row.get::<_, String>(0)? == "ok"))
}

fn has(connection: &Connection, status: &Value) -> rusqlite::Result<bool> {
    let (boot, seq) = revision(status);
    let sql = "SELECT count(*) FROM transition WHERE boot = ? AND seq = ? AND version IS ?";
    connection.query_row(sql, (boot, seq, status["version"].as_str()), |row| Ok(row.get::<_, i64>(0)? == 1))
}
