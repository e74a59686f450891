//! Settings: flag, then environment, then file, then default, each read once and checked here.
//!
//! This is the only module that reads the environment.

mod keys;
mod limits;
mod log;
mod origin;
mod secret;
mod upstream;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};

pub use keys::{InvalidAlgorithm, JwtAlgorithm, KeySettings};
pub use limits::{InvalidProxy, Limits, Proxy};
pub use log::{InvalidLogFormat, LogFormat};
pub use origin::{InvalidOrigin, Origin};
pub use secret::Secret;
pub use upstream::{Backend, InvalidBackend, UpstreamSettings};

use crate::wire::Pointer;
use keys::KeyFlags;

/// The shortest secret for HS256: as long as the hash (RFC 7518, section 3.2).
pub const MIN_JWT_SECRET_BYTES: usize = 32;

/// The settings that are in force. Every field can be set by the key of its name in the file, by
/// the flag of its name (but for secrets) and by the environment variable `GUILDPULSE_…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Where the server listens. Default: `127.0.0.1:3001`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// A second address, not for the public: metrics, readiness with its reason, and beats.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_listen: Option<SocketAddr>,
    /// The folder for secrets and for everything that outlives a restart. Default:
    /// `./guildpulse-data`.
    pub data: PathBuf,
    /// A simulated bot, and everything in memory: for a look around. Default: false.
    pub demo: bool,
    /// How the log is written. Default: `human`.
    pub log_format: LogFormat,
    /// How many days lines of the transition log are kept. Default: 100.
    pub retention_days: u32,
    /// How many seconds a stop gives the streams to end, from 0 to 600. Default: 5, which is below
    /// the 10 after which container runtimes kill.
    pub drain_seconds: u32,
    /// The origin at which browsers reach the server. Default: that of the `Host` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Origin>,
    /// Other origins whose pages may use the server, also with cookies. Default: none.
    pub cors_origins: Vec<Origin>,
    /// Signs the tokens of viewers and operators (HS256). Default: made at the first start, in
    /// `jwt-secret` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_secret: Option<Secret>,
    /// The token of the bot. Default: made at the first start, in `bot-token` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<Secret>,
    /// Whose tokens count.
    #[serde(flatten)]
    pub keys: KeySettings,
    /// What the server takes on at most.
    #[serde(flatten)]
    pub limits: Limits,
    /// The backend, if there is one.
    #[serde(flatten)]
    pub upstream: UpstreamSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)),
            admin_listen: None,
            data: PathBuf::from("./guildpulse-data"),
            demo: false,
            log_format: LogFormat::Human,
            retention_days: 100,
            drain_seconds: 5,
            public_url: None,
            cors_origins: Vec::new(),
            jwt_secret: None,
            bot_token: None,
            keys: KeySettings::default(),
            limits: Limits::default(),
            upstream: UpstreamSettings::default(),
        }
    }
}

/// Settings as flags and, where clap reads them, environment variables.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Address to listen on [default: 127.0.0.1:3001]
    #[arg(long, env = "GUILDPULSE_LISTEN", value_name = "ADDR", value_parser = setting::<SocketAddr>)]
    listen: Option<Setting<SocketAddr>>,
    /// Second address, not for the public: metrics, readiness with its reason, and beats
    #[arg(long, env = "GUILDPULSE_ADMIN_LISTEN", value_name = "ADDR", value_parser = setting::<SocketAddr>)]
    admin_listen: Option<Setting<SocketAddr>>,
    /// Simulate a bot and keep everything in memory, for a look around [default: false]
    #[arg(long, env = "GUILDPULSE_DEMO", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = setting::<bool>)]
    demo: Option<Setting<bool>>,
    /// How to write the log: human or json [default: human]
    #[arg(long, env = "GUILDPULSE_LOG_FORMAT", value_name = "FORMAT", value_parser = setting::<LogFormat>)]
    log_format: Option<Setting<LogFormat>>,
    /// Origin at which browsers reach this server, with its scheme
    #[arg(long, env = "GUILDPULSE_PUBLIC_URL", value_name = "URL", value_parser = setting::<Origin>)]
    public_url: Option<Setting<Origin>>,
    /// Other origins whose pages may use this server, separated by commas
    #[arg(long, env = "GUILDPULSE_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', value_parser = setting::<Origin>)]
    cors_origins: Option<Vec<Setting<Origin>>>,
    /// Days for which the transition log is kept [default: 100]
    #[arg(long, env = "GUILDPULSE_RETENTION_DAYS", value_name = "DAYS", value_parser = setting::<u32>)]
    retention_days: Option<Setting<u32>>,
    /// Seconds that a stop gives the streams to end [default: 5]
    #[arg(long, env = "GUILDPULSE_DRAIN_SECONDS", value_name = "SECONDS", value_parser = setting::<u32>)]
    drain_seconds: Option<Setting<u32>>,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    limits: limits::LimitFlags,
    #[command(flatten)]
    upstream: upstream::UpstreamFlags,
}

