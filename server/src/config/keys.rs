//! Settings of the tokens of viewers and operators: who signs them, and what they must say.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, File, Secret, Setting, environment, set, setting};

/// What takes effect without a restart, when the settings are read again.
const RELOADED: [&str; 7] =
    ["jwt_algorithm", "jwt_keys", "jwt_issuer", "jwt_audience", "jwt_secret", "jwt_previous_secret", "bot_token"];

/// How tokens are signed (RFC 7518, section 3.1, and RFC 8037).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwtAlgorithm {
    /// With a secret that this server knows, so that it can sign, too.
    #[default]
    #[serde(rename = "HS256")]
    Hs256,
    /// With an Ed25519 key.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// With an RSA key.
    #[serde(rename = "RS256")]
    Rs256,
    /// With a P-256 key.
    #[serde(rename = "ES256")]
    Es256,
}

/// The text is not the name of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is HS256, EdDSA, RS256 or ES256")]
pub struct InvalidAlgorithm;

impl JwtAlgorithm {
    /// The name that a token's header gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl FromStr for JwtAlgorithm {
    type Err = InvalidAlgorithm;

    fn from_str(text: &str) -> Result<Self, InvalidAlgorithm> {
        let all = [Self::Hs256, Self::EdDsa, Self::Rs256, Self::Es256];
        all.into_iter().find(|algorithm| algorithm.name() == text).ok_or(InvalidAlgorithm)
    }
}

/// Whose tokens count. The secret for HS256 is [`Config::jwt_secret`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeySettings {
    /// How the tokens of viewers and operators are signed. A token's own header decides nothing.
    /// Default: HS256.
    pub jwt_algorithm: JwtAlgorithm,
    /// The public keys for the other algorithms: a PEM file with one, or a JWK set. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_keys: Option<PathBuf>,
    /// Who must have made the tokens (`iss`). Default: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_issuer: Option<String>,
    /// Whom the tokens must be for (`aud`). Default: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_audience: Option<String>,
    /// The secret before the last rotation (HS256): verifies, never signs. Default: that in
    /// `jwt-secret-previous` in the data folder, if the secret itself is there, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_previous_secret: Option<Secret>,
}

/// The same as flags and environment variables.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct KeyFlags {
    /// How tokens of viewers are signed: HS256, EdDSA, RS256 or ES256 [default: HS256]
    #[arg(long, env = "GUILDPULSE_JWT_ALGORITHM", value_name = "NAME", value_parser = setting::<JwtAlgorithm>)]
    jwt_algorithm: Option<Setting<JwtAlgorithm>>,
    /// Public keys for all but HS256: a PEM file with one, or a JWK set
    #[arg(long, env = "GUILDPULSE_JWT_KEYS", value_name = "FILE", value_parser = setting::<PathBuf>)]
    jwt_keys: Option<Setting<PathBuf>>,
    /// Who must have made the tokens (`iss`)
    #[arg(long, env = "GUILDPULSE_JWT_ISSUER", value_name = "TEXT", value_parser = setting::<String>)]
    jwt_issuer: Option<Setting<String>>,
    /// Whom the tokens must be for (`aud`)
    #[arg(long, env = "GUILDPULSE_JWT_AUDIENCE", value_name = "TEXT", value_parser = setting::<String>)]
    jwt_audience: Option<Setting<String>>,
}

impl KeyFlags {
    /// The settings that flags, environment and file add up to.
    pub(super) fn over(self, file: &mut File) -> Result<KeySettings, ConfigError> {
        let previous = environment("GUILDPULSE_JWT_PREVIOUS_SECRET")?.map(Secret::new);
        Ok(KeySettings {
            jwt_algorithm: set(self.jwt_algorithm).or(file.jwt_algorithm).unwrap_or_default(),
            jwt_keys: set(self.jwt_keys).or(file.jwt_keys.take()),
            jwt_issuer: set(self.jwt_issuer).or(file.jwt_issuer.take()),
            jwt_audience: set(self.jwt_audience).or(file.jwt_audience.take()),
            jwt_previous_secret: previous.or(file.jwt_previous_secret.take()),
        })
    }
}

