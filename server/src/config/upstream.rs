//! The backend of a gateway.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use url::Url;

use super::{ConfigError, File, Secret, Setting, environment, in_range, set, setting};
use crate::wire::{Pointer, Pointers};

/// Where a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend(Url);

/// The text is not the address of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a backend is http:// or https:// with a host, perhaps a port and a path, such as http://backend:3001")]
pub struct InvalidBackend;

impl Backend {
    /// The address, to which `/api/v1/…` is added.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for Backend {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        let url: Url = text.parse().map_err(|_| InvalidBackend)?;
        let is_bare =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if is_bare && url.has_host() && matches!(url.scheme(), "http" | "https") {
            Ok(Self(url))
        } else {
            Err(InvalidBackend)
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Backend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Backend {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How statuses are asked for that a backend knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpstreamSettings {
    /// The backend. Default: none; then statuses come from beats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Backend>,
    /// The token by which guilds are followed at the backend. Default: that of a viewer who is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_token: Option<Secret>,
    /// A file of certificates in PEM, of authorities that count besides those of the system. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ca: Option<PathBuf>,
    /// Where the backend says what.
    #[serde(flatten)]
    pub pointers: Pointers,
    /// Whether what the backend says of a guild differs from user to user. Default: false.
    pub per_viewer: bool,
    /// How many streams of the backend may be open at once. Other guilds are asked for one by one. Default: 1000.
    pub max_upstream_streams: usize,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            upstream: None,
            upstream_token: None,
            upstream_ca: None,
            pointers: Pointers::default(),
            per_viewer: false,
            max_upstream_streams: 1000,
        }
    }
}

/// The same as flags and environment variables.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct UpstreamFlags {
    /// Backend that knows the statuses: serve as a gateway to it, and take no beats
    #[arg(long, env = "GUILDPULSE_UPSTREAM", value_name = "URL", value_parser = setting::<Backend>)]
    upstream: Option<Setting<Backend>>,
    /// Certificates of authorities, in PEM, that the backend's may be signed by
    #[arg(long, env = "GUILDPULSE_UPSTREAM_CA", value_name = "FILE", value_parser = setting::<PathBuf>)]
    upstream_ca: Option<Setting<PathBuf>>,
    /// Where the backend says whether the bot works [default: /healthy]
    #[arg(long, env = "GUILDPULSE_UPSTREAM_HEALTHY", value_name = "POINTER", value_parser = setting::<Pointer>)]
    upstream_healthy: Option<Setting<Pointer>>,
    /// Where the backend says when the bot was heard last [default: /lastHeartbeat]
    #[arg(long, env = "GUILDPULSE_UPSTREAM_LAST_HEARTBEAT", value_name = "POINTER", value_parser = setting::<Pointer>)]
    upstream_last_heartbeat: Option<Setting<Pointer>>,
    /// Where the backend says which version the bot is [default: /version]
    #[arg(long, env = "GUILDPULSE_UPSTREAM_VERSION", value_name = "POINTER", value_parser = setting::<Pointer>)]
    upstream_version: Option<Setting<Pointer>>,
    /// What the backend says of a guild differs from user to user: follow it for each token [default: false]
    #[arg(long, env = "GUILDPULSE_PER_VIEWER", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = setting::<bool>)]
    per_viewer: Option<Setting<bool>>,
    /// Streams of the backend open at once [default: 1000]
    #[arg(long, env = "GUILDPULSE_MAX_UPSTREAM_STREAMS", value_name = "NUMBER", value_parser = setting::<usize>)]
    max_upstream_streams: Option<Setting<usize>>,
}

impl UpstreamSettings {
    pub(super) fn load(flags: UpstreamFlags, file: &File) -> Result<Self, ConfigError> {
        let default = Self::default();
        let at = |flag, file: &Option<Pointer>, default| set(flag).or_else(|| file.clone()).unwrap_or(default);
        Ok(Self {
            upstream: set(flags.upstream).or_else(|| file.upstream.clone()),
            upstream_token: environment("GUILDPULSE_UPSTREAM_TOKEN")?
                .map(Secret::new)
                .or_else(|| file.upstream_token.clone()),
            upstream_ca: set(flags.upstream_ca).or_else(|| file.upstream_ca.clone()),
            pointers: Pointers {
                healthy: at(flags.upstream_healthy, &file.upstream_healthy, default.pointers.healthy),
                last_heartbeat: at(
                    flags.upstream_last_heartbeat,
                    &file.upstream_last_heartbeat,
                    default.pointers.last_heartbeat,
                ),
                version: at(flags.upstream_version, &file.upstream_version, default.pointers.version),
            },
            per_viewer: set(flags.per_viewer).or(file.per_viewer).unwrap_or(default.per_viewer),
            max_upstream_streams: set(flags.max_upstream_streams)
                .or(file.max_upstream_streams)
                .unwrap_or(default.max_upstream_streams),
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.per_viewer && self.upstream_token.is_some() {
            let said = "per_viewer asks with the token of each user, so upstream_token is of no use: choose one";
            return Err(ConfigError::Contradiction(said));
        }
        let streams = u64::try_from(self.max_upstream_streams).unwrap_or(u64::MAX);
        in_range("max_upstream_streams", streams, 0..=1 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::Backend;

    #[test]
    fn a_backend_is_a_host_and_perhaps_a_path_and_holds_no_secret() {
        for text in ["http://backend:3001", "https://backend.example/bot", "http://[::1]:80/"] {
            assert!(text.parse::<Backend>().is_ok(), "{text}");
        }
        for text in [
            "backend:3001",
            "",
            "ftp://backend",
            "http://u@backend",
            "http://u:p@backend",
            "http://backend?x",
            "http://backend#x",
        ] {
            assert!(text.parse::<Backend>().is_err(), "{text}");
        }
    }
}
