//! Where a request comes from.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use super::Common;
use crate::limits::{Address, client};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl<S: AsRef<Common> + Send + Sync> FromRequestParts<Arc<S>> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<S>) -> Result<Self, Infallible> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().expect("the listener knows the peer");
        let lines = parts.headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
        Ok(client(peer.ip(), &(**app).as_ref().limits.trusted_proxies, lines).into())
    }
}
