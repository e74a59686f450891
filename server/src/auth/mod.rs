//! Who is asking, and what they may see.
//!
//! A credential becomes a [`Principal`] here or the request ends. Tokens never reach a log or an
//! error: what is wrong with one is told by a code and the name of the check that it failed.

mod bots;
mod claims;
mod fault;
mod jwt;
mod keys;
mod list;
mod looks;
mod origin;
mod secrets;
mod sign_in;

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::config::{Config, JwtAlgorithm, KeySettings, Secret};
use crate::wire::{Code, GuildId, Problem, UnixMillis};

use bots::BotTokens;
pub use bots::InvalidName;
pub use claims::{Claims, Guilds};
use fault::Fault;
use jwt::Jwt;
pub use jwt::{LEEWAY, claimed_end};
pub use keys::InvalidKeys;
use keys::{Keys, PublicKeys};
use list::List;
use looks::Looks;
pub use origin::{OriginPolicy, Source};
use secrets::Folder;
pub use secrets::SecretsError;
use sign_in::SignIn;
pub use sign_in::SignInCode;

/// How long a browser stays signed in.
const A_DAY_SECONDS: u64 = 24 * 60 * 60;

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

/// Tells good credentials from bad ones. Who asks is held against what is in memory; only the
/// thread that [`watch`](Self::watch)es touches the disk, so a disk that hangs delays no beat.
#[derive(Debug)]
pub struct Authenticator {
    /// Replaced as a whole, so that no request sees one half of old and one half of new.
    trust: RwLock<Arc<Trust>>,
    looks: Looks,
    sign_in: SignIn,
}

/// All that a credential is held against.
#[derive(Debug)]
struct Trust {
    bots: BotTokens,
    jwt: Arc<Jwt>,
}

impl Authenticator {
    /// Opens the keys and secrets that the configuration names, and makes those secrets that it
    /// does not; returns what was made, in words.
    ///
    /// # Errors
    ///
    /// When the data folder or a file of keys cannot be used.
    pub fn open(config: &Config) -> Result<(Self, Vec<String>), SecretsError> {
        let mut folder = Folder::new(&config.data);
        let jwt = open_keys(config, &mut folder)?;
        let bots = BotTokens::new(config.bot_token.as_ref(), folder.bots(config.bot_token.as_ref())?);
        Ok((Self::with(bots, jwt), folder.made))
    }

    /// One whose secrets are made anew and live no longer than it does. No file is touched.
    pub fn in_memory() -> (Self, Secret) {
        let (secret, bot) = (Secret::new(bots::random_hex()), Secret::new(bots::generate()));
        let jwt = Jwt::new(&KeySettings::default(), Keys::secrets(&secret, None), Some(secret));
        let auth = Self::with(BotTokens::new(Some(&bot), List::none()), jwt);
        // There is nothing to look at, so nobody has to wait for it.
        auth.looks.stop();
        (auth, bot)
    }

    fn with(bots: BotTokens, jwt: Jwt) -> Self {
        let trust = Trust { bots, jwt: Arc::new(jwt) };
        Self { trust: RwLock::new(Arc::new(trust)), looks: Looks::new(), sign_in: SignIn::default() }
    }

    /// Opens them again. Whoever is let in already stays; who asks from now on is held against the
    /// new ones. Returns what was made, which is at most the secret of a rotation.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and when a secret or the data folder is gone; then the old ones
    /// stay in force.
    pub fn reload(&self, config: &Config) -> Result<Vec<String>, SecretsError> {
        let mut folder = Folder::running(&config.data);
        // First what may be wrong, then what may be made.
        let bots = BotTokens::new(config.bot_token.as_ref(), self.trust().bots.listed().read()?);
        let trust = Trust { bots, jwt: Arc::new(open_keys(config, &mut folder)?) };
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        Ok(folder.made)
    }

    /// Whose the credential is. One that nobody knows waits for a look at the list of bots, so that
    /// a token that was just made counts; but not for long.
    ///
    /// # Errors
    ///
    /// `expired_credential` for a token that was good once, else `invalid_credential`; the detail
    /// names the check that failed.
    pub async fn authenticate(&self, credential: &str) -> Result<Principal, Problem> {
        let before = self.trust();
        let fault = match before.authenticate(credential) {
            Ok(principal) => return Ok(principal),
            Err(fault) => fault,
        };
        self.looks.ask().await;
        let now = self.trust();
        if Arc::ptr_eq(&before, &now) {
            return Err(fault.into());
        }
        Ok(now.authenticate(credential)?)
    }

    /// A token by which somebody may read everything for a day, unless only others sign tokens.
    pub fn mint_operator(&self) -> Option<String> {
        let exp = clock::wall().unix_seconds() + A_DAY_SECONDS;
        let role = Some("operator".to_owned());
        self.trust().jwt.sign(&Claims { sub: None, exp, guilds: None, role })
    }

    /// The code that signs a browser in, good for this long, and every one that follows it when it
    /// has been used. None if no token can be made for it.
    pub fn sign_in_codes(&self, lasting: Duration) -> Option<watch::Receiver<Option<SignInCode>>> {
        self.mint_operator().map(|_| self.sign_in.codes(lasting, clock::wall()))
    }

    /// Exchanges the code for an operator's token, once.
    pub fn redeem(&self, code: &str) -> Option<String> {
        if self.sign_in.redeem(code, clock::wall()) { self.mint_operator() } else { None }
    }

    /// Follows the list of bots until [`stop`](Self::stop). Blocks, and for as long as the disk
    /// does: this is for a thread of its own.
    pub fn watch(&self) {
        let mut troubled = false;
        while let Some(number) = self.looks.next() {
            let trouble = self.look().err();
            if let (Some(error), false) = (&trouble, troubled) {
                tracing::warn!(error = error as &dyn Error, "cannot look at the list of bots; those known keep their right");
            }
            troubled = trouble.is_some();
            self.looks.end(number);
        }
    }

    /// Ends [`watch`](Self::watch), as soon as the disk lets it.
    pub fn stop(&self) {
        self.looks.stop();
    }

    /// Takes over the list of bots if it has changed.
    fn look(&self) -> Result<(), SecretsError> {
        loop {
            let before = self.trust();
            let Some(listed) = before.bots.listed().look()? else { return Ok(()) };
            let after = Trust { bots: before.bots.with(listed), jwt: before.jwt.clone() };
            let mut trust = self.trust.write().unwrap_or_else(PoisonError::into_inner);
            // What was reloaded meanwhile must not be undone.
            if Arc::ptr_eq(&before, &trust) {
                *trust = Arc::new(after);
                return Ok(());
            }
        }
    }

    fn trust(&self) -> Arc<Trust> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Trust {
    fn authenticate(&self, credential: &str) -> Result<Principal, Fault> {
        match self.bots.find(credential) {
            Some(until) if until <= clock::wall() => Err(Fault::Expired),
            Some(_) => Ok(Principal::Bot),
            None => self.jwt.verify(credential),
        }
    }
}

fn open_keys(config: &Config, folder: &mut Folder) -> Result<Jwt, SecretsError> {
    let (keys, secret) = match PublicKeys::of(config.keys.jwt_algorithm) {
        None => {
            let previous = folder.previous_jwt_secret(config)?;
            let secret = folder.jwt_secret(config.jwt_secret.as_ref())?;
            (Keys::secrets(&secret, previous.as_ref()), Some(secret))
        }
        Some(keys) => (keys.read(config.public_keys()?)?, None),
    };
    Ok(Jwt::new(&config.keys, keys, secret))
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
