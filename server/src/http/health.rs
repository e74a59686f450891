//! What machines ask: alive, ready, how much.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::problem::Refusal;
use super::{App, Common};
use crate::limits;
use crate::metrics::{Scrape, StoreState};

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    readiness(unready(&app).map(|_| "not ready".into()))
}

pub(super) async fn ready_with_reason(State(app): State<Arc<App>>) -> Response {
    readiness(unready(&app).map(|reason| format!("not ready: {reason}")))
}

pub(super) fn readiness(not_ready: Option<String>) -> Response {
    let Some(text) = not_ready else { return "ready\n".into_response() };
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text + "\n").into_response()
}

/// Why the server should get no new viewers: the causes that there are, each a part of a sentence.
fn unready(app: &App) -> Option<String> {
    let [stopping, short] = unready_anyway(&app.common);
    let causes = [
        stopping,
        short,
        app.store.as_ref().and_then(|store| store.fault()).map(|fault| format!("the store cannot be written: {fault}")),
    ];
    let causes: Vec<String> = causes.into_iter().flatten().collect();
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// The same, as far as it does not matter where statuses come from.
pub(super) fn unready_anyway(common: &Common) -> [Option<String>; 2] {
    [
        common.shutdown.is_cancelled().then(|| "the server is stopping".to_owned()),
        common.descriptors.are_short().then(|| "no file descriptors are left".to_owned()),
    ]
}

pub(super) async fn metrics_for_operators(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    caller.may_operate()?;
    Ok(metrics(State(app)).await)
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let (store, store_lag) = match &app.store {
        Some(store) => (store.state(), store.lag(app.monitor.clock().monotonic())),
        None => (StoreState::Memory, Duration::ZERO),
    };
    let now = Scrape {
        shards: app.monitor.states(),
        store,
        store_lag,
        descriptors_open: limits::open_descriptors(),
        descriptors_limit: limits::descriptor_limit(),
    };
    exposition(app.common.metrics.encode(&now))
}

pub(super) fn exposition(text: String) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
