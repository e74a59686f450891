//! Statuses that a backend knows, for whom it lets see them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;

use super::caller::{Credential, foreign, source};
use super::problem::Refusal;
use super::status::{Client, GuildPath, answer_many, answer_one, each_once, guild, guilds, stream};
use super::{Common, health};
use crate::gateway::{Bearer, Gateway};
use crate::limits::{self, Address};
use crate::metrics::{Scrape, StoreState};
use crate::stream::Permits;
use crate::wire::{GuildId, Problem, UnixMillis};

/// The backend says when a token ends, so this is never.
const NEVER: UnixMillis = UnixMillis(i64::MAX);

/// What handlers need of a gateway.
#[derive(Debug)]
pub struct Proxy {
    /// What they have in common with others.
    pub common: Common,
    /// The way to the backend.
    pub gateway: Arc<Gateway>,
}

impl AsRef<Common> for Proxy {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}

pub(super) fn public(proxy: Arc<Proxy>) -> Router {
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(ready))
        .route("/api/v1/guilds/{guildId}/status", get(one))
        .route("/api/v1/guilds/{guildId}/status/stream", get(stream_one))
        .route("/api/v1/statuses", get(many))
        .route("/api/v1/streams", get(stream_many))
        .route("/api/guilds/{guildId}/status", get(one))
        .route("/api/guilds/{guildId}/status/stream", get(stream_one))
        .route("/api/statuses", get(many))
        .route("/api/streams", get(stream_many));
    super::finished(router, proxy)
}

pub(super) fn admin(proxy: Arc<Proxy>) -> Router {
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(ready_with_reason))
        .route("/metrics", get(metrics));
    super::finished(router, proxy)
}

/// Whoever shows a credential. Only the backend knows whether it is good.
#[derive(Debug)]
struct Caller {
    bearer: Bearer,
    foreign: bool,
}

impl Caller {
    /// The credential, unless it is a cookie that a page of somebody else has sent.
    fn trusted(&self) -> Result<&Bearer, Problem> {
        if self.foreign { Err(foreign()) } else { Ok(&self.bearer) }
    }

    /// What the request asks for. If that cannot be understood, the credential is looked at first, and only the
    /// backend can do that. For what has no place in an id at all it is not asked.
    async fn asks<T>(&self, proxy: &Proxy, asked: &str, understood: Result<T, Problem>) -> Result<T, Problem> {
        let is_tame = asked.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",=&-_".contains(&byte));
        if let (Err(_), true, Ok(bearer)) = (&understood, is_tame, self.trusted()) {
            proxy.gateway.authenticate(bearer).await?;
        }
        understood
    }

    async fn guild(&self, proxy: &Proxy, path: GuildPath) -> Result<GuildId, Problem> {
        let asked = path.as_ref().map_or_else(|_| "/".to_owned(), |Path(id)| id.clone());
        self.asks(proxy, &asked, guild(path)).await
    }

    async fn guilds(&self, proxy: &Proxy, query: Option<&str>) -> Result<Vec<GuildId>, Problem> {
        self.asks(proxy, query.unwrap_or_default(), guilds(query)).await
    }
}

impl FromRequestParts<Arc<Proxy>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, proxy: &Arc<Proxy>) -> Result<Self, Refusal> {
        let credential = Credential::of(&parts.headers)?;
        let bearer = Bearer::new(credential.token())?;
        let is_cookie = matches!(credential, Credential::Cookie(_));
        Ok(Self { bearer, foreign: is_cookie && !proxy.common.origins.trusts(source(&parts.headers)) })
    }
}

async fn one(
    State(proxy): State<Arc<Proxy>>,
    caller: Caller,
    path: GuildPath,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let guild = caller.guild(&proxy, path).await?;
    let statuses = proxy.gateway.statuses(&[guild], caller.trusted()?).await?;
    let (facts, status) = &statuses[0];
    Ok(answer_one(guild, facts, status, &headers))
}

async fn many(State(proxy): State<Arc<Proxy>>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let guilds = caller.guilds(&proxy, query.as_deref()).await?;
    let statuses = proxy.gateway.statuses(&guilds, caller.trusted()?).await?;
    Ok(answer_many(guilds.into_iter().zip(statuses.into_iter().map(|(_, status)| status))))
}

async fn stream_one(
    State(proxy): State<Arc<Proxy>>,
    caller: Caller,
    path: GuildPath,
    address: Address,
    client: Client,
) -> Result<Response, Refusal> {
    let guild = caller.guild(&proxy, path).await?;
    open(&proxy, &caller, &[guild], address, client).await
}

async fn stream_many(
    State(proxy): State<Arc<Proxy>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    address: Address,
    client: Client,
) -> Result<Response, Refusal> {
    let guilds = each_once(caller.guilds(&proxy, query.as_deref()).await?);
    open(&proxy, &caller, &guilds, address, client).await
}

async fn open(
    proxy: &Proxy,
    caller: &Caller,
    guilds: &[GuildId],
    address: Address,
    client: Client,
) -> Result<Response, Refusal> {
    let bearer = caller.trusted()?;
    proxy.gateway.authorise(guilds, bearer).await?;
    let place = proxy.common.viewers.admit(&bearer.holder(), address)?;
    let lease = proxy.gateway.watch(guilds, bearer)?;
    let permits = Permits::new(place, proxy.common.metrics.clone()).with(lease);
    let guilds: Vec<_> = guilds.iter().map(|guild| proxy.gateway.subject(*guild, bearer)).collect();
    Ok(stream(&proxy.common.source, &guilds, NEVER, permits, client))
}

async fn ready(State(proxy): State<Arc<Proxy>>) -> Response {
    health::readiness(unready(&proxy).map(|_| "not ready".into()))
}

async fn ready_with_reason(State(proxy): State<Arc<Proxy>>) -> Response {
    health::readiness(unready(&proxy).map(|reason| format!("not ready: {reason}")))
}

/// A backend that is out of reach is none of the reasons: viewers are told so, and another gateway could not
/// say more.
fn unready(proxy: &Proxy) -> Option<String> {
    let causes: Vec<String> = health::unready_anyway(&proxy.common).into_iter().flatten().collect();
    (!causes.is_empty()).then(|| causes.join("; "))
}

async fn metrics(State(proxy): State<Arc<Proxy>>) -> Response {
    let now = Scrape {
        shards: HashMap::new(),
        store: StoreState::Memory,
        store_lag: Duration::ZERO,
        descriptors_open: limits::open_descriptors(),
        descriptors_limit: limits::descriptor_limit(),
    };
    health::exposition(proxy.common.metrics.encode(&now))
}