/// What every command needs that makes or checks tokens: data folder, settings file and keys.
#[derive(Debug, Clone, Default, Args)]
pub struct DataFlags {
    /// Folder for secrets and everything that outlives a restart [default: ./guildpulse-data]
    #[arg(long, env = "GUILDPULSE_DATA", value_name = "DIR", value_parser = setting::<PathBuf>)]
    data: Option<Setting<PathBuf>>,
    /// Settings as a TOML file; flags and environment variables win over it
    #[arg(long, env = "GUILDPULSE_CONFIG", value_name = "FILE", value_parser = setting::<PathBuf>)]
    config: Option<Setting<PathBuf>>,
    #[command(flatten)]
    keys: KeyFlags,
}

/// The value of a flag or a variable. An empty one counts as not set, because that is how compose
/// files pass on what nobody has set.
#[derive(Debug, Clone)]
struct Setting<T>(Option<T>);

fn setting<T: FromStr>(text: &str) -> Result<Setting<T>, T::Err> {
    if text.is_empty() { Ok(Setting(None)) } else { text.parse().map(|value| Setting(Some(value))) }
}

/// The values of a flag that takes several, if there are any.
fn listed<T>(values: Option<Vec<Setting<T>>>) -> Option<Vec<T>> {
    let values: Vec<T> = values?.into_iter().filter_map(|Setting(value)| value).collect();
    Some(values).filter(|values| !values.is_empty())
}

fn in_range(name: &'static str, value: u64, range: RangeInclusive<u64>) -> Result<(), ConfigError> {
    let (least, most) = range.into_inner();
    if (least..=most).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { name, value, least, most }) }
}

/// What was set, if it was.
fn set<T>(value: Option<Setting<T>>) -> Option<T> {
    value.and_then(|Setting(value)| value)
}

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    admin_listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    demo: Option<bool>,
    log_format: Option<LogFormat>,
    retention_days: Option<u32>,
    drain_seconds: Option<u32>,
    public_url: Option<Origin>,
    cors_origins: Option<Vec<Origin>>,
    jwt_secret: Option<Secret>,
    bot_token: Option<Secret>,
    jwt_algorithm: Option<JwtAlgorithm>,
    jwt_keys: Option<PathBuf>,
    jwt_issuer: Option<String>,
    jwt_audience: Option<String>,
    jwt_previous_secret: Option<Secret>,
    max_viewers: Option<usize>,
    max_viewers_per_principal: Option<usize>,
    max_viewers_per_address: Option<usize>,
    max_connections: Option<usize>,
    max_body_bytes: Option<usize>,
    max_head_bytes: Option<usize>,
    head_timeout_ms: Option<u64>,
    body_timeout_ms: Option<u64>,
    trusted_proxies: Option<Vec<Proxy>>,
    upstream: Option<Backend>,
    upstream_token: Option<Secret>,
    upstream_ca: Option<PathBuf>,
    upstream_healthy: Option<Pointer>,
    upstream_last_heartbeat: Option<Pointer>,
    upstream_version: Option<Pointer>,
    per_viewer: Option<bool>,
    max_upstream_streams: Option<usize>,
}

