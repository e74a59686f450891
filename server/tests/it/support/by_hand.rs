//! A server that says what a test tells it to, byte by byte.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::GUILD;
use super::raw::Raw;

pub(crate) struct ByHand(TcpListener);

/// A request, to be answered.
pub(crate) struct Asked {
    /// Its line and its headers.
    pub head: String,
    pub at: Instant,
    socket: Raw,
}

impl ByHand {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next request.
    pub(crate) async fn asked_within(&self, patience: Duration) -> Asked {
        let accepted = timeout(patience, self.0.accept()).await.expect("a request in time");
        let at = Instant::now();
        let mut socket = Raw(accepted.unwrap().0);
        socket.0.set_nodelay(true).unwrap();
        let head = socket.until("\r\n\r\n").await;
        Asked { head, at, socket }
    }
}

impl Asked {
    pub(crate) async fn say(&mut self, text: &str) {
        self.bytes(text.as_bytes()).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.socket.0.write_all(bytes).await.unwrap();
    }

    /// Begins a stream.
    pub(crate) async fn stream(&mut self) {
        self.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n").await;
    }

    /// Begins a stream, with a hello that announces these times in milliseconds.
    pub(crate) async fn hello(&mut self, retry: u64, interval: u64) {
        self.stream().await;
        let now = "2026-11-22T20:20:01.120Z";
        let hello = json!({"protocol": 1, "snapshotIntervalMs": interval, "retryMs": retry, "now": now, "boot": 12});
        self.say(&format!("event: hello\ndata: {hello}\n\n")).await;
    }

    /// Sends a status.
    pub(crate) async fn status(&mut self, status: &Value) {
        self.say(&format!("data: {status}\n\n")).await;
    }

    /// Says goodbye, and leaves the connection open.
    pub(crate) async fn goodbye(&mut self, reason: &str, retry_after: u64) {
        let goodbye = json!({"reason": reason, "retryAfterMs": retry_after});
        self.say(&format!("event: goodbye\ndata: {goodbye}\n\n")).await;
    }

    /// Answers with a status and a body, and closes.
    pub(crate) async fn answer(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.say(&format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"))
            .await;
    }
}

/// The status of [`GUILD`].
pub(crate) fn status(state: &str, reason: Option<&str>, revision: &str) -> Value {
    json!({
        "guildId": GUILD, "healthy": reason.is_none(), "state": state, "reason": reason, "version": "1.4.2",
        "since": "2026-11-22T20:18:30.250Z", "shard": {"id": 0, "count": 1}, "revision": revision,
    })
}

/// The body of a refusal.
pub(crate) fn problem(status: u16, code: &str, detail: &str) -> String {
    json!({"type": "about:blank", "title": "", "status": status, "code": code, "detail": detail}).to_string()
}
