//! What the server takes on at most: settings and their ranges.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;
use ipnet::{IpNet, Ipv4Net};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::{ConfigError, File, Setting, in_range, listed, set, setting};
use crate::wire::MAX_BODY_BYTES;

/// What the server takes on at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Streams open at once. Default: 90 % of the descriptor limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_viewers: Option<usize>,
    /// Streams open at once for one principal. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_viewers_per_principal: Option<usize>,
    /// Streams open at once for one address; an IPv6 address counts by its /64. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_viewers_per_address: Option<usize>,
    /// Connections to the public address. Default: the descriptor limit less a reserve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// The body of a beat or of a goodbye. Default: 2 MiB.
    pub max_body_bytes: usize,
    /// The head of a request. Default: 64 KiB, room for a token that lists some thousand guilds.
    pub max_head_bytes: usize,
    /// How long the head of a request may take, from the moment it may begin; idle connections end
    /// by it too. Default: 12.5 s, which is not a round number, so that a bot that beats every 10
    /// or 15 s does not send into a connection that is just being closed.
    pub head_timeout_ms: u64,
    /// How long the body of a request may take. Default: 10 s.
    pub body_timeout_ms: u64,
    /// Whose `X-Forwarded-For` counts. Default: nobody's.
    pub trusted_proxies: Vec<Proxy>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_viewers: None,
            max_viewers_per_principal: None,
            max_viewers_per_address: None,
            max_connections: None,
            max_body_bytes: MAX_BODY_BYTES,
            max_head_bytes: 64 * 1024,
            head_timeout_ms: 12_500,
            body_timeout_ms: 10_000,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The limits as flags and environment variables.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LimitFlags {
    /// Streams open at once [default: 90 % of the descriptor limit]
    #[arg(long, env = "GUILDPULSE_MAX_VIEWERS", value_name = "NUMBER", value_parser = setting::<usize>)]
    max_viewers: Option<Setting<usize>>,
    /// Streams open at once for one principal [default: no limit]
    #[arg(long, env = "GUILDPULSE_MAX_VIEWERS_PER_PRINCIPAL", value_name = "NUMBER", value_parser = setting::<usize>)]
    max_viewers_per_principal: Option<Setting<usize>>,
    /// Streams open at once for one address, an IPv6 address by its /64 [default: no limit]
    #[arg(long, env = "GUILDPULSE_MAX_VIEWERS_PER_ADDRESS", value_name = "NUMBER", value_parser = setting::<usize>)]
    max_viewers_per_address: Option<Setting<usize>>,
    /// Connections to the public address [default: the descriptor limit less a reserve]
    #[arg(long, env = "GUILDPULSE_MAX_CONNECTIONS", value_name = "NUMBER", value_parser = setting::<usize>)]
    max_connections: Option<Setting<usize>>,
    /// The largest body of a request [default: 2097152]
    #[arg(long, env = "GUILDPULSE_MAX_BODY_BYTES", value_name = "BYTES", value_parser = setting::<usize>)]
    max_body_bytes: Option<Setting<usize>>,
    /// The largest head of a request [default: 65536]
    #[arg(long, env = "GUILDPULSE_MAX_HEAD_BYTES", value_name = "BYTES", value_parser = setting::<usize>)]
    max_head_bytes: Option<Setting<usize>>,
    /// How long the head of a request may take [default: 12500]
    #[arg(long, env = "GUILDPULSE_HEAD_TIMEOUT_MS", value_name = "MS", value_parser = setting::<u64>)]
    head_timeout_ms: Option<Setting<u64>>,
    /// How long the body of a request may take [default: 10000]
    #[arg(long, env = "GUILDPULSE_BODY_TIMEOUT_MS", value_name = "MS", value_parser = setting::<u64>)]
    body_timeout_ms: Option<Setting<u64>>,
    /// Addresses or networks whose X-Forwarded-For counts, separated by commas
    #[arg(long = "trusted-proxy", env = "GUILDPULSE_TRUSTED_PROXIES", value_name = "IP", value_delimiter = ',', value_parser = setting::<Proxy>)]
    trusted_proxies: Option<Vec<Setting<Proxy>>>,
}

