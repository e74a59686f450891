//! Beats and goodbyes.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;

use super::caller::Caller;
use super::problem::Refusal;
use super::{App, body};
use crate::wire::{Beat, BeatAnswer, Code, Goodbye, GoodbyeAnswer, Invalid, Problem};

pub(super) async fn beat(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Refusal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BeatAnswer>, Refusal> {
    let beat = read(&app, caller, &headers, body, Beat::parse).await?;
    let taken = app.monitor.beat(&beat);
    let accepted =
        taken.map_err(|error| refuse(&app, Problem::new(Code::InvalidHeartbeat, error.to_string()).at("/shards")))?;
    app.common.metrics.beats_accepted.inc();
    let interval_ms = u64::try_from(beat.interval.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(BeatAnswer { accepted, interval_ms, warnings: beat.warnings }))
}

pub(super) async fn goodbye(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Refusal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<GoodbyeAnswer>, Refusal> {
    let goodbye = read(&app, caller, &headers, body, Goodbye::parse).await?;
    let accepted = app.monitor.goodbye(&goodbye);
    tracing::info!(
        instance = goodbye.instance.as_deref(),
        reason = goodbye.reason.as_deref(),
        shards = accepted,
        "a bot process said goodbye"
    );
    Ok(Json(GoodbyeAnswer { accepted }))
}

/// Reads what a bot sent: known first, understood then, permitted last. Each refusal is counted.
async fn read<T>(
    app: &App,
    caller: Result<Caller, Refusal>,
    headers: &HeaderMap,
    body: Body,
    parse: fn(&[u8]) -> Result<T, Invalid>,
) -> Result<T, Refusal> {
    let read = async {
        let caller = caller.map_err(|Refusal(problem)| problem)?;
        let bytes = body::read(app, headers, body).await?;
        let value =
            parse(&bytes).map_err(|Invalid { pointer, detail }| Problem::new(Code::InvalidHeartbeat, detail).at(pointer))?;
        caller.may_beat()?;
        Ok(value)
    };
    read.await.map_err(|problem| refuse(app, problem))
}

/// Counts a refusal.
fn refuse(app: &App, problem: Problem) -> Refusal {
    app.common.metrics.reject_beat(problem.code);
    Refusal(problem)
}
