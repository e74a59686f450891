//! The buttons of the demo.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};

use super::App;
use super::caller::Caller;
use super::problem::{Refusal, not_found};
use crate::wire::from_word;

pub(super) async fn press(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(scene): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let (Some(demo), Some(scene)) = (&app.demo, from_word(&scene)) else { return Err(not_found(uri).await) };
    caller.may_operate()?;
    demo.press(scene).await;
    Ok(StatusCode::ACCEPTED)
}