impl Config {
    /// Whether the settings of keys fit each other.
    pub(super) fn check_keys(&self) -> Result<(), ConfigError> {
        let KeySettings { jwt_algorithm, jwt_keys, jwt_previous_secret, .. } = &self.keys;
        if *jwt_algorithm == JwtAlgorithm::Hs256 {
            return if jwt_keys.is_none() { Ok(()) } else { Err(ConfigError::KeysForHs256) };
        }
        self.public_keys()?;
        let secrets = [("jwt_secret", &self.jwt_secret), ("jwt_previous_secret", jwt_previous_secret)];
        match secrets.into_iter().find(|(_, secret)| secret.is_some()) {
            Some((name, _)) => Err(ConfigError::SecretForKeys { name, algorithm: jwt_algorithm.name() }),
            None => Ok(()),
        }
    }

    /// The file of public keys.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn public_keys(&self) -> Result<&Path, ConfigError> {
        let algorithm = self.keys.jwt_algorithm.name();
        self.keys.jwt_keys.as_deref().ok_or(ConfigError::MissingKeys { algorithm })
    }

    /// The settings that differ from those which a server was started with, and that it takes only
    /// at its next start. Secrets that need a restart would not be noticed here; there are none.
    pub fn waiting_for_restart(&self, started: &Self) -> Vec<String> {
        // A value that TOML cannot write would only keep the hint away; it must not end the server.
        let table = |config| toml::Table::try_from(config).unwrap_or_default();
        let (new, old) = (table(self), table(started));
        let mut names: Vec<_> = new.keys().chain(old.keys()).filter(|name| new.get(*name) != old.get(*name)).collect();
        names.retain(|name| !RELOADED.contains(&name.as_str()));
        names.sort();
        names.dedup();
        names.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn settings_of_keys_that_do_not_fit_each_other_say_what_to_do() {
        let secret = "s".repeat(32);
        for (file, said) in [
            (
                "jwt_algorithm = \"RS256\"",
                "jwt_algorithm RS256 needs jwt_keys, the path of a PEM public key or of a JWK set",
            ),
            (
                "jwt_keys = \"k\"",
                "jwt_keys is not for HS256: set jwt_algorithm to EdDSA, RS256 or ES256, or remove jwt_keys",
            ),
            (
                &format!("jwt_algorithm = \"EdDSA\"\njwt_keys = \"k\"\njwt_secret = \"{secret}\""),
                "jwt_secret is not for EdDSA: remove it, or set jwt_algorithm to HS256",
            ),
            (
                &format!("jwt_algorithm = \"ES256\"\njwt_keys = \"k\"\njwt_previous_secret = \"{secret}\""),
                "jwt_previous_secret is not for ES256: remove it, or set jwt_algorithm to HS256",
            ),
            ("jwt_previous_secret = \"short\"", "jwt_previous_secret has 5 bytes; it needs at least 32"),
        ] {
            assert_eq!(load(file).unwrap_err(), said);
        }
        for unknown in ["none", "hs256", "HS384", ""] {
            assert!(load(&format!("jwt_algorithm = \"{unknown}\"")).is_err(), "{unknown}");
        }
    }

    #[test]
    fn only_what_is_taken_at_the_next_start_waits_for_a_restart() {
        let started = load("listen = \"127.0.0.1:1\"\njwt_issuer = \"a\"").unwrap();
        assert_eq!(load("listen = \"127.0.0.1:1\"").unwrap().waiting_for_restart(&started), [""; 0]);
        let changed = load("cors_origins = [\"https://a.example\"]\nadmin_listen = \"127.0.0.1:2\"").unwrap();
        assert_eq!(changed.waiting_for_restart(&started), ["admin_listen", "cors_origins", "listen"]);
        assert_eq!(started.waiting_for_restart(&changed), ["admin_listen", "cors_origins", "listen"]);
    }
}
