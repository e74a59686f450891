//! Who is asking, and what they may see.
//!
//! A credential becomes a [`Principal`] here or the request ends. Tokens never reach a log or an
//! error: what is wrong with one is told by a code.

mod bots;
mod jwt;
mod origin;
mod secrets;

use std::sync::Arc;

use crate::clock;
use crate::config::{Config, Secret};
use crate::wire::{Code, GuildId, Problem, UnixMillis};

use bots::BotTokens;
pub use bots::InvalidName;
use jwt::Jwt;
pub use jwt::{Claims, Guilds, LEEWAY};
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
        /// Which.
        guilds: Guilds,
        /// When the token ends, leeway included.
        until: UnixMillis,
        /// Whose token it is.
        subject: Option<Arc<str>>,
    },
    /// May read everything, until then.
    Operator {
        /// When the token ends, leeway included.
        until: UnixMillis,
        /// Whose token it is, if it says so.
        subject: Option<Arc<str>>,
    },
}

/// Whose a permission is, to count by: the kind of principal and its `sub`. All operators without
/// a `sub` are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A viewer.
    Viewer(Option<Arc<str>>),
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
    bots: BotTokens,
    jwt: Jwt,
}

impl Authenticator {
    /// Opens the secrets that the configuration names, and makes those that it does not; returns
    /// what was made, in words.
    ///
    /// # Errors
    ///
    /// When the data folder cannot be used.
    pub fn open(config: &Config) -> Result<(Self, Vec<String>), SecretsError> {
        let mut folder = Folder::new(&config.data);
        let jwt = Jwt::new(&folder.jwt_secret(config.jwt_secret.as_ref())?);
        let bots = BotTokens::new(config.bot_token.as_ref(), folder.bot_tokens(config.bot_token.as_ref())?);
        Ok((Self { bots, jwt }, folder.made))
    }

    /// Whose the credential is.
    ///
    /// # Errors
    ///
    /// `expired_credential` for a token that was good once, else `invalid_credential`.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, Problem> {
        let known = self.bots.find(credential).is_some();
        let verified = if known { Err(jwt::invalid()) } else { self.jwt.verify(credential) };
        if verified.is_ok() {
            return verified;
        }
        // Before a token counts as a bot's, and before it counts as nobody's, the newest list of
        // bots is asked.
        self.bots.refresh();
        match self.bots.find(credential) {
            Some(until) if until <= clock::wall() => Err(jwt::expired()),
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
/// When the data folder cannot be used.
pub fn mint(config: &Config, claims: &Claims) -> Result<String, SecretsError> {
    let secret = Folder::new(&config.data).jwt_secret(config.jwt_secret.as_ref())?;
    Ok(Jwt::new(&secret).sign(claims))
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
