//! HTTP: routes, credentials, and problems as answers. Nothing behind it knows a header.

mod address;
mod beats;
mod body;
mod caller;
mod demo;
mod gateway;
mod health;
mod page;
mod problem;
mod session;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::{MethodRouter, get, post};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use crate::auth::{Authenticator, OriginPolicy};
use crate::config::{Config, Limits, Origin};
use crate::demo::Remote;
use crate::limits::{Descriptors, Viewers};
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::store::Store;
use crate::stream::Source;

pub use gateway::Proxy;
pub use page::Start;

/// What handlers need, wherever statuses come from.
#[derive(Debug)]
pub struct Common {
    /// Where statuses are to be seen.
    pub source: Source,
    /// Whose cookies count.
    pub origins: OriginPolicy,
    /// The places for streams.
    pub viewers: Arc<Viewers>,
    /// Whether new connections can be accepted.
    pub descriptors: Arc<Descriptors>,
    /// What a request may cost.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Metrics,
    /// Says that the server is stopping.
    pub shutdown: CancellationToken,
}

/// What handlers need of a server that gets beats.
#[derive(Debug)]
pub struct App {
    /// What they have in common with others.
    pub common: Common,
    /// What is known.
    pub monitor: Arc<Monitor>,
    /// Where it is kept, unless only in memory.
    pub store: Option<Arc<Store>>,
    /// What the page needs to begin with.
    pub start: Start,
    /// What makes things happen to the simulated bot, if there is one.
    pub demo: Option<Remote>,
    /// Who may know it.
    pub auth: Authenticator,
}

impl AsRef<Common> for App {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}

/// One route as `protocol/openapi.json` names it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    handler: fn() -> MethodRouter<Arc<App>>,
}

/// Every route of the public address.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/api/v1/heartbeats", handler: || post(beats::beat) },
    Route { method: "POST", path: "/api/v1/goodbye", handler: || post(beats::goodbye) },
    Route { method: "GET", path: "/api/v1/guilds/{guildId}/status", handler: || get(status::one) },
    Route { method: "GET", path: "/api/v1/guilds/{guildId}/status/stream", handler: || get(status::stream_one) },
    Route { method: "GET", path: "/api/v1/statuses", handler: || get(status::many) },
    Route { method: "GET", path: "/api/v1/streams", handler: || get(status::stream_many) },
    Route { method: "GET", path: "/api/v1/shards", handler: || get(status::shards) },
    // The same under the prefix of a dashboard, where it may have had a proxy of its own.
    Route { method: "GET", path: "/api/guilds/{guildId}/status", handler: || get(status::one) },
    Route { method: "GET", path: "/api/guilds/{guildId}/status/stream", handler: || get(status::stream_one) },
    Route { method: "GET", path: "/api/statuses", handler: || get(status::many) },
    Route { method: "GET", path: "/api/streams", handler: || get(status::stream_many) },
    Route { method: "GET", path: "/healthz", handler: || get(health::alive) },
    Route { method: "GET", path: "/readyz", handler: || get(health::ready) },
    Route { method: "GET", path: "/metrics", handler: || get(health::metrics_for_operators) },
    Route { method: "GET", path: "/", handler: || get(page::page) },
];

/// The buttons of the page, while the bot is simulated.
const DEMO_ROUTES: &[Route] = &[Route { method: "POST", path: "/demo/{scene}", handler: || post(demo::press) }];

/// Every route of the admin address, which the public must not reach.
const ADMIN_ROUTES: &[Route] = &[
    Route { method: "POST", path: "/api/v1/heartbeats", handler: || post(beats::beat) },
    Route { method: "POST", path: "/api/v1/goodbye", handler: || post(beats::goodbye) },
    Route { method: "GET", path: "/healthz", handler: || get(health::alive) },
    Route { method: "GET", path: "/readyz", handler: || get(health::ready_with_reason) },
    Route { method: "GET", path: "/metrics", handler: || get(health::metrics) },
];

/// The service of the public address.
pub fn public(app: Arc<App>, config: &Config) -> Router {
    let demo = if config.demo { DEMO_ROUTES } else { &[] };
    shared_with(service(&[ROUTES, page::ROUTES, demo].concat(), app), config)
}

/// The public service of a gateway.
pub fn public_gateway(proxy: Arc<Proxy>, config: &Config) -> Router {
    shared_with(gateway::public(proxy), config)
}

/// The admin service of a gateway.
pub fn admin_gateway(proxy: Arc<Proxy>) -> Router {
    gateway::admin(proxy)
}

fn shared_with(router: Router, config: &Config) -> Router {
    if config.cors_origins.is_empty() { router } else { router.layer(cors(&config.cors_origins)) }
}

/// The service of the admin address.
pub fn admin(app: Arc<App>) -> Router {
    service(ADMIN_ROUTES, app)
}

fn service(routes: &[Route], app: Arc<App>) -> Router {
    let router = routes.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    finished(router, app)
}

/// What every address does alike.
fn finished<S: Send + Sync + 'static>(router: Router<Arc<S>>, app: Arc<S>) -> Router {
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .with_state(app)
}

/// Lets pages of other origins read answers, if the configuration lists them.
fn cors(origins: &[Origin]) -> CorsLayer {
    let origins = origins.iter().map(|origin| HeaderValue::from_str(origin.as_str()));
    let origins: Vec<_> = origins.map(|origin| origin.expect("an origin is ASCII without control characters")).collect();
    let last_event_id = HeaderName::from_static("last-event-id");
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CACHE_CONTROL,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            last_event_id,
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        // Answers say themselves what they vary by.
        .vary([])
}
