//! The backend, as it is asked over HTTP.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio::time::timeout;

use super::Bearer;
use super::fault::Fault;
use crate::clock;
use crate::config::UpstreamSettings;
use crate::event_source::{Connection, Request, cause, retry_after};
use crate::metrics::Metrics;
use crate::wire::event_stream::Bounds;
use crate::wire::{GuildId, MAX_PAYLOAD_BYTES, Payload};

/// How long it may take to reach the upstream.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take, with its body.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a stream may take to open: viewers have to see within 10 s that nothing comes.
const OPEN: Duration = Duration::from_secs(5);
/// How many streams share what may be one connection. Servers allow 100 and more at once on one of HTTP/2.
const STREAMS_TOGETHER: usize = 50;
/// How long nothing may come on a connection, before the upstream is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The upstream cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The certificates of its authority cannot be read.
    #[error("cannot read the certificates in {path}: {why}")]
    Certificates {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be built.
    #[error("cannot set up HTTP: {0}")]
    Http(#[from] reqwest::Error),
    /// The service token has characters that no token has.
    #[error("upstream_token is not a token: it has characters other than visible ASCII")]
    Token,
}

/// The backend. It is asked for nothing but statuses of guilds.
#[derive(Debug)]
pub(super) struct Upstream {
    settings: UpstreamSettings,
    base: Url,
    tls: ClientConfig,
    answers: Client,
    lines: Mutex<Vec<Arc<Line>>>,
    streams: Arc<AtomicUsize>,
    metrics: Metrics,
}

/// What streams have in common that may be on one connection.
#[derive(Debug)]
struct Line {
    http: Client,
    streams: AtomicUsize,
}

/// The place of an open stream. It is given back when this is dropped.
#[derive(Debug)]
struct StreamPlace {
    line: Arc<Line>,
    all: Arc<AtomicUsize>,
    metrics: Metrics,
}

/// An open stream in its place.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) connection: Connection,
    _place: StreamPlace,
}

impl Upstream {
    pub(super) fn new(settings: UpstreamSettings, base: Url, metrics: Metrics) -> Result<Self, UpstreamError> {
        let tls = tls(&settings)?;
        let answers = client(&tls)?;
        Ok(Self { settings, base, tls, answers, lines: Mutex::default(), streams: Arc::default(), metrics })
    }

    /// What the upstream says of the guild to whom this token belongs.
    pub(super) async fn status(&self, guild: GuildId, bearer: &Bearer) -> Result<Payload, Fault> {
        let answered = timeout(ANSWER, async {
            let asked = self.answers.get(self.url(guild, "status")).header(ACCEPT, "application/json");
            let answer = asked.header(AUTHORIZATION, bearer.header()).send().await;
            read(answer.map_err(|error| Fault::Unreachable(cause(&error)))?).await
        });
        let body = answered.await.map_err(|_| Fault::Late)??;
        Ok(Payload::read(&body, guild, &self.settings.pointers)?)
    }

    /// The stream of the guild's status, for whoever this token belongs to.
    pub(super) async fn stream(&self, guild: GuildId, bearer: &Bearer) -> Result<Stream, Fault> {
        let place = self.place()?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.header())]);
        let request = Request { headers, ..Request::get(self.url(guild, "status/stream")) };
        let bounds = Bounds { line: 2 * MAX_PAYLOAD_BYTES, event: 2 * MAX_PAYLOAD_BYTES };
        let opened = timeout(OPEN, Connection::open(&place.line.http, &request, bounds)).await;
        Ok(Stream { connection: opened.map_err(|_| Fault::Late)??, _place: place })
    }

    /// What an event of a stream says, if it is a status.
    pub(super) fn read(&self, data: &str, guild: GuildId) -> Result<Payload, Fault> {
        Ok(Payload::read(data.as_bytes(), guild, &self.settings.pointers)?)
    }

    /// Nothing of a request goes into it but the number of the guild.
    fn url(&self, guild: GuildId, what: &str) -> Url {
        let base = self.base.as_str().trim_end_matches('/');
        format!("{base}/api/v1/guilds/{guild}/{what}").parse().expect("a base, numbers and words are a URL")
    }

    fn place(&self) -> Result<StreamPlace, Fault> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if self.streams.load(Ordering::SeqCst) >= self.settings.max_upstream_streams {
            return Err(Fault::NoPlace);
        }
        lines.retain(|line| line.streams.load(Ordering::SeqCst) > 0);
        let free = lines.iter().find(|line| line.streams.load(Ordering::SeqCst) < STREAMS_TOGETHER).cloned();
        let line = match free {
            Some(line) => line,
            None => {
                let http = client(&self.tls).map_err(|error| Fault::Unreachable(cause(&error)))?;
                let line = Arc::new(Line { http, streams: AtomicUsize::new(0) });
                lines.push(line.clone());
                line
            }
        };
        Ok(StreamPlace::new(line, self.streams.clone(), self.metrics.clone()))
    }
}

impl StreamPlace {
    fn new(line: Arc<Line>, all: Arc<AtomicUsize>, metrics: Metrics) -> Self {
        line.streams.fetch_add(1, Ordering::SeqCst);
        all.fetch_add(1, Ordering::SeqCst);
        metrics.upstream.streams.inc();
        Self { line, all, metrics }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.line.streams.fetch_sub(1, Ordering::SeqCst);
        self.all.fetch_sub(1, Ordering::SeqCst);
        self.metrics.upstream.streams.dec();
    }
}

/// The body of an answer that is a success, as far as it may be long.
async fn read(mut answer: Response) -> Result<BytesMut, Fault> {
    let (status, retry_after) = (answer.status(), retry_after(answer.headers(), clock::wall()));
    let mut body = BytesMut::new();
    // One byte more than may be tells what is too long.
    while body.len() <= MAX_PAYLOAD_BYTES {
        let Some(piece) = answer.chunk().await.map_err(|error| Fault::Unreachable(cause(&error)))? else { break };
        body.extend_from_slice(&piece[..piece.len().min(MAX_PAYLOAD_BYTES + 1 - body.len())]);
    }
    if status == StatusCode::OK { Ok(body) } else { Err(Fault::refused(status, retry_after, &body)) }
}

/// A client that goes where it is told and nowhere else.
fn client(tls: &ClientConfig) -> Result<Client, reqwest::Error> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(concat!("guildpulse/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .tcp_keepalive(KEEP_ALIVE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(ANSWER)
        .build()
}

/// Trusts the authorities of the system, and those of the configuration.
fn tls(settings: &UpstreamSettings) -> Result<ClientConfig, UpstreamError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = match &settings.upstream_ca {
        None => Vec::new(),
        Some(path) => {
            let unreadable = |why: String| UpstreamError::Certificates { path: path.clone(), why };
            let text = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
            let read = read.map_err(|error| unreadable(error.to_string()))?;
            if read.is_empty() {
                return Err(unreadable("there are none".into()));
            }
            read
        }
    };
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone())?;
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let verified = versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
