//! What a token says: its claims (RFC 7519, section 4).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Principal;
use super::fault::Fault;
use super::jwt::LEEWAY;
use crate::wire::{GuildId, UnixMillis};

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

/// The claims of a token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Whose token it is; a viewer's must say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// When it ends, in seconds since the Unix epoch.
    pub exp: u64,
    /// The guilds that a viewer may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guilds: Option<Guilds>,
    /// `operator`, or anything else for a viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// The claims of a token that arrived; others are ignored. Each is read by itself, so that the one
/// that is wrong can be named.
#[derive(Debug, Deserialize)]
pub(super) struct Received {
    exp: Option<Claim<Seconds>>,
    sub: Option<Claim<Arc<str>>>,
    guilds: Option<Claim<Guilds>>,
    role: Option<Claim<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Claim<T> {
    Good(T),
    Malformed(IgnoredAny),
}

/// Seconds since the Unix epoch. Others may write a fraction (RFC 7519, "NumericDate"), which is
/// dropped.
#[derive(Debug)]
struct Seconds(i64);

impl Received {
    /// Whose token it is, if nothing in it is missing or malformed.
    pub(super) fn principal(self) -> Result<Principal, Fault> {
        let Seconds(exp) = read("exp", self.exp)?.ok_or(Fault::Claim("exp"))?;
        let until = UnixMillis((exp + LEEWAY.cast_signed()) * 1000);
        let (subject, guilds) = (read("sub", self.sub)?, read("guilds", self.guilds)?);
        if read("role", self.role)?.as_deref() == Some("operator") {
            return Ok(Principal::Operator { subject, until });
        }
        let subject = subject.ok_or(Fault::Claim("sub"))?;
        Ok(Principal::Viewer { subject, guilds: guilds.ok_or(Fault::Claim("guilds"))?, until })
    }
}

impl Received {
    /// When the token ends, leeway not included.
    pub(super) fn end(self) -> Option<UnixMillis> {
        let Seconds(exp) = read("exp", self.exp).ok()??;
        Some(UnixMillis(exp * 1000))
    }
}

/// What a claim says, if it is there.
fn read<T>(name: &'static str, claim: Option<Claim<T>>) -> Result<Option<T>, Fault> {
    match claim {
        None => Ok(None),
        Some(Claim::Good(value)) => Ok(Some(value)),
        Some(Claim::Malformed(_)) => Err(Fault::Claim(name)),
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !(0.0..=MAX_SECONDS).contains(&seconds) {
            return Err(D::Error::custom("a time is a number of seconds since the Unix epoch"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        Ok(Self(seconds as i64))
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
