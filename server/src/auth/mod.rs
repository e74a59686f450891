//! Who is asking, and what they may see.
//!
//! A credential becomes a [`Principal`] here or the request ends. Tokens never reach a log or an
//! error: what is wrong with one is told by a code and the name of the check that it failed.

mod bots;
mod claims;
mod fault;
mod jwt;
mod keys;
mod origin;
mod secrets;

use std::sync::{Arc, PoisonError, RwLock};

use crate::clock;
use crate::config::{Config, JwtAlgorithm, Secret};
use crate::wire::{Code, GuildId, Problem, UnixMillis};

use bots::BotTokens;
pub use bots::InvalidName;
pub use claims::{Claims, Guilds};
use fault::Fault;
use jwt::Jwt;
pub use jwt::LEEWAY;
pub use keys::InvalidKeys;
use keys::{Keys, PublicKeys};
pub use origin::{OriginPolicy, Source};
use secrets::Folder;
pub use secrets::SecretsError;

/// Somebody whose credential is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A bot process; may only beat.
    Bot,
    /// Somebody who may see these guilds, until then.
    Viewer {
        /// Who (`sub`).
        subject: Arc<str>,
        /// Which.
        guilds: Guilds,
        /// When the token ends, leeway included.
        until: UnixMillis,
    },
    /// May read everything, until then.
    Operator {
        /// Who (`sub`), if the token says so.
        subject: Option<Arc<str>>,
        /// When the token ends, leeway included.
        until: UnixMillis,
    },
}

/// Whose a permission is, to count by: the kind of principal and its `sub`. All operators without
/// a `sub` are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A viewer.
    Viewer(Arc<str>),
    /// An operator.
    Operator(Option<Arc<str>>),
}

/// Guilds that a principal may see. There is no other way to make one but to ask, so that no
/// status leaves without a permission.
#[derive(Debug, Clone)]
pub struct Permitted {
    guilds: Vec<GuildId>,
    until: UnixMillis,
    holder: Holder,
}

impl Permitted {
    /// Whose the permission is.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The guilds.
    pub fn guilds(&self) -> &[GuildId] {
        &self.guilds
    }

    /// The guilds, to keep.
    pub fn into_guilds(self) -> Vec<GuildId> {
        self.guilds
    }

    /// When the permission ends.
    pub fn until(&self) -> UnixMillis {
        self.until
    }
}

impl Principal {
    /// Asks to see the guilds.
    ///
    /// # Errors
    ///
    /// `guild_not_allowed`, naming the first guild that the token does not list.
    pub fn may_watch(&self, guilds: Vec<GuildId>) -> Result<Permitted, Problem> {
        let (until, holder, foreign) = match self {
            Self::Operator { until, subject } => (*until, Holder::Operator(subject.clone()), None),
            Self::Viewer { guilds: allowed, until, subject } => {
                let foreign = guilds.iter().find(|guild| !allowed.contains(**guild));
                (*until, Holder::Viewer(subject.clone()), foreign)
            }
            Self::Bot => {
                return Err(Problem::new(Code::GuildNotAllowed, "a bot's token may only beat; ask with a viewer's token"));
            }
        };
        match foreign {
            Some(guild) => Err(Problem::new(Code::GuildNotAllowed, format!("the token does not list guild {guild}"))),
            None => Ok(Permitted { guilds, until, holder }),
        }
    }

    /// Asks to see everything.
    ///
    /// # Errors
    ///
    /// `operator_required`.
    pub fn may_operate(&self) -> Result<(), Problem> {
        match self {
            Self::Operator { .. } => Ok(()),
            Self::Bot | Self::Viewer { .. } => Err(Problem::new(Code::OperatorRequired, "this takes an operator's token")),
        }
    }

    /// Asks to beat.
    ///
    /// # Errors
    ///
    /// `bot_required`.
    pub fn may_beat(&self) -> Result<(), Problem> {
        match self {
            Self::Bot => Ok(()),
            Self::Operator { .. } | Self::Viewer { .. } => Err(Problem::new(Code::BotRequired, "this takes a bot's token")),
        }
    }
}

