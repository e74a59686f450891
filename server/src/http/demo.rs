//! The buttons of the demo.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::caller::Caller;
use super::problem::{Refusal, not_found};
use crate::wire::from_word;

/// What was begun.
#[derive(Serialize)]
struct Pressed {
    /// The version that the bot runs when it is over.
    version: Option<String>,
}

pub(super) async fn press(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(scene): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let (Some(demo), Some(scene)) = (&app.demo, from_word(&scene)) else { return Err(not_found(uri).await) };
    caller.may_operate()?;
    let version = demo.press(scene).await;
    Ok((StatusCode::ACCEPTED, Json(Pressed { version })).into_response())
}
