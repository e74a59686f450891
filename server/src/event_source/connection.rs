//! One request for a stream, and what comes of it.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::Loss;
use crate::clock;
use crate::wire::UnixMillis;
use crate::wire::event_stream::{Bounds, EventStream, Item};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How much of the body of a refusal is read.
const REFUSAL_BYTES: usize = 16 * 1024;
/// How long that may take.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);

/// A request for a stream.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method; a page uses GET only.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// What goes with it besides `Accept`, `Cache-Control` and `Last-Event-ID`, unless it is one of these.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Option<Bytes>,
    /// The id of the last event that was received; empty if there was none.
    pub last_event_id: String,
}

impl Request {
    /// What a page would ask.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None, last_event_id: String::new() }
    }

    /// All headers of it.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // An id may hold what a header cannot. A server that gives such ones is not asked to go on from there.
        if let Some(id) = HeaderValue::from_bytes(self.last_event_id.as_bytes()).ok().filter(|id| !id.is_empty()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        headers.extend(self.headers.clone());
        headers
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Connection {
    answer: Response,
    stream: EventStream,
    items: VecDeque<Item>,
    /// Why nothing comes behind `items`.
    over: Option<Loss>,
}

impl Connection {
    /// Asks for a stream, and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it is not 200, or none of a stream.
    pub async fn open(http: &Client, request: &Request, bounds: Bounds) -> Result<Self, Loss> {
        let mut asked = http.request(request.method.clone(), request.url.clone()).headers(request.headers());
        if let Some(body) = &request.body {
            asked = asked.body(body.clone());
        }
        let answer = asked.send().await.map_err(|error| Loss::Unreachable(cause(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer).await);
        }
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/event-stream") {
            return Err(Loss::NoStream(essence.to_owned()));
        }
        let stream = EventStream::new(bounds, &*request.last_event_id);
        Ok(Self { answer, stream, items: VecDeque::new(), over: None })
    }

    /// What comes next. Nothing is lost if the future is dropped before it is ready.
    ///
    /// # Errors
    ///
    /// When the stream is over, whatever ended it; it will say so whenever it is asked.
    pub async fn next(&mut self) -> Result<Item, Loss> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            if let Some(over) = &self.over {
                return Err(over.clone());
            }
            match self.answer.chunk().await {
                Ok(Some(piece)) => {
                    let mut items = Vec::new();
                    self.over = self.stream.read(&piece, &mut items).err().map(Loss::TooLong);
                    self.items.extend(items);
                }
                Ok(None) => self.over = Some(Loss::Ended),
                Err(_) => self.over = Some(Loss::Cut),
            }
        }
    }

    /// The id of the last event; see [`EventStream::last_event_id`].
    pub fn last_event_id(&self) -> &str {
        self.stream.last_event_id()
    }
}

async fn refusal(mut answer: Response) -> Loss {
    let (status, retry_after) = (answer.status(), retry_after(answer.headers(), clock::wall()));
    let mut body = BytesMut::new();
    let read = async {
        while let Ok(Some(piece)) = answer.chunk().await {
            body.extend_from_slice(&piece[..piece.len().min(REFUSAL_BYTES - body.len())]);
            if body.len() == REFUSAL_BYTES {
                break;
            }
        }
    };
    // What has come by then may say why; whether anything does is not worth more.
    tokio::time::timeout(REFUSAL_PATIENCE, read).await.ok();
    Loss::Refused { status, retry_after, body: body.freeze() }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis(u64::try_from(date.saturating_sub(now.0)).unwrap_or(0)))
}

/// The cause at the bottom, in words; what is above it only says that a request was sent.
pub(crate) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    // What the system calls it is plainer than the number that it adds.
    let of_system = root.downcast_ref::<io::Error>().filter(|error| error.raw_os_error().is_some());
    of_system.map_or_else(|| root.to_string(), |error| error.kind().to_string())
}
