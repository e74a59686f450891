//! The secrets in the data folder. Whatever is missing is made, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::bots::{self, InvalidName};
use super::keys::InvalidKeys;
use super::list::List;
use crate::config::{Config, ConfigError, MIN_JWT_SECRET_BYTES, Secret};

const JWT_SECRET: &str = "jwt-secret";
const PREVIOUS_JWT_SECRET: &str = "jwt-secret-previous";
const BOT_TOKEN: &str = "bot-token";
pub(super) const BOT_TOKENS: &str = "bot-tokens";

/// The data folder cannot be used. One line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds less than a secret.
    #[error(
        "{path} has {length} bytes; a secret needs at least {MIN_JWT_SECRET_BYTES}. Remove the file; what is needed is made anew"
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// How long it is.
        length: usize,
    },
    /// A secret is not there any more, and nobody is rotating it.
    #[error(
        "{path} is gone; a server that runs makes a new one only if there is {PREVIOUS_JWT_SECRET}. Put it back or restart"
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The data folder is not there any more, or is another one.
    #[error("{path} is not there, but neither is the data folder that it was in")]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// A file does not hold the public keys that it should.
    #[error("cannot use the keys in {path}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InvalidKeys,
    },
    /// Tokens are not ours to sign.
    #[error("only who has the private key signs tokens with {0}; guildpulse token makes those of bots (--bot)")]
    NotOurs(&'static str),
    /// There is nothing to read again.
    #[error("the demo keeps its keys in memory")]
    InMemory,
    /// The settings of keys do not fit each other.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The bot's name is not one.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// The data folder, made when something is to be written into it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// A server that runs has its secrets. If they are not there any more, the disk may be gone,
    /// and new ones would lock everybody out.
    running: bool,
    /// What was made, in words.
    pub(super) made: Vec<String>,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), running: false, made: Vec::new() }
    }

    /// That of a server that runs.
    pub(super) fn running(path: &Path) -> Self {
        Self { running: true, ..Self::new(path) }
    }

    /// The configured secret, else that of the folder, else a new one.
    pub(super) fn jwt_secret(&mut self, configured: Option<&Secret>) -> Result<Secret, SecretsError> {
        if let Some(secret) = configured {
            return Ok(secret.clone());
        }
        let path = self.path.join(JWT_SECRET);
        if let Some(secret) = read_if_there(path.clone())? {
            return Ok(secret);
        }
        if self.running && !self.path.join(PREVIOUS_JWT_SECRET).exists() {
            return Err(SecretsError::Gone { path });
        }
        if self.create(JWT_SECRET, &bots::random_hex())? {
            self.made.push(format!("made a secret for viewers' tokens in {}", path.display()));
        }
        read_secret(path)
    }

    /// The secret before the last rotation: the configured one, else that of the folder, if the
    /// secret itself comes from there, too.
    pub(super) fn previous_jwt_secret(&self, config: &Config) -> Result<Option<Secret>, SecretsError> {
        let configured = config.keys.jwt_previous_secret.as_ref();
        if configured.is_some() || config.jwt_secret.is_some() {
            return Ok(configured.cloned());
        }
        read_if_there(self.path.join(PREVIOUS_JWT_SECRET))
    }

    /// The list of bots. If there is neither one nor a configured token, a first one is made.
    pub(super) fn bots(&mut self, configured: Option<&Secret>) -> Result<List, SecretsError> {
        let list = List::open(&self.path)?;
        if configured.is_some() || !list.is_missing() {
            return Ok(list);
        }
        let first = self.path.join(BOT_TOKEN);
        if self.create(BOT_TOKEN, &bots::generate())? {
            self.made.push(format!("made a token for your bot in {}", first.display()));
        }
        self.add_bot_token(&bots::line("default", &read_secret(first)?, None)?)?;
        List::open(&self.path)
    }

    /// Adds a line to the file with the hashes of bot tokens.
    pub(super) fn add_bot_token(&self, line: &str) -> Result<(), SecretsError> {
        self.make()?;
        let path = self.path.join(BOT_TOKENS);
        let add = || {
            let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&path)?;
            let mut before = String::new();
            file.read_to_string(&mut before)?;
            // Whoever edited the file may have left its last line without an end.
            let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            file.write_all(format!("{end}{line}").as_bytes())
        };
        add().map_err(|source| SecretsError::Io { path: path.clone(), source })
    }

    /// Writes a file that was not there, whole or not at all; false if it was.
    fn create(&self, name: &str, text: &str) -> Result<bool, SecretsError> {
        self.make()?;
        let path = self.path.join(name);
        let draft = self.path.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::hard_link(&draft, &path)
        };
        let written = if path.exists() { Err(io::ErrorKind::AlreadyExists.into()) } else { write() };
        fs::remove_file(&draft).ok();
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(SecretsError::Io { path, source }),
        }
    }

    fn make(&self) -> Result<(), SecretsError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|source| SecretsError::Io { path: self.path.clone(), source })
    }
}

fn read_if_there(path: PathBuf) -> Result<Option<Secret>, SecretsError> {
    match read_secret(path) {
        Ok(secret) => Ok(Some(secret)),
        Err(SecretsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_secret(path: PathBuf) -> Result<Secret, SecretsError> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(SecretsError::Io { path, source }),
    };
    let text = text.trim();
    if text.len() < MIN_JWT_SECRET_BYTES {
        return Err(SecretsError::Short { path, length: text.len() });
    }
    Ok(Secret::new(text))
}
