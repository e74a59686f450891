//! What can be wrong with a database, in words for the log and for `readyz`.

use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::metrics::StoreState;

/// Why the store cannot do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No space is left on the device.
    #[error("the disk is full")]
    Full,
    /// The file or its folder may not be written.
    #[error("the data folder or the database may not be written")]
    ReadOnly,
    /// Another process is writing for longer than we wait.
    #[error("another process holds the lock of the database")]
    Locked,
    /// Another server has the data folder.
    #[error("another guildpulse uses the data folder")]
    Taken,
    /// The file was moved or removed while it was open.
    #[error("the database was moved or removed")]
    Gone,
    /// What stands in the file is no database, or none that can be trusted.
    #[error("the database is corrupt: {0}")]
    Corrupt(String),
    /// A later version of this program has changed the tables.
    #[error(
        "the database has version {found}, from a newer guildpulse; this one knows versions up to {known}: start the version that wrote it, or name another data folder"
    )]
    Newer {
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<&Fault> for StoreState {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::ReadOnly => Self::ReadOnly,
            Fault::Locked => Self::Locked,
            Fault::Taken => Self::Taken,
            Fault::Gone => Self::Gone,
            Fault::Corrupt(_) => Self::Corrupt,
            Fault::Newer { .. } => Self::Newer,
            Fault::Other(_) => Self::Other,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // There is not even room for the index of SQLite's log.
            Some(ErrorCode::SystemIoFailure) if extended == Some(SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            // Our statements are right, so it is the tables that are not (`SQLITE_ERROR`).
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => Self::Corrupt(text),
            Some(_) => Self::Other(text),
            // Not SQLite itself: a value that is not what its column should hold.
            None => Self::Corrupt(text),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Other(error.to_string()),
        }
    }
}