/// The settings cannot be used. One line that says which and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("cannot read the settings file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings file is not what it should be.
    #[error("{path}:{line}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was wrong.
        message: String,
    },
    /// A secret is too short to be one.
    #[error("{name} has {length} bytes; it needs at least {least}")]
    ShortSecret {
        /// The setting.
        name: &'static str,
        /// How long it is.
        length: usize,
        /// How long it has to be.
        least: usize,
    },
    /// Public keys, and nothing to use them for.
    #[error("jwt_keys is not for HS256: set jwt_algorithm to EdDSA, RS256 or ES256, or remove jwt_keys")]
    KeysForHs256,
    /// An algorithm with public keys, and no keys.
    #[error("jwt_algorithm {algorithm} needs jwt_keys, the path of a PEM public key or of a JWK set")]
    MissingKeys {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// An algorithm with public keys, and a secret.
    #[error("{name} is not for {algorithm}: remove it, or set jwt_algorithm to HS256")]
    SecretForKeys {
        /// The setting.
        name: &'static str,
        /// The algorithm.
        algorithm: &'static str,
    },
    /// Two settings that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// An environment variable is not text.
    #[error("the environment variable {0} is not valid UTF-8")]
    NotText(&'static str),
    /// A number is too small or too large to work with.
    #[error("{name} is {value}; it has to be {least} to {most}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// The smallest that works.
        least: u64,
        /// The largest that works.
        most: u64,
    },
}

impl Config {
    /// The settings that the flags, the environment and the file add up to.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, has an unknown key or a value that does not fit, when a secret
    /// is too short, or when the settings of keys do not fit each other.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let mut file = match set(flags.data.config) {
            Some(path) => File::read(&path)?,
            None => File::default(),
        };
        let keys = flags.data.keys.over(&mut file)?;
        let default = Self::default();
        let limits = Limits::load(flags.limits, &file);
        let upstream = UpstreamSettings::load(flags.upstream, &file)?;
        let config = Self {
            listen: set(flags.listen).or(file.listen).unwrap_or(default.listen),
            admin_listen: set(flags.admin_listen).or(file.admin_listen),
            data: set(flags.data.data).or(file.data).unwrap_or(default.data),
            demo: set(flags.demo).or(file.demo).unwrap_or(default.demo),
            log_format: set(flags.log_format).or(file.log_format).unwrap_or(default.log_format),
            retention_days: set(flags.retention_days).or(file.retention_days).unwrap_or(default.retention_days),
            drain_seconds: set(flags.drain_seconds).or(file.drain_seconds).unwrap_or(default.drain_seconds),
            public_url: set(flags.public_url).or(file.public_url),
            cors_origins: listed(flags.cors_origins).or(file.cors_origins).unwrap_or_default(),
            jwt_secret: environment("GUILDPULSE_JWT_SECRET")?.map(Secret::new).or(file.jwt_secret),
            bot_token: environment("GUILDPULSE_BOT_TOKEN")?.map(Secret::new).or(file.bot_token),
            keys,
            limits,
            upstream,
        };
        config.check()?;
        config.limits.check()?;
        config.upstream.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        // A bot token is compared, not computed with; 16 bytes are beyond guessing.
        let secrets = [
            ("jwt_secret", &self.jwt_secret, MIN_JWT_SECRET_BYTES),
            ("jwt_previous_secret", &self.keys.jwt_previous_secret, MIN_JWT_SECRET_BYTES),
            ("bot_token", &self.bot_token, 16),
        ];
        for (name, secret, least) in secrets {
            let length = secret.as_ref().map_or(least, |secret| secret.reveal().len());
            if length < least {
                return Err(ConfigError::ShortSecret { name, length, least });
            }
        }
        if self.demo && self.upstream.upstream.is_some() {
            return Err(ConfigError::Contradiction(
                "demo simulates a bot, and upstream asks a backend about one: choose one",
            ));
        }
        in_range("retention_days", self.retention_days.into(), 1..=36_500)?;
        in_range("drain_seconds", self.drain_seconds.into(), 0..=600)?;
        self.check_keys()
    }
}

