//! Streams of a real server, as bytes on a socket.

use std::time::Duration;

use guildpulse::wire::Status;
use guildpulse::wire::sse::{GoodbyeReason, Hello, StreamGoodbye};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::documents::word;
use crate::events::{self, Event};
use crate::harness::{GUILD, OTHER_GUILD, PATIENCE, TestServer, token, viewer};
use crate::protocol::blocks;
use crate::schemas::{OpenApi, check};

/// A connection on which a stream was asked for.
struct Socket {
    stream: TcpStream,
    read: String,
}

impl Socket {
    async fn ask(server: &TestServer, method: &str, target: &str, version: &str, token: &str) -> Self {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let head = format!("{method} {target} {version}\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", server.addr);
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, read: String::new() }
    }

    /// Reads until there is enough, or to the end.
    async fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> &str {
        let reading = async {
            let mut buffer = vec![0; 4096];
            while !enough(&self.read) {
                let length = self.stream.read(&mut buffer).await.unwrap();
                if length == 0 {
                    break;
                }
                self.read += std::str::from_utf8(&buffer[..length]).unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the stream goes on in time");
        &self.read
    }

    /// Waits for as many events; the body of the answer as a client sees it.
    async fn events(&mut self, number: usize) -> Vec<Event> {
        self.read_until(|read| events::read(&body(read)).events.len() >= number).await;
        events::read(&body(&self.read)).events
    }
}

/// The head of the answer, without the status line, in lower case and in order.
fn headers(answer: &str) -> Vec<String> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut lines: Vec<_> = head.lines().skip(1).map(str::to_lowercase).collect();
    lines.sort();
    lines
}

/// The body of the answer without its framing.
fn body(answer: &str) -> String {
    let Some((_, mut rest)) = answer.split_once("\r\n\r\n") else { return String::new() };
    if !headers(answer).contains(&"transfer-encoding: chunked".into()) {
        return rest.into();
    }
    let mut body = String::new();
    while let Some((length, chunk)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a chunk begins with its length");
        let Some(payload) = chunk.get(..length) else { return body + chunk };
        body += payload;
        rest = chunk[length..].strip_prefix("\r\n").unwrap_or("");
    }
    body
}

fn status(event: &Event) -> Status {
    assert_eq!(event.name, "message");
    let status: Status = serde_json::from_str(&event.data).unwrap();
    assert_eq!(event.id, status.facts.revision.to_string());
    status
}

fn goodbye(events: &[Event]) -> StreamGoodbye {
    let last = events.last().expect("the stream held events");
    assert_eq!(last.name, "goodbye");
    check(&OpenApi::load().strict(&OpenApi::named("StreamGoodbye")), &serde_json::from_str(&last.data).unwrap(), "goodbye");
    serde_json::from_str(&last.data).unwrap()
}

fn target(guild: &str) -> String {
    format!("/api/v1/guilds/{guild}/status/stream")
}

#[tokio::test]
async fn a_stream_begins_with_retry_hello_and_every_status() {
    let server = TestServer::start().await;
    let api = OpenApi::load();
    let target = format!("/api/v1/streams?guilds={OTHER_GUILD},{GUILD}");
    let mut socket = Socket::ask(&server, "GET", &target, "HTTP/1.1", &viewer("*")).await;
    let read = socket.events(3).await;
    let hello: Hello = serde_json::from_str(&read[0].data).unwrap();
    check(&api.strict(&OpenApi::named("Hello")), &serde_json::from_str(&read[0].data).unwrap(), "hello");
    assert_eq!((read[0].name.as_str(), events::read(&body(&socket.read)).retry), ("hello", Some(hello.retry_ms)));
    for (event, guild) in read[1..].iter().zip([OTHER_GUILD, GUILD]) {
        check(&api.strict(&OpenApi::named("Status")), &serde_json::from_str(&event.data).unwrap(), guild);
        assert_eq!((status(event).guild_id.to_string().as_str(), status(event).facts.revision.boot), (guild, hello.boot));
    }
}

