//! One stream over the network: from its request to its events.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use sse_stream::{Sse, SseByteStream};
use tokio::time::timeout;

use super::retry::Loss;
use super::text::visible;
use super::words::between;
use crate::cli::client::{Client, Refused, refused};
use crate::clock;
use crate::wire::{Event, UnixMillis};

/// How long the head of the answer may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes may come without making a whole event. The parser keeps them all, so this is what a
/// server can make us hold; a status has less than 1 KiB.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Why there is no stream.
pub(super) enum Refusal {
    /// The same request would be refused again.
    Final(anyhow::Error),
    /// It may be different next time.
    Passing(Loss),
}

impl Refusal {
    fn passing(why: impl Into<String>) -> Self {
        Self::Passing(Loss::Refused { why: why.into(), retry_after: None })
    }
}

/// An open stream.
pub(super) struct Stream {
    events: BoxStream<'static, Result<Sse, sse_stream::Error>>,
    /// Bytes since the last event.
    unread: Arc<AtomicUsize>,
}

/// Asks for the stream.
pub(super) async fn open(client: Client, path: String) -> Result<Stream, Refusal> {
    let asked = async {
        let answer = client.stream(&path).await.map_err(|error| Refusal::passing(visible(&root(&error))))?;
        if answer.status().is_success() { checked(answer) } else { Err(refusal(answer).await) }
    };
    let late = || Refusal::passing(format!("no answer within {} s", HEAD_PATIENCE.as_secs()));
    timeout(HEAD_PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))
}

/// The stream, if it is one.
fn checked(answer: Response) -> Result<Stream, Refusal> {
    let kind = answer.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let essence = kind.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        return Ok(Stream::of(answer));
    }
    let found = if essence.is_empty() { "an answer without a type" } else { essence };
    let status = answer.status();
    Err(Refusal::Final(anyhow!("{status}, but {} instead of a stream: is a guildpulse at this URL?", visible(found))))
}

async fn refusal(answer: Response) -> Refusal {
    let (status, retry_after) = (answer.status(), retry_after(answer.headers(), clock::wall()));
    let Refused { detail, .. } = refused(answer).await;
    let why = match visible(detail.trim()) {
        detail if detail.is_empty() => status.to_string(),
        detail => format!("{status}: {detail}"),
    };
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal::Final(anyhow!(why)),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Refusal::Final(anyhow!("{why}; is a guildpulse at this URL?"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Refusal::Passing(Loss::Refused { why, retry_after })
        }
        _ => Refusal::passing(why),
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?;
    Some(between(now, UnixMillis(date.timestamp().as_millisecond())))
}

/// The cause at the bottom, in words; what is above it only says that a request was sent.
fn root(error: &anyhow::Error) -> String {
    let root = error.root_cause();
    // What the system calls it is plainer than the number that it adds.
    let of_system = root.downcast_ref::<io::Error>().filter(|error| error.raw_os_error().is_some());
    of_system.map_or_else(|| root.to_string(), |error| error.kind().to_string())
}

/// The body cannot go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the stream was cut")]
    Cut(#[source] reqwest::Error),
    #[error("{MAX_EVENT_BYTES} bytes came that are no event")]
    Endless,
}

impl Stream {
    fn of(answer: Response) -> Self {
        let unread = Arc::new(AtomicUsize::new(0));
        let bytes = stream::try_unfold((answer, Arc::clone(&unread)), |(mut answer, unread)| async move {
            let Some(chunk) = answer.chunk().await.map_err(Broken::Cut)? else { return Ok(None) };
            if unread.fetch_add(chunk.len(), Ordering::Relaxed) > MAX_EVENT_BYTES {
                return Err(Broken::Endless);
            }
            Ok(Some((chunk, (answer, unread))))
        });
        Self { events: SseByteStream::new(Box::pin(bytes)).boxed(), unread }
    }

    /// The next event that means something.
    pub(super) async fn next(&mut self) -> Result<Event, Loss> {
        loop {
            let next = Pin::new(&mut self.events).next().await;
            let block = match next {
                Some(Ok(block)) => block,
                Some(Err(sse_stream::Error::Body(broken))) => return Err(Loss::Cut { why: broken.to_string() }),
                Some(Err(error)) => return Err(Loss::Cut { why: format!("what came is no event: {error}") }),
                None => return Err(Loss::Cut { why: "the server closed the stream".into() }),
            };
            self.unread.store(0, Ordering::Relaxed);
            let kind = block.event.as_deref().unwrap_or_default();
            if let Some(event) = block.data.as_deref().and_then(|data| Event::read(kind, data)) {
                return Ok(event);
            }
        }
    }
}
