//! The list of bots in the data folder, as it was when it was last read.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, openat};

use super::bots::{self, Token};
use super::secrets::{BOT_TOKENS, SecretsError};
use crate::clock;

/// How old a file has to be for its time to tell it from every later one. File systems count in
/// steps of up to 2 s.
const SETTLED_MS: i64 = 2000;

/// The tokens of the list, and what tells whether they are still those of the file.
#[derive(Debug, PartialEq)]
pub(super) struct List {
    data: PathBuf,
    tokens: Vec<Token>,
    /// The data folder; none if there was none.
    folder: Option<Identity>,
    file: Seen,
}

/// Device and inode: what a folder is, wherever it is moved to.
type Identity = (u64, u64);

#[derive(Debug, PartialEq)]
enum Seen {
    Missing,
    /// Changed a moment ago: another change in the same tick of the file system's clock may look
    /// the same, so only its text tells.
    Young,
    /// Which file it is, its time and its size.
    Settled(Identity, SystemTime, u64),
}

impl List {
    /// The list of this data folder.
    pub(super) fn open(data: &Path) -> Result<Self, SecretsError> {
        Self { data: data.to_owned(), ..Self::none() }.read()
    }

    /// The list of no data folder.
    pub(super) fn none() -> Self {
        Self { data: PathBuf::new(), tokens: Vec::new(), folder: None, file: Seen::Missing }
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(super) fn is_missing(&self) -> bool {
        self.file == Seen::Missing
    }

    /// The list as it is now, if it is another.
    pub(super) fn look(&self) -> Result<Option<Self>, SecretsError> {
        if self.is_current() {
            return Ok(None);
        }
        Ok(Some(self.read()?).filter(|list| list != self))
    }

    /// The list as it is now. Who removes the file takes all rights away; but that it is not in
    /// another folder, or in none, is no news of it.
    pub(super) fn read(&self) -> Result<Self, SecretsError> {
        let path = self.path();
        let (folder, text, file) = match find(&self.data) {
            Ok(found) => found,
            Err(source) => return Err(SecretsError::Io { path, source }),
        };
        if file == Seen::Missing && self.folder.is_some() && self.folder != folder {
            return Err(SecretsError::Vanished { path });
        }
        Ok(Self { data: self.data.clone(), tokens: text.lines().filter_map(bots::parse).collect(), folder, file })
    }

    /// Whether file and folder are those that were read, as far as that can be seen without reading.
    fn is_current(&self) -> bool {
        let folder = fs::metadata(&self.data).ok().as_ref().map(identity);
        let file = match fs::metadata(self.path()) {
            Ok(meta) => seen(&meta),
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::Missing,
            Err(_) => return false,
        };
        folder == self.folder && file != Seen::Young && file == self.file
    }

    fn path(&self) -> PathBuf {
        self.data.join(BOT_TOKENS)
    }
}

/// The folder if there is one, and the text of the list, which is empty if it is missing. The file
/// is sought in the folder that was opened, so that both are of one, even if it is moved just now.
fn find(data: &Path) -> io::Result<(Option<Identity>, String, Seen)> {
    let mut text = String::new();
    let Some(folder) = present(File::open(data))? else {
        return Ok((None, text, Seen::Missing));
    };
    let identity = Some(identity(&folder.metadata()?));
    let file = openat(&folder, BOT_TOKENS, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let Some(file) = present(file.map_err(io::Error::from))? else {
        return Ok((identity, text, Seen::Missing));
    };
    let mut file = File::from(file);
    // Before the text, so that what changes while it is read looks like another version.
    let seen = seen(&file.metadata()?);
    file.read_to_string(&mut text)?;
    Ok((identity, text, seen))
}

fn present<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(meta: &Metadata) -> Identity {
    (meta.dev(), meta.ino())
}

fn seen(meta: &Metadata) -> Seen {
    let age = |modified: SystemTime| {
        let modified = i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
        Some(clock::wall().0 - modified)
    };
    match meta.modified() {
        Ok(modified) if age(modified) > Some(SETTLED_MS) => Seen::Settled(identity(meta), modified, meta.len()),
        _ => Seen::Young,
    }
}
