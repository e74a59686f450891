//! Wall-clock time as it stands in the contract.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// Milliseconds since the Unix epoch; written as RFC 3339 in UTC with milliseconds,
/// `2026-11-22T20:07:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time plus `duration`, or the largest time there is.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since the epoch, 0 for times before it.
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.0.div_euclid(1000)).unwrap_or(0)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(bound);
        write!(f, "{time:.3}")
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self(time.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::UnixMillis;

    #[test]
    fn a_time_is_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(UnixMillis(1_795_378_020_000).to_string(), "2026-11-22T20:07:00.000Z");
        assert_eq!(UnixMillis(1_795_378_020_007).to_string(), "2026-11-22T20:07:00.007Z");
        let back: UnixMillis = serde_json::from_str(r#""2026-11-22T20:07:00.007Z""#).unwrap();
        assert_eq!(back, UnixMillis(1_795_378_020_007));
        assert_eq!(UnixMillis(i64::MAX).to_string(), "9999-12-30T22:00:00.999Z", "clamped to what RFC 3339 can say");
    }
}
