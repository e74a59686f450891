//! Bodies of requests, with their limits.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::App;
use crate::metrics::Limit;
use crate::wire::{Code, Problem};

/// How much of a body that is too large is read and thrown away, so that a client that sends
/// before it reads gets its answer and not a reset.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// Reads a JSON body.
pub(super) async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let json = is_json(headers);
    let patience = Duration::from_millis(app.common.limits.body_timeout_ms);
    let read = tokio::time::timeout(patience, collect(app, body)).await;
    let body = read.map_err(|_| {
        app.common.metrics.limit_reached(Limit::BodyTime);
        Problem::new(Code::RequestTimeout, format!("the body did not arrive within {patience:?}"))
    })??;
    if !json {
        let detail = "the body has to be `Content-Type: application/json`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    Ok(body)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn collect(app: &App, mut body: Body) -> Result<Bytes, Problem> {
    let most = app.common.limits.max_body_bytes;
    let mut read = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::InvalidHeartbeat, "the body broke off").at(""))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= most {
            read.extend_from_slice(&data);
        } else if length > most + DISCARDED_BYTES {
            break;
        }
    }
    if length > most {
        app.common.metrics.limit_reached(Limit::Body);
        let detail = format!("the body has more than {most} bytes; send several beats with fewer shards each");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(read.freeze())
}
