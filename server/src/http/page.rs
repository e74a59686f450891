//! The page for a person who opens the server's address. Its files are part of the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

use super::caller::Caller;
use super::problem::Refusal;
use super::session;
use super::{App, Route};
use crate::config::{Config, program};
use crate::demo;
use crate::wire::GuildId;

/// Nothing from elsewhere, nothing inline, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What the page of an operator needs to begin with.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// Whether the bot is simulated.
    demo: bool,
    /// The guild to show, if there is one that is worth it.
    guild_id: Option<GuildId>,
    /// The path of this program.
    program: PathBuf,
    /// The file with the bot's token, if it has not been set otherwise.
    token_file: Option<PathBuf>,
}

impl Start {
    /// What these settings say.
    pub fn of(config: &Config) -> Self {
        let token_file = config.data.join("bot-token");
        let token_file = std::path::absolute(&token_file).unwrap_or(token_file);
        Self {
            demo: config.demo,
            guild_id: config.demo.then(demo::guild),
            program: program(),
            token_file: Some(token_file).filter(|file| config.bot_token.is_none() && Path::exists(file)),
        }
    }
}

async fn start(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    caller.may_operate()?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(&app.start)).into_response())
}

pub(super) async fn page() -> Response {
    let mut response = file("text/html; charset=utf-8", include_str!("../../../web/page/index.html"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// A file that the page loads.
macro_rules! file {
    ($name:literal, $kind:literal) => {
        Route {
            method: "GET",
            path: concat!("/page/", $name),
            handler: || get(async || file($kind, include_str!(concat!("../../../web/page/", $name)))),
        }
    };
}

/// What the page loads and asks for. This is between the two of them, and no part of the protocol.
pub(super) const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/page/code", handler: || post(session::redeem) },
    Route { method: "POST", path: "/page/session", handler: || post(session::open) },
    Route { method: "GET", path: "/page/start", handler: || get(start) },
    file!("page.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("main.js", "text/javascript; charset=utf-8"),
    file!("demo.js", "text/javascript; charset=utf-8"),
    file!("elements.js", "text/javascript; charset=utf-8"),
    file!("guild.js", "text/javascript; charset=utf-8"),
    file!("live.js", "text/javascript; charset=utf-8"),
    file!("tiles.js", "text/javascript; charset=utf-8"),
    file!("words.js", "text/javascript; charset=utf-8"),
];

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, kind),
        // The files of one version belong together.
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