/// Tells good credentials from bad ones.
#[derive(Debug)]
pub struct Authenticator {
    /// Replaced as a whole, so that no request sees one half of old and one half of new.
    trust: RwLock<Arc<Trust>>,
}

/// All that a credential is held against.
#[derive(Debug)]
struct Trust {
    bots: BotTokens,
    jwt: Jwt,
}

impl Authenticator {
    /// Opens the keys and secrets that the configuration names, and makes those secrets that it
    /// does not; returns what was made, in words.
    ///
    /// # Errors
    ///
    /// When the data folder or a file of keys cannot be used.
    pub fn open(config: &Config) -> Result<(Self, Vec<String>), SecretsError> {
        let (trust, made) = Trust::open(config)?;
        Ok((Self { trust: RwLock::new(Arc::new(trust)) }, made))
    }

    /// Opens them again. Whoever is let in already stays; who asks from now on is held against the
    /// new ones. Returns what was made.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); then the old ones stay in force.
    pub fn reload(&self, config: &Config) -> Result<Vec<String>, SecretsError> {
        let (trust, made) = Trust::open(config)?;
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        Ok(made)
    }

    /// Whose the credential is.
    ///
    /// # Errors
    ///
    /// `expired_credential` for a token that was good once, else `invalid_credential`; the detail
    /// names the check that failed.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, Problem> {
        let trust = self.trust.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(trust.authenticate(credential)?)
    }
}

impl Trust {
    fn open(config: &Config) -> Result<(Self, Vec<String>), SecretsError> {
        let mut folder = Folder::new(&config.data);
        let keys = match PublicKeys::of(config.keys.jwt_algorithm) {
            None => {
                let secret = folder.jwt_secret(config.jwt_secret.as_ref())?;
                Keys::secrets(&secret, folder.previous_jwt_secret(config)?.as_ref())
            }
            Some(keys) => keys.read(config.public_keys()?)?,
        };
        let jwt = Jwt::new(&config.keys, keys);
        let bots = BotTokens::new(config.bot_token.as_ref(), folder.bot_tokens(config.bot_token.as_ref())?);
        Ok((Self { bots, jwt }, folder.made))
    }

    fn authenticate(&self, credential: &str) -> Result<Principal, Fault> {
        let known = self.bots.find(credential).is_some();
        let verified = if known { Err(Fault::NotAToken) } else { self.jwt.verify(credential) };
        if verified.is_ok() {
            return verified;
        }
        // Before a token counts as a bot's, and before it counts as nobody's, the newest list of
        // bots is asked.
        self.bots.refresh();
        match self.bots.find(credential) {
            Some(until) if until <= clock::wall() => Err(Fault::Expired),
            Some(_) => Ok(Principal::Bot),
            None => verified,
        }
    }
}

/// Signs a token for a viewer or an operator with the secret of this configuration, which is made
/// if there is none.
///
/// # Errors
///
/// When the data folder cannot be used, or tokens are signed by somebody else.
pub fn mint(config: &Config, claims: &Claims) -> Result<String, SecretsError> {
    let algorithm = config.keys.jwt_algorithm;
    if algorithm != JwtAlgorithm::Hs256 {
        return Err(SecretsError::NotOurs(algorithm.name()));
    }
    let secret = Folder::new(&config.data).jwt_secret(config.jwt_secret.as_ref())?;
    Ok(jwt::sign(claims, &config.keys, &secret))
}

/// Makes a token for a bot, good until this Unix second or for ever. Its hash goes into the data
/// folder, from where a running server picks it up; the token itself is kept nowhere.
///
/// # Errors
///
/// When the name is not one, or the data folder cannot be used.
pub fn mint_bot(config: &Config, name: &str, until: Option<u64>) -> Result<String, SecretsError> {
    let token = bots::generate();
    Folder::new(&config.data).add_bot_token(&bots::line(name, &Secret::new(&token), until)?)?;
    Ok(token)
}
