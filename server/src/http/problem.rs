//! Problems as answers (RFC 9457).

use std::any::Any;

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::limits::retry_after;
use crate::wire::{Code, Problem};

/// A problem on its way to the client.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).expect("every code has an HTTP status");
        let mut response = (status, self.0.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(challenge) = challenge(self.0.code) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(self.0.status, 429 | 503) {
            let seconds = self.0.retry_after.map_or_else(retry_after, u64::from);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What a 401 has to offer (RFC 6750, section 3).
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::MissingCredential => Some("Bearer realm=\"guildpulse\""),
        Code::InvalidCredential => Some("Bearer realm=\"guildpulse\", error=\"invalid_token\""),
        Code::ExpiredCredential => {
            Some("Bearer realm=\"guildpulse\", error=\"invalid_token\", error_description=\"expired\"")
        }
        _ => None,
    }
}

pub(super) async fn not_found(uri: Uri) -> Refusal {
    Refusal(Problem::new(Code::NotFound, format!("there is nothing at {}", uri.path())))
}

pub(super) async fn method_not_allowed(method: Method) -> Refusal {
    Refusal(Problem::new(Code::MethodNotAllowed, format!("{method} is not among the methods of the Allow header")))
}

/// The answer of a handler that panicked. The cause stands in the log, where the hook put it.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Refusal(Problem::new(Code::Internal, "a fault of the server; its log says more")).into_response()
}