#[tokio::test]
async fn the_head_of_a_stream_is_as_the_protocol_shows_it() {
    let server = TestServer::start().await;
    let shown = blocks().into_iter().find(|block| block.info == "http").expect("the protocol shows a head");
    let shown: Vec<_> = shown.text.lines().map(str::to_lowercase).collect();
    for (method, version) in [("GET", "HTTP/1.1"), ("HEAD", "HTTP/1.1"), ("GET", "HTTP/1.0")] {
        let mut socket = Socket::ask(&server, method, &target(GUILD), version, &viewer("*")).await;
        let answer = socket.read_until(|read| read.contains("\r\n\r\n")).await;
        assert_eq!(answer.split(' ').nth(1), Some("200"), "{method} {version}");
        let sent = headers(answer);
        for line in &shown {
            let is_sent = version == "HTTP/1.1" || !line.starts_with("connection:");
            assert_eq!(sent.contains(line), is_sent, "{method} {version}: {line} {sent:?}");
        }
        let chunked = sent.contains(&"transfer-encoding: chunked".into());
        assert!(chunked == (version == "HTTP/1.1") || method == "HEAD", "{method} {version}: {sent:?}");
    }
}

#[tokio::test]
async fn http_1_0_gets_the_same_events_without_chunks() {
    let server = TestServer::start().await;
    let mut old = Socket::ask(&server, "GET", &target(GUILD), "HTTP/1.0", &viewer("*")).await;
    let mut new = Socket::ask(&server, "GET", &target(GUILD), "HTTP/1.1", &viewer("*")).await;
    assert_eq!(status(&old.events(2).await[1]), status(&new.events(2).await[1]));
    let (_, body) = old.read.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("retry: "), "{body}");
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let server = TestServer::start().await;
    let mut socket = Socket::ask(&server, "HEAD", &target(GUILD), "HTTP/1.0", &viewer("*")).await;
    let answer = socket.read_until(|_| false).await;
    assert!(answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1, "{answer}");
}

#[tokio::test]
async fn a_transition_is_sent_with_a_greater_revision() {
    let server = TestServer::start().await;
    let mut socket = Socket::ask(&server, "GET", &target(GUILD), "HTTP/1.1", &viewer(vec![GUILD])).await;
    let before = status(&socket.events(2).await[1]);
    server.beat(&json!({ "shards": [{ "id": 2, "count": 16 }], "version": "1\r\n\ndata: \u{2028}🚀" })).await;
    let after = status(&socket.events(3).await[2]);
    assert!(before.facts.revision < after.facts.revision);
    assert_eq!((before.facts.healthy, after.facts.healthy), (false, true));
    assert_eq!(after.facts.version.as_deref(), Some("1\r\n\ndata: \u{2028}🚀"));
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye_and_ends_the_body() {
    let server = TestServer::start().await;
    let mut socket = Socket::ask(&server, "GET", &target(GUILD), "HTTP/1.1", &viewer("*")).await;
    socket.events(2).await;
    server.stop();
    let answer = socket.read_until(|_| false).await;
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    let said = goodbye(&events::read(&body(answer)).events);
    assert_eq!(word(&said.reason), "shutdown");
    assert!(said.retry_after_ms >= 1000, "1 to 5 s after the rest of the drain, not {}", said.retry_after_ms);
    server.stopped().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token_leeway_included() {
    let server = TestServer::start().await;
    let now = guildpulse::clock::wall().unix_seconds();
    let ending = token(&json!({ "sub": "viewer", "exp": now - 3, "guilds": "*" }));
    let mut socket = Socket::ask(&server, "GET", &target(GUILD), "HTTP/1.1", &ending).await;
    let answer = socket.read_until(|read| read.ends_with("\r\n0\r\n\r\n")).await;
    assert_eq!(goodbye(&events::read(&body(answer)).events).reason, GoodbyeReason::Expired);
    let ended = Duration::from_millis(u64::try_from(guildpulse::clock::wall().0).unwrap());
    assert!(ended >= Duration::from_secs(now + 2), "not before the 5 s of leeway are over");
}
