//! Tokens of bots: random text of which only the SHA-256 is kept.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::config::Secret;

type Hash = [u8; 32];

/// The name of a bot's token is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bot's name is 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct InvalidName;

/// All bot tokens: the configured one and those whose hash is in the data folder.
#[derive(Debug)]
pub(super) struct BotTokens {
    configured: Option<Hash>,
    file: PathBuf,
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    hashes: Vec<Hash>,
    /// The file's time and size when it was read.
    version: Option<(SystemTime, u64)>,
}

impl BotTokens {
    pub(super) fn new(configured: Option<&Secret>, file: PathBuf) -> Self {
        Self { configured: configured.map(hash), file, stored: Mutex::default() }
    }

    /// Whether the text is one of the tokens. Compares in constant time.
    pub(super) fn contain(&self, text: &str) -> bool {
        let asked = hash(&Secret::new(text));
        let stored = self.lock();
        let known = self.configured.iter().chain(&stored.hashes);
        known.fold(Choice::from(0), |found, hash| found | hash.ct_eq(&asked)).into()
    }

    /// Reads the file again if somebody has changed it, such as `guildpulse token --bot`.
    pub(super) fn refresh(&self) {
        let version = std::fs::metadata(&self.file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        let mut stored = self.lock();
        if version == stored.version {
            return;
        }
        // A file that cannot be read takes no token away that was good a moment ago.
        if let Ok(text) = std::fs::read_to_string(&self.file) {
            *stored = Stored { hashes: text.lines().filter_map(parse).collect(), version };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new token: 32 random bytes.
pub(super) fn generate() -> String {
    format!("gpb_{}", random_hex())
}

/// 32 random bytes in hexadecimal.
pub(super) fn random_hex() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// The line that stands for a token in the file: its name and its hash.
pub(super) fn line(name: &str, token: &Secret) -> Result<String, InvalidName> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(InvalidName);
    }
    Ok(format!("{name} {}\n", hex(&hash(token))))
}

fn parse(line: &str) -> Option<Hash> {
    let digits = line.split_whitespace().nth(1)?;
    let mut hash = Hash::default();
    if digits.len() != 2 * hash.len() || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(hash)
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
