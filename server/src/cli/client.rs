//! What commands that talk to a server have in common.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{ClientBuilder, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::config::{self, Secret};
use crate::event_source::{EventSource, Request, Retry};
use crate::wire::{Problem, read_json};

/// How long an answer may take. A beat that hangs must not keep the next one from being sent before
/// the shard counts as silent, 4.5 s after the last.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long it may take to reach the server of a stream.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub(super) struct ServerAddress {
    /// Address of the server, with its scheme and port
    #[arg(long, env = "GUILDPULSE_URL")]
    pub(super) url: Url,
}

/// The token that a command shows to the server.
#[derive(Debug, Clone, Args)]
pub(super) struct TokenSource {
    /// File that holds the token. Without it the token is read from GUILDPULSE_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The token itself; others can see it in the list of processes
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
}

impl TokenSource {
    /// The token.
    #[expect(clippy::print_stderr, reason = "the warning is for the person at the terminal")]
    pub(super) fn read(&self) -> Result<Secret, Failure> {
        if let Some(token) = &self.token {
            eprintln!("guildpulse: --token shows in the list of processes; use GUILDPULSE_TOKEN or --token-file");
            return Ok(Secret::new(token));
        }
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
            return Ok(Secret::new(text.map_err(Failure::usage)?.trim()));
        }
        let missing = || Failure::usage(anyhow::anyhow!("no token: set GUILDPULSE_TOKEN or name a --token-file"));
        config::client_token()?.ok_or_else(missing)
    }
}

/// A connection to the server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

impl Client {
    /// For requests that are answered at once.
    pub(super) fn new(address: &ServerAddress, token: Option<Secret>) -> Result<Self, Failure> {
        Self::with(reqwest::Client::builder().timeout(PATIENCE), address, token)
    }

    /// For streams, which are open for as long as they bring something; the caller sees to that.
    pub(super) fn for_streams(address: &ServerAddress, token: Option<Secret>) -> Result<Self, Failure> {
        Self::with(reqwest::Client::builder().connect_timeout(CONNECT_PATIENCE), address, token)
    }

    fn with(http: ClientBuilder, address: &ServerAddress, token: Option<Secret>) -> Result<Self, Failure> {
        if !matches!(address.url.scheme(), "http" | "https") {
            return Err(Failure::usage(anyhow::anyhow!("{} is neither http:// nor https://", address.url)));
        }
        // Another part of the process may have installed it before; either is the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        let agent = concat!("guildpulse/", env!("CARGO_PKG_VERSION"));
        let http = http.user_agent(agent).build();
        Ok(Self { http: http.map_err(Failure::running)?, base: address.url.clone(), token })
    }

    /// Gets a path; an answer that is not a success is an error.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<()> {
        self.send(self.http.get(self.url(path)?)).await
    }

    /// Posts JSON to a path; an answer that is not a success is an error.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<()> {
        self.send(self.http.post(self.url(path)?).json(body)).await
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        let base = self.base.as_str().trim_end_matches('/');
        Ok(format!("{base}{path}").parse()?)
    }

    /// The stream at a path. When it is lost it is tried again whenever it is asked for the next signal.
    pub(super) fn event_source(&self, path: &str) -> anyhow::Result<EventSource> {
        let mut request = Request::get(self.url(path)?);
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| anyhow!("the token has characters that no token has"))?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        let at_once = Retry::new(|_, _| Some(Duration::ZERO));
        Ok(EventSource::new(self.http.clone(), request, at_once, CancellationToken::new()))
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<()> {
        let answer = self.answer(request).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(answer).await.into()) }
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        };
        // The URL is the user's own; only the cause is news.
        Ok(request.send().await.map_err(reqwest::Error::without_url)?)
    }
}

/// What an answer says that is not a success.
async fn refused(answer: Response) -> Refused {
    let status = answer.status();
    let detail = answer.bytes().await.map_or_else(|_| String::new(), |body| detail(&body));
    Refused { status, detail }
}

/// What a problem says, if that is what the body of a refusal is.
pub(super) fn detail(body: &[u8]) -> String {
    let problem = std::str::from_utf8(body).ok().and_then(|text| read_json::<Problem>(text).ok());
    problem.map_or_else(String::new, |problem| problem.detail)
}

/// The server answered, and not with a success.
#[derive(Debug, thiserror::Error)]
#[error("{status} {detail}")]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Refused {
    /// Whether the same request would be refused again.
    pub(super) fn is_final(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }
}
