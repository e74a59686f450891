//! Who calls: the one way for a handler to a principal.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use cookie::Cookie;

use super::App;
use super::problem::Refusal;
use crate::auth::{Permitted, Principal, Source};
use crate::wire::{Code, GuildId, Problem};

/// The name of the cookie.
pub(super) const COOKIE: &str = "auth_token";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A caller whose credential is good. What it may do is asked after its request was understood.
#[derive(Debug)]
pub(super) struct Caller {
    principal: Principal,
    /// The credential is a cookie, and the page it comes from is none of ours.
    foreign: bool,
}

impl Caller {
    pub(super) fn may_watch(&self, guilds: Vec<GuildId>) -> Result<Permitted, Problem> {
        self.trusted()?.may_watch(guilds)
    }

    pub(super) fn may_operate(&self) -> Result<(), Problem> {
        self.trusted()?.may_operate()
    }

    pub(super) fn may_beat(&self) -> Result<(), Problem> {
        self.trusted()?.may_beat()
    }

    fn trusted(&self) -> Result<&Principal, Problem> {
        if self.foreign { Err(foreign()) } else { Ok(&self.principal) }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let credential = Credential::of(&parts.headers)?;
        let principal = app.auth.authenticate(credential.token()).await?;
        let foreign = matches!(credential, Credential::Cookie(_)) && !app.common.origins.trusts(source(&parts.headers));
        Ok(Self { principal, foreign })
    }
}

/// What a request shows of its caller.
pub(super) enum Credential {
    /// In the Authorization header.
    Bearer(String),
    /// In the cookie.
    Cookie(String),
}

impl Credential {
    /// The one credential of a request. With an Authorization header no cookie is looked at.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(value) = authorizations.next() {
            let token = value.to_str().ok().and_then(bearer).filter(|_| authorizations.next().is_none());
            return token.map(Self::Bearer).ok_or_else(malformed);
        }
        // Other cookies may hold any bytes; they are none of our business.
        let lists: Vec<_> =
            headers.get_all(header::COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let cookies = lists.iter().flat_map(|list| Cookie::split_parse(list.as_ref())).flatten();
        let mut tokens = cookies.filter(|cookie| cookie.name() == COOKIE);
        match (tokens.next(), tokens.next()) {
            (None, _) => {
                Err(Problem::new(Code::MissingCredential, "send `Authorization: Bearer …` or the cookie `auth_token`"))
            }
            (Some(_), Some(_)) => Err(Problem::new(Code::InvalidCredential, "two cookies are named `auth_token`; send one")),
            (Some(cookie), None) if cookie.value_trimmed().is_empty() => {
                Err(Problem::new(Code::InvalidCredential, "the cookie `auth_token` is empty"))
            }
            (Some(cookie), None) => Ok(Self::Cookie(cookie.value_trimmed().to_owned())),
        }
    }

    pub(super) fn token(&self) -> &str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }
}

pub(super) fn foreign() -> Problem {
    let detail = "cookies count only from this server's own pages and from the allowed origins";
    Problem::new(Code::OriginNotAllowed, detail)
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<String> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn malformed() -> Problem {
    Problem::new(Code::InvalidCredential, "the Authorization header is not one `Bearer TOKEN`")
}

pub(super) fn source(headers: &HeaderMap) -> Source<'_> {
    let text = |name: HeaderName| {
        // A header that is there but is not text is nobody we know.
        headers.get(name).map(|value| value.to_str().unwrap_or(""))
    };
    Source { site: text(SEC_FETCH_SITE), origin: text(header::ORIGIN), host: text(header::HOST) }
}
