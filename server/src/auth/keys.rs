//! The keys that verify tokens, and the files that hold public ones.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, crypto, errors};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fault::Fault;
use super::secrets::SecretsError;
use crate::config::{JwtAlgorithm, Secret};
use crate::wire::read_json;

/// What the library can compute with, and what RFC 7518, section 3.3, asks for.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The keys that verify tokens.
pub(super) enum Keys {
    /// Tried in turn, whatever key a token names.
    Nameless(Vec<DecodingKey>),
    /// Chosen by the name (`kid`) that a token gives.
    Named(Vec<(Option<String>, DecodingKey)>),
}

impl Keys {
    /// The secret and the one before it.
    pub(super) fn secrets(current: &Secret, previous: Option<&Secret>) -> Self {
        let key = |secret: &Secret| DecodingKey::from_secret(secret.reveal().as_bytes());
        Self::Nameless([Some(current), previous].into_iter().flatten().map(key).collect())
    }

    /// The keys that a token may be signed with if it names this one.
    pub(super) fn choose(&self, kid: Option<&str>) -> Result<&[DecodingKey], Fault> {
        let found = match (self, kid) {
            (Self::Nameless(keys), _) => return Ok(keys),
            (Self::Named(keys), Some(kid)) => {
                keys.iter().find(|(name, _)| name.as_deref() == Some(kid)).ok_or(Fault::UnknownKey)?
            }
            (Self::Named(keys), None) => match keys.as_slice() {
                [only] => only,
                _ => return Err(Fault::NoKey),
            },
        };
        Ok(std::slice::from_ref(&found.1))
    }
}

