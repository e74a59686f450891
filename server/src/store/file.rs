//! The database as a file: its place, its lock, and what becomes of it when it is damaged.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::fault::Fault;
use crate::wire::UnixMillis;

/// The name of the file in the data folder.
const NAME: &str = "guildpulse.db";
/// Whoever holds the lock of this file has the data folder.
const LOCK: &str = "guildpulse.lock";
/// A file that is shorter than this has lost what SQLite writes first.
const LEAST_BYTES: u64 = 512;
/// How many damaged databases are kept.
const MOST_ASIDE: usize = 8;

/// Which file it is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

/// The path of the database in a data folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Makes an empty file where there is none, because SQLite would let others read it.
///
/// A file that is there must not even be opened: when a process closes any descriptor of a file, it
/// loses the locks of all its others (POSIX), and SQLite's are such.
pub(super) fn begin(path: &Path) -> io::Result<()> {
    match OpenOptions::new().create_new(true).append(true).mode(0o600).open(path) {
        // SQLite does not say why it cannot open a file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK)?)
        }
        opened => opened.map(drop),
    }
}

/// Fails if so little is left of the file that SQLite would take it for a new one, and throw away
/// the log beside it. An empty file without a log is what a full disk leaves of a first start, and a
/// log without a file is what is left when somebody took the database away.
pub(super) fn refuse_cut(path: &Path) -> Result<(), Fault> {
    let (left, log) = (length(path), length(&sibling(path, "-wal")));
    if path.exists() && left < LEAST_BYTES && left + log > 0 {
        return Err(Fault::Corrupt(format!("only {left} bytes are left of the file")));
    }
    Ok(())
}

/// How long a file is; one that is not there has no length.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Takes the data folder for this process.
pub(super) fn lock(folder: &Path) -> Result<File, Fault> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Fault::Taken),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Which file the path names.
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|file| Identity(file.dev(), file.ino()))
}

/// The path with something behind its last letter.
pub(super) fn sibling(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Gives a damaged database another name, for the one who may want to repair it.
pub(super) fn set_aside(path: &Path, what: &str, now: UnixMillis) -> Result<(), Fault> {
    let beside = others(path)?;
    if beside >= MOST_ASIDE {
        // A disk that damages all that it is given is not mended by more files.
        return Err(Fault::Corrupt(format!(
            "{what}; {beside} damaged ones lie beside it already: see to the disk, then remove them"
        )));
    }
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

/// How many damaged databases lie beside this one.
fn others(path: &Path) -> io::Result<usize> {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return Ok(0) };
    let start = format!("{}.corrupt-", name.to_string_lossy());
    let names = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| name.strip_prefix(&start).is_some_and(|rest| !rest.contains('-'))).count())
}
