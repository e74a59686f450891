//! Signers of tokens with key pairs of their own.

use guildpulse::config::{Config, JwtAlgorithm};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{GUILD, in_an_hour};

/// A key pair and the algorithm that it is for.
#[derive(Clone, Copy)]
pub(crate) struct Signer {
    pub setting: JwtAlgorithm,
    pub algorithm: Algorithm,
    private: &'static str,
    /// The public key in PEM.
    pub public: &'static str,
}

macro_rules! signer {
    ($setting:ident, $algorithm:ident, $name:literal) => {
        Signer {
            setting: JwtAlgorithm::$setting,
            algorithm: Algorithm::$algorithm,
            private: include_str!(concat!("../keys/test-only-", $name, ".private.pem")),
            public: include_str!(concat!("../keys/test-only-", $name, ".public.pem")),
        }
    };
}

pub(crate) const ED25519: [Signer; 2] = [signer!(EdDsa, EdDSA, "ed25519-1"), signer!(EdDsa, EdDSA, "ed25519-2")];
pub(crate) const RSA: [Signer; 2] = [signer!(Rs256, RS256, "rsa2048-1"), signer!(Rs256, RS256, "rsa2048-2")];
pub(crate) const P256: [Signer; 2] = [signer!(Es256, ES256, "p256-1"), signer!(Es256, ES256, "p256-2")];

/// Two signers for each algorithm.
pub(crate) const ALL: [[Signer; 2]; 3] = [ED25519, RSA, P256];

impl Signer {
    pub(crate) fn key(&self) -> EncodingKey {
        let pem = self.private.as_bytes();
        match self.setting {
            JwtAlgorithm::Hs256 => unreachable!("it has no key pair"),
            JwtAlgorithm::EdDsa => EncodingKey::from_ed_pem(pem),
            JwtAlgorithm::Rs256 => EncodingKey::from_rsa_pem(pem),
            JwtAlgorithm::Es256 => EncodingKey::from_ec_pem(pem),
        }
        .unwrap()
    }

    /// A good token of a viewer.
    pub(crate) fn token(&self) -> String {
        self.sign(&Header::new(self.algorithm), &viewer(&json!({})))
    }

    /// A good token that names its key.
    pub(crate) fn token_by(&self, kid: &str) -> String {
        self.sign(&Header { kid: Some(kid.into()), ..Header::new(self.algorithm) }, &viewer(&json!({})))
    }

    pub(crate) fn sign(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key()).unwrap()
    }

    /// The public key as a JWK, with more members.
    pub(crate) fn jwk(&self, members: &Value) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.key(), self.algorithm).unwrap()).unwrap();
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    }

    /// Settings of a server that takes tokens by the keys of this file.
    pub(crate) fn configure(&self, config: &mut Config, file: &str) {
        let path = config.data.parent().unwrap().join("keys");
        std::fs::write(&path, file).unwrap();
        config.jwt_secret = None;
        config.keys.jwt_algorithm = self.setting;
        config.keys.jwt_keys = Some(path);
    }
}

/// A set of keys as a file.
pub(crate) fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// The claims of a viewer of the guild, changed.
pub(crate) fn viewer(change: &Value) -> Value {
    let mut claims = json!({"sub": "somebody", "exp": in_an_hour(), "guilds": [GUILD]});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims
}