impl Limits {
    pub(super) fn load(flags: LimitFlags, file: &File) -> Self {
        let default = Self::default();
        Self {
            max_viewers: set(flags.max_viewers).or(file.max_viewers),
            max_viewers_per_principal: set(flags.max_viewers_per_principal).or(file.max_viewers_per_principal),
            max_viewers_per_address: set(flags.max_viewers_per_address).or(file.max_viewers_per_address),
            max_connections: set(flags.max_connections).or(file.max_connections),
            max_body_bytes: set(flags.max_body_bytes).or(file.max_body_bytes).unwrap_or(default.max_body_bytes),
            max_head_bytes: set(flags.max_head_bytes).or(file.max_head_bytes).unwrap_or(default.max_head_bytes),
            head_timeout_ms: set(flags.head_timeout_ms).or(file.head_timeout_ms).unwrap_or(default.head_timeout_ms),
            body_timeout_ms: set(flags.body_timeout_ms).or(file.body_timeout_ms).unwrap_or(default.body_timeout_ms),
            trusted_proxies: listed(flags.trusted_proxies).or_else(|| file.trusted_proxies.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // No kernel gives a process more descriptors by default than 2²⁰; there is room above it.
        const MOST_PLACES: u64 = 1 << 24;
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let places = [
            ("max_viewers", self.max_viewers),
            ("max_viewers_per_principal", self.max_viewers_per_principal),
            ("max_viewers_per_address", self.max_viewers_per_address),
            ("max_connections", self.max_connections),
        ];
        let places = places.into_iter().filter_map(|(name, value)| Some((name, number(value?), 1..=MOST_PLACES)));
        let sizes = [
            ("max_body_bytes", number(self.max_body_bytes), 1024..=64 << 20),
            // HTTP has to fit in, and the whole of it is kept for each connection.
            ("max_head_bytes", number(self.max_head_bytes), 8192..=1 << 20),
            ("head_timeout_ms", self.head_timeout_ms, 100..=600_000),
            ("body_timeout_ms", self.body_timeout_ms, 100..=600_000),
        ];
        places.chain(sizes).try_for_each(|(name, value, range)| in_range(name, value, range))
    }
}

/// An address or a network in front of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy(IpNet);

/// The text is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is an IP address or a network, such as 10.0.0.7 or 10.0.0.0/8")]
pub struct InvalidProxy;

impl Proxy {
    /// Whether the address is the proxy's, or in its network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| InvalidProxy)?;
        Ok(Self(canonical(network)))
    }
}

/// A network of IPv4-mapped addresses as the IPv4 network that it is.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let address = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let network = address.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    network.map_or(IpNet::V6(mapped), IpNet::V4)
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_or_a_network_and_mapped_ipv4_is_ipv4() {
        for (text, shown) in [
            ("10.0.0.7", "10.0.0.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Proxy>().unwrap().to_string(), shown);
        }
        for text in ["", "*", "proxy.example", "10.0.0.7:80", "10.0.0.0/33", "10.0.0", "::/129"] {
            assert_eq!(text.parse::<Proxy>(), Err(InvalidProxy), "{text}");
        }
        let network: Proxy = "10.0.0.0/8".parse().unwrap();
        assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_number_out_of_its_range_is_told_in_one_line() {
        for (limits, said) in [
            (Limits { max_viewers: Some(0), ..Limits::default() }, "max_viewers is 0; it has to be 1 to 16777216"),
            (Limits { max_head_bytes: 100, ..Limits::default() }, "max_head_bytes is 100; it has to be 8192 to 1048576"),
            (Limits { head_timeout_ms: 0, ..Limits::default() }, "head_timeout_ms is 0; it has to be 100 to 600000"),
        ] {
            assert_eq!(limits.check().unwrap_err().to_string(), said);
        }
        assert!(Limits::default().check().is_ok());
    }
}
