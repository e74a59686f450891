//! Tokens of bots: random text of which only the SHA-256 is kept.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::list::List;
use crate::config::Secret;
use crate::wire::UnixMillis;

type Hash = [u8; 32];

/// The end of a token that has none.
const FOREVER: UnixMillis = UnixMillis(i64::MAX);

/// The name of a bot's token is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bot's name is 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct InvalidName;

/// All bot tokens: the configured one and those whose hash is in the data folder. All in memory:
/// whoever asks does not wait for a disk.
#[derive(Debug)]
pub(super) struct BotTokens {
    configured: Option<Token>,
    listed: List,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    hash: Hash,
    until: UnixMillis,
}

impl BotTokens {
    pub(super) fn new(configured: Option<&Secret>, listed: List) -> Self {
        Self { configured: configured.map(|token| Token { hash: hash(token), until: FOREVER }), listed }
    }

    /// The same with another list.
    pub(super) fn with(&self, listed: List) -> Self {
        Self { configured: self.configured.clone(), listed }
    }

    pub(super) fn listed(&self) -> &List {
        &self.listed
    }

    /// When the token ends, if the text is one of the tokens. Compares in constant time.
    pub(super) fn find(&self, text: &str) -> Option<UnixMillis> {
        let asked = hash(&Secret::new(text));
        let mut found = None;
        for token in self.configured.iter().chain(self.listed.tokens()) {
            // Every one is compared, so that the time tells nothing about which it was.
            if bool::from(token.hash.ct_eq(&asked)) {
                found = found.max(Some(token.until));
            }
        }
        found
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

/// The token that a line stands for, if it does.
pub(super) fn parse(line: &str) -> Option<Token> {
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes every write");
        text
    })
}
