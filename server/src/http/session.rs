//! Signing a browser in: a credential becomes its cookie.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite, time};

use super::App;
use super::caller::{COOKIE, Credential};
use super::problem::Refusal;
use crate::clock;
use crate::wire::{Code, Problem};

/// What every browser takes as a cookie, its name included (RFC 6265, section 6.1).
const MAX_COOKIE_BYTES: usize = 4096;

/// Takes a code of a link, and nothing else: whoever opens a link must not be signed in with a
/// token that somebody else has put there.
pub(super) async fn redeem(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let token = app.auth.redeem(&shown(&headers)?);
    let used = || Problem::new(Code::InvalidCredential, "this code was never good, or is not any more");
    sign_in(&app, token.ok_or_else(used)?).await
}

/// Takes a token of a viewer or an operator.
pub(super) async fn open(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    sign_in(&app, shown(&headers)?).await
}

/// What the Authorization header shows. A cookie is what is asked for here, so it cannot be that.
fn shown(headers: &HeaderMap) -> Result<String, Problem> {
    match Credential::of(headers)? {
        Credential::Bearer(shown) => Ok(shown),
        Credential::Cookie(_) => Err(Problem::new(Code::MissingCredential, "send `Authorization: Bearer …`")),
    }
}

async fn sign_in(app: &App, token: String) -> Result<Response, Refusal> {
    let until = app.auth.authenticate(&token).await?.may_watch(Vec::new())?.until();
    if COOKIE.len() + token.len() > MAX_COOKIE_BYTES {
        let detail = format!("a cookie holds {MAX_COOKIE_BYTES} bytes, and this token has {}", token.len());
        return Err(Problem::new(Code::InvalidCredential, detail).into());
    }
    let left = (until.0 - clock::wall().0) / 1000;
    let cookie = Cookie::build((COOKIE, token))
        .path("/")
        .http_only(true)
        .secure(app.common.origins.is_https())
        .same_site(SameSite::Strict)
        .max_age(time::Duration::seconds(left));
    let cookie = HeaderValue::try_from(cookie.to_string()).expect("what came in a header fits into one");
    let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}
