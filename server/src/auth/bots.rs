//! Tokens of bots: random text of which only the SHA-256 is kept.

use std::fmt::Write;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock;
use crate::config::Secret;
use crate::wire::UnixMillis;

type Hash = [u8; 32];

/// The end of a token that has none.
const FOREVER: UnixMillis = UnixMillis(i64::MAX);

/// How old a file has to be for its time to tell it from every later one. File systems count in
/// steps of up to 2 s.
const SETTLED_MS: i64 = 2000;

/// The name of a bot's token is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bot's name is 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct InvalidName;

/// All bot tokens: the configured one and those whose hash is in the data folder.
#[derive(Debug)]
pub(super) struct BotTokens {
    configured: Option<Token>,
    file: PathBuf,
    stored: Mutex<Stored>,
}

#[derive(Debug)]
struct Token {
    hash: Hash,
    until: UnixMillis,
}

#[derive(Debug, Default)]
struct Stored {
    tokens: Vec<Token>,
    /// The file's time and size when it was read.
    version: Option<(SystemTime, u64)>,
}

impl BotTokens {
    pub(super) fn new(configured: Option<&Secret>, file: PathBuf) -> Self {
        Self {
            configured: configured.map(|token| Token { hash: hash(token), until: FOREVER }),
            file,
            stored: Mutex::default(),
        }
    }

    /// When the token ends, if the text is one of the tokens. Compares in constant time.
    pub(super) fn find(&self, text: &str) -> Option<UnixMillis> {
        let asked = hash(&Secret::new(text));
        let stored = self.lock();
        let mut found = None;
        for token in self.configured.iter().chain(&stored.tokens) {
            // Every one is compared, so that the time tells nothing about which it was.
            if bool::from(token.hash.ct_eq(&asked)) {
                found = found.max(Some(token.until));
            }
        }
        found
    }

    /// Reads the file again if somebody has changed it, such as `guildpulse token --bot`.
    pub(super) fn refresh(&self) {
        let version = std::fs::metadata(&self.file).map(|meta| version(&meta));
        let mut stored = self.lock();
        let read = match version {
            Ok(Some(version)) if stored.version == Some(version) => return,
            Ok(version) => std::fs::read_to_string(&self.file).map(|text| (text, version)),
            Err(error) => Err(error),
        };
        match read {
            Ok((text, version)) => *stored = Stored { tokens: text.lines().filter_map(parse).collect(), version },
            // Who removes the file takes all rights away.
            Err(error) if error.kind() == ErrorKind::NotFound => *stored = Stored::default(),
            // A file that cannot be read takes no token away that was good a moment ago.
            Err(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file's version, if that tells the next change. Right after a change it does not: another
/// one in the same tick of the file system's clock may look the same.
fn version(meta: &Metadata) -> Option<(SystemTime, u64)> {
    let modified = meta.modified().ok()?;
    let age = clock::wall().0 - i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    (age > SETTLED_MS).then_some((modified, meta.len()))
}

/// A new token: 32 random bytes.
pub(super) fn generate() -> String {
    format!("gpb_{}", random_hex())
}

/// 32 random bytes in hexadecimal.
pub(super) fn random_hex() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// The line that stands for a token in the file: its name, its hash, and the Unix second at which
/// it ends, if it does.
pub(super) fn line(name: &str, token: &Secret, until: Option<u64>) -> Result<String, InvalidName> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(InvalidName);
    }
    let until = until.map_or_else(String::new, |until| format!(" {until}"));
    Ok(format!("{name} {}{until}\n", hex(&hash(token))))
}

fn parse(line: &str) -> Option<Token> {
    let mut words = line.split_whitespace().skip(1);
    let digits = words.next()?;
    // An end that makes no sense is no reason to let a token live for ever.
    let until =
        words.next().map_or(Some(FOREVER), |until| until.parse::<i64>().ok().map(|s| UnixMillis(s.saturating_mul(1000))))?;
    let mut hash = Hash::default();
    if digits.len() != 2 * hash.len() || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(Token { hash, until })
}

fn hash(token: &Secret) -> Hash {
    Sha256::digest(token.reveal()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes every write");
        text
    })
}
