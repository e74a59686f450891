//! Guild ids: Discord's snowflakes, unsigned 64-bit integers that JSON numbers cannot carry.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// The id of a guild (a Discord server), `1` to `2^64 - 1`.
///
/// Always written as a string, because a JavaScript number loses its last digits; read from a
/// string of the form `^[1-9][0-9]{0,19}$` or from a JSON integer. See "Snowflakes" in Discord's
/// API reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuildId(NonZeroU64);

/// The text is not a guild id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a guild id is a string of 1 to 20 digits without a leading zero, at most 18446744073709551615")]
pub struct InvalidGuildId;

impl GuildId {
    /// The smallest id.
    pub const MIN: Self = Self(NonZeroU64::MIN);

    /// The id with this value, or `None` for zero.
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    /// The id as an integer.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for GuildId {
    type Err = InvalidGuildId;

    fn from_str(text: &str) -> Result<Self, InvalidGuildId> {
        // `u64::from_str` takes "+5" and "007", which Discord never writes.
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let id = if canonical { text.parse().ok() } else { None };
        id.and_then(Self::new).ok_or(InvalidGuildId)
    }
}

impl fmt::Display for GuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for GuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuildId({})", self.0)
    }
}

impl Serialize for GuildId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GuildId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = GuildId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&InvalidGuildId, f)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<GuildId, E> {
                text.parse().map_err(|InvalidGuildId| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<GuildId, E> {
                GuildId::new(id).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(id), &self))
            }
        }

        deserializer.deserialize_any(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::GuildId;

    #[test]
    fn only_canonical_decimal_strings_are_guild_ids() {
        for text in ["1", "81384788765712384", "18446744073709551615"] {
            assert_eq!(text.parse::<GuildId>().unwrap().to_string(), text);
        }
        for text in
            ["", "0", "007", "+5", "-5", " 5", "5 ", "12a", "1e3", "18446744073709551616", "100000000000000000000", "１"]
        {
            assert!(text.parse::<GuildId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_guild_id_is_read_from_a_string_or_an_integer_and_written_as_a_string() {
        for json in [r#""81384788765712384""#, "81384788765712384"] {
            let id: GuildId = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), r#""81384788765712384""#);
        }
        for json in ["0", "-1", "1.0", "1e3", "18446744073709551616", "true", "null", "[1]", r#""1.0""#] {
            assert!(serde_json::from_str::<GuildId>(json).is_err(), "{json}");
        }
    }
}
