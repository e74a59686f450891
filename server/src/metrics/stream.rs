//! A stream as it is counted.

use super::Metrics;
use super::labels::label;
use crate::wire::sse::GoodbyeReason;

/// Who ended a stream that the server did not end.
pub(super) const VIEWER: &str = "viewer";

/// A stream that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream {
    metrics: Metrics,
    ended: Option<GoodbyeReason>,
}

impl OpenStream {
    /// Counts a stream as opened.
    pub fn new(metrics: Metrics) -> Self {
        metrics.streams_opened.inc();
        metrics.viewers.inc();
        Self { metrics, ended: None }
    }

    /// The server ends the stream; otherwise it is the viewer who left.
    pub fn end(&mut self, reason: GoodbyeReason) {
        self.ended = Some(reason);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let reason = self.ended.map_or_else(|| label("reason", VIEWER), |reason| label("reason", reason));
        self.metrics.streams_closed.get_or_create(&reason).inc();
        self.metrics.viewers.dec();
    }
}