impl From<DataFlags> for Flags {
    fn from(data: DataFlags) -> Self {
        Self { data, ..Self::default() }
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
            // One line, whatever the parser says.
            let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            ConfigError::Malformed { path: path.to_owned(), line, message }
        })
    }
}

/// A variable of the environment; an empty one counts as not set.
///
/// # Errors
///
/// When it is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the configuration is where the environment is read")]
fn environment(name: &'static str) -> Result<Option<String>, ConfigError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(ConfigError::NotText(name)),
    }
}

/// The variables whose value is a secret, to be kept from child processes.
pub const SECRET_VARIABLES: [&str; 5] = [
    "GUILDPULSE_TOKEN",
    "GUILDPULSE_BOT_TOKEN",
    "GUILDPULSE_JWT_SECRET",
    "GUILDPULSE_JWT_PREVIOUS_SECRET",
    "GUILDPULSE_UPSTREAM_TOKEN",
];

/// The token of a client command, from `GUILDPULSE_TOKEN`.
///
/// # Errors
///
/// When it is not UTF-8.
pub fn client_token() -> Result<Option<Secret>, ConfigError> {
    Ok(environment("GUILDPULSE_TOKEN")?.map(Secret::new))
}

/// The path of this program, for whoever is to start it once more; its bare name if nobody knows.
pub fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "guildpulse".into())
}

/// The log filter, from `GUILDPULSE_LOG`.
///
/// # Errors
///
/// When it is not UTF-8.
pub fn log_filter() -> Result<Option<String>, ConfigError> {
    environment("GUILDPULSE_LOG")
}

/// What the terminal of a client command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether the cursor can be moved: `TERM` names a terminal, and not `dumb`.
    pub can_move: bool,
    /// Whether colours are welcome: `NO_COLOR` is not set.
    pub colours: bool,
}

/// What the environment says of the terminal.
///
/// # Errors
///
/// When it is not UTF-8.
pub fn terminal() -> Result<Terminal, ConfigError> {
    let can_move = environment("TERM")?.is_some_and(|kind| kind != "dumb");
    Ok(Terminal { can_move, colours: environment("NO_COLOR")?.is_none() })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn load(file: &str) -> Result<Config, String> {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let data = DataFlags { config: Some(Setting(Some(path.path().to_owned()))), ..DataFlags::default() };
        let name = path.path().display().to_string();
        Config::load(data.into()).map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    #[test]
    fn a_bad_settings_file_is_told_in_one_line_that_names_the_place() {
        assert_eq!(
            load("listen = \"127.0.0.1:80\"\nlissten = 1\n").unwrap_err().split(',').next().unwrap(),
            "FILE:2: unknown field `lissten`"
        );
        assert!(load("listen = 80").unwrap_err().starts_with("FILE:1: invalid type: integer `80`"));
        assert!(load("\n\nlisten = [").unwrap_err().starts_with("FILE:3: "));
        assert_eq!(load("jwt_secret = \"short\"").unwrap_err(), "jwt_secret has 5 bytes; it needs at least 32");
        for text in ["listen = ", "cors_origins = [\"*\"]", "x", "[listen]\n"] {
            assert_eq!(load(text).unwrap_err().lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let config = load("listen = \"127.0.0.1:80\"\ncors_origins = [\"https://a.example\"]").unwrap();
        assert_eq!(config.listen.port(), 80);
        assert_eq!(config.cors_origins, ["https://a.example".parse::<Origin>().unwrap()]);
        assert_eq!(config.data, Config::default().data);
    }

    #[test]
    fn the_effective_configuration_hides_its_secrets() {
        let config = load(&format!("jwt_secret = \"{}\"\nbot_token = \"{}\"", "s".repeat(32), "t".repeat(16))).unwrap();
        for shown in [toml::to_string(&config).unwrap(), format!("{config:?}")] {
            assert!(shown.contains("hidden") && !shown.contains("sss") && !shown.contains("ttt"), "{shown}");
        }
    }
}
