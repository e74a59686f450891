//! Tokens of viewers and operators: JSON Web Tokens (RFC 7519), HS256.

use std::collections::HashSet;
use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Principal;
use crate::config::Secret;
use crate::wire::{Code, GuildId, Problem, UnixMillis};

/// How far the clocks of issuer and server may be apart, in seconds.
pub const LEEWAY: u64 = 5;

/// The year 9999; more is a mistake of units.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// The guilds that a token lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guilds {
    /// `"*"`.
    All,
    /// A list of ids.
    Only(HashSet<GuildId>),
}

impl Guilds {
    /// Whether the guild is listed.
    pub fn contains(&self, guild: GuildId) -> bool {
        match self {
            Self::All => true,
            Self::Only(guilds) => guilds.contains(&guild),
        }
    }
}

/// The claims that count; others are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whose token it is; a viewer's must say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sub: Option<String>,
    /// When it ends, in seconds since the Unix epoch. Others may write a fraction (RFC 7519,
    /// "NumericDate"), which is dropped.
    #[serde(deserialize_with = "whole_seconds")]
    pub exp: u64,
    /// The guilds that a viewer may see.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guilds: Option<Guilds>,
    /// `operator`, or anything else for a viewer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
}

/// Signs and verifies tokens.
pub(super) struct Jwt {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Jwt {
    pub(super) fn new(secret: &Secret) -> Self {
        // The algorithm is ours to say, never the token's.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // An audience that nobody configured is none of our business.
        validation.validate_aud = false;
        let secret = secret.reveal().as_bytes();
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    pub(super) fn sign(&self, claims: &Claims) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding).expect("claims are JSON and the key is for HS256")
    }

    pub(super) fn verify(&self, token: &str) -> Result<Principal, Problem> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => expired(),
            _ => invalid(),
        })?;
        let Claims { sub, exp, guilds, role } = claims.claims;
        let until = UnixMillis(i64::try_from(exp.saturating_add(LEEWAY).saturating_mul(1000)).unwrap_or(i64::MAX));
        let subject = sub.map(Into::into);
        match (role.as_deref(), &subject, guilds) {
            (Some("operator"), ..) => Ok(Principal::Operator { until, subject }),
            (_, Some(_), Some(guilds)) => Ok(Principal::Viewer { guilds, until, subject }),
            _ => Err(invalid()),
        }
    }
}

pub(super) fn expired() -> Problem {
    Problem::new(Code::ExpiredCredential, "the token has expired")
}

/// One answer for every fault, so that nobody learns from it how to get closer.
pub(super) fn invalid() -> Problem {
    Problem::new(Code::InvalidCredential, "the credential is not one that this server accepts")
}

fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(D::Error::custom("a time is a number of seconds since the Unix epoch"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok(seconds as u64)
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt(hidden)")
    }
}

impl Serialize for Guilds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("*"),
            Self::Only(guilds) => serializer.collect_seq(guilds),
        }
    }
}

impl<'de> Deserialize<'de> for Guilds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;

        impl<'de> Visitor<'de> for Ids {
            type Value = Guilds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of guild ids or \"*\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Guilds, E> {
                if text == "*" { Ok(Guilds::All) } else { Err(E::custom("the only word for guilds is \"*\"")) }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Guilds, A::Error> {
                let mut guilds = HashSet::new();
                while let Some(guild) = list.next_element()? {
                    guilds.insert(guild);
                }
                Ok(Guilds::Only(guilds))
            }
        }

        deserializer.deserialize_any(Ids)
    }
}