/// A file with public keys cannot be used: what is wrong with it, and nothing of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Something else.
    #[error("it holds neither a public key in PEM (BEGIN PUBLIC KEY) nor a JWK set")]
    Neither,
    /// The key that signs is not for us to have.
    #[error("it holds a private key; put the public key there, and keep the private one away from this server")]
    Private,
    /// More than one key in PEM.
    #[error("it holds several keys in PEM; keep one there, or put all into a JWK set")]
    Several,
    /// Not a JWK set.
    #[error("it is not a JWK set ({0})")]
    NotASet(String),
    /// No key that fits.
    #[error("it holds no public key for {algorithm}, which takes {wanted}")]
    None {
        /// The algorithm.
        algorithm: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// A key that fits by its name and not by what it is.
    #[error("a key in it is damaged or of the wrong size; {algorithm} takes {wanted}")]
    Damaged {
        /// The algorithm.
        algorithm: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// Two keys of one name.
    #[error("two keys in it have the same `kid`")]
    Twice,
}

/// An algorithm with public keys.
pub(super) struct PublicKeys {
    algorithm: Algorithm,
    name: &'static str,
    wanted: &'static str,
    from_pem: fn(&[u8]) -> errors::Result<DecodingKey>,
}

/// A key of a set, with what shows that it is a private one (RFC 7518, section 6; RFC 8037).
#[derive(Deserialize)]
struct Entry {
    d: Option<IgnoredAny>,
    #[serde(flatten)]
    key: Jwk,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Entry>,
}

impl PublicKeys {
    /// None if the algorithm has no public keys.
    pub(super) fn of(algorithm: JwtAlgorithm) -> Option<Self> {
        let name = algorithm.name();
        let (algorithm, wanted, from_pem): (_, _, fn(&[u8]) -> _) = match algorithm {
            JwtAlgorithm::Hs256 => return None,
            JwtAlgorithm::EdDsa => (Algorithm::EdDSA, "an Ed25519 key", DecodingKey::from_ed_pem),
            JwtAlgorithm::Rs256 => (Algorithm::RS256, "an RSA key of 2048 to 4096 bits", DecodingKey::from_rsa_pem),
            JwtAlgorithm::Es256 => (Algorithm::ES256, "a P-256 key", DecodingKey::from_ec_pem),
        };
        Some(Self { algorithm, name, wanted, from_pem })
    }

    /// Reads a file.
    pub(super) fn read(&self, path: &Path) -> Result<Keys, SecretsError> {
        let bytes = fs::read(path).map_err(|source| SecretsError::Io { path: path.to_owned(), source })?;
        self.parse(&bytes).map_err(|source| SecretsError::Keys { path: path.to_owned(), source })
    }

    fn parse(&self, bytes: &[u8]) -> Result<Keys, InvalidKeys> {
        let text = str::from_utf8(bytes).map_err(|_| InvalidKeys::Neither)?.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err(InvalidKeys::Private);
        }
        if text.starts_with('{') {
            return self.parse_set(text);
        }
        match text.matches("-----BEGIN ").count() {
            1 if text.contains("PUBLIC KEY-----") => self.parse_pem(text).map(|key| Keys::Nameless(vec![key])),
            0 | 1 => Err(InvalidKeys::Neither),
            _ => Err(InvalidKeys::Several),
        }
    }

    fn parse_pem(&self, text: &str) -> Result<DecodingKey, InvalidKeys> {
        let key = (self.from_pem)(text.as_bytes()).map_err(|_| self.none())?;
        // As a JWK it shows its curve and its size, and is checked like every other.
        let key = Jwk::from_decoding_key(&key, None).map_err(|_| self.damaged())?;
        if self.takes(&key) { self.usable(&key) } else { Err(self.none()) }
    }

    fn parse_set(&self, text: &str) -> Result<Keys, InvalidKeys> {
        let Set { keys } = read_json(text).map_err(InvalidKeys::NotASet)?;
        if keys.iter().any(|entry| entry.d.is_some()) {
            return Err(InvalidKeys::Private);
        }
        let fitting = keys.into_iter().map(|entry| entry.key).filter(|key| self.takes(key));
        let keys: Vec<_> =
            fitting.map(|key| Ok((key.common.key_id.clone(), self.usable(&key)?))).collect::<Result<_, InvalidKeys>>()?;
        let mut names = HashSet::new();
        if !keys.iter().filter_map(|(name, _)| name.as_ref()).all(|name| names.insert(name)) {
            return Err(InvalidKeys::Twice);
        }
        if keys.is_empty() { Err(self.none()) } else { Ok(Keys::Named(keys)) }
    }

    /// Whether the key is meant for signatures by this algorithm (RFC 7517, section 4).
    fn takes(&self, key: &Jwk) -> bool {
        let common = &key.common;
        let of_its_type = match (&key.algorithm, self.algorithm) {
            (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
            (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
            (AlgorithmParameters::RSA(_), Algorithm::RS256) => true,
            _ => false,
        };
        of_its_type
            && common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::from(self.algorithm))
            && common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
    }

    /// The key, if it can verify anything. The library would find out with the first token, and
    /// take that for a bad signature, or panic.
    fn usable(&self, key: &Jwk) -> Result<DecodingKey, InvalidKeys> {
        let key = DecodingKey::from_jwk(key).map_err(|_| self.damaged())?;
        let fits = match (key.kind(), self.algorithm) {
            (DecodingKeyKind::RsaModulusExponent { n, .. }, _) => RSA_BITS.contains(&bits(n)),
            (DecodingKeyKind::SecretOrDer(bytes), Algorithm::EdDSA) => bytes.len() == 32,
            (DecodingKeyKind::SecretOrDer(_), _) => true,
        };
        // The empty signature is wrong, which it can only say of a key that it can use.
        if fits && crypto::verify("", b"", &key, self.algorithm).is_ok() { Ok(key) } else { Err(self.damaged()) }
    }

    fn none(&self) -> InvalidKeys {
        InvalidKeys::None { algorithm: self.name, wanted: self.wanted }
    }

    fn damaged(&self) -> InvalidKeys {
        InvalidKeys::Damaged { algorithm: self.name, wanted: self.wanted }
    }
}

/// The length of a number, leading zeros left out.
fn bits(number: &[u8]) -> usize {
    let digits = number.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &number[first..]);
    digits.first().map_or(0, |first| 8 * digits.len() - first.leading_zeros() as usize)
}
