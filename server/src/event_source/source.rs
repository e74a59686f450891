//! A stream that is opened again when it is lost.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use reqwest::Client;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::{Connection, Loss, Request};
use crate::wire::event_stream::{Bounds, Item, Message};

/// How long a client waits before it connects again, until the server says something else in `retry:`. The
/// standard leaves it to the client, "a few seconds".
const RECONNECTION: Duration = Duration::from_secs(3);

/// What happens to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The server has answered with a stream.
    Open,
    /// An event came.
    Message(Message),
    /// There is no stream any more. It will be tried again after that time, or never.
    Lost(Loss, Option<Duration>),
}

/// When to connect again after a loss. It is given the reconnection time, which is that of the last `retry:`
/// field. None is never.
pub struct Retry(Box<Policy>);

type Policy = dyn FnMut(&Loss, Duration) -> Option<Duration> + Send;

impl Retry {
    /// As this says.
    pub fn new(policy: impl FnMut(&Loss, Duration) -> Option<Duration> + Send + 'static) -> Self {
        Self(Box::new(policy))
    }

    /// As a page does: after the reconnection time, unless there was an answer and it was none of a stream.
    pub fn standard() -> Self {
        Self::new(|loss, reconnection| (!loss.is_final()).then_some(reconnection))
    }

    /// Never.
    pub fn never() -> Self {
        Self::new(|_, _| None)
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retry")
    }
}

/// A stream that is opened again when it is lost. Nothing happens unless [`next`](Self::next) is awaited.
pub struct EventSource {
    http: Client,
    request: Request,
    retry: Retry,
    stop: CancellationToken,
    reconnection: Duration,
    state: State,
}

enum State {
    /// It is to be opened now.
    Due,
    Waiting(Pin<Box<Sleep>>),
    Connecting(Opening),
    Open(Box<Connection>),
    Over,
}

type Opening = Pin<Box<dyn Future<Output = Result<Connection, Loss>> + Send>>;

impl EventSource {
    /// A stream that will be asked for with this client and this request. It ends with `stop`.
    pub fn new(http: Client, request: Request, retry: Retry, stop: CancellationToken) -> Self {
        Self { http, request, retry, stop, reconnection: RECONNECTION, state: State::Due }
    }

    /// What will be asked when the stream is opened the next time. Its last event id is that of the last event.
    pub fn request(&mut self) -> &mut Request {
        &mut self.request
    }

    /// What happens next; none once the stream is over for good. Nothing is lost if the future is dropped
    /// before it is ready.
    pub async fn next(&mut self) -> Option<Signal> {
        let stop = self.stop.clone();
        let signal = stop.run_until_cancelled(self.go_on()).await.flatten();
        if signal.is_none() {
            self.state = State::Over;
        }
        signal
    }

    fn open(&self) -> Opening {
        let (http, request) = (self.http.clone(), self.request.clone());
        Box::pin(async move { Connection::open(&http, &request, Bounds::default()).await })
    }

    async fn go_on(&mut self) -> Option<Signal> {
        loop {
            match &mut self.state {
                State::Waiting(sleep) => {
                    sleep.await;
                    self.state = State::Due;
                }
                State::Due => self.state = State::Connecting(self.open()),
                State::Connecting(opening) => match opening.await {
                    Ok(connection) => {
                        self.state = State::Open(Box::new(connection));
                        return Some(Signal::Open);
                    }
                    Err(loss) => return Some(self.lose(loss)),
                },
                State::Open(connection) => match connection.next().await {
                    Ok(Item::Message(message)) => return Some(Signal::Message(message)),
                    Ok(Item::Retry(reconnection)) => self.reconnection = reconnection,
                    Ok(Item::Comment) => {}
                    Err(loss) => return Some(self.lose(loss)),
                },
                State::Over => return None,
            }
        }
    }

    /// Gives the connection up, for a reason that its user knows, as that it has been silent for too long.
    /// Returns what [`next`](Self::next) would of a loss.
    pub fn lose(&mut self, loss: Loss) -> Signal {
        if let State::Open(connection) = &self.state {
            connection.last_event_id().clone_into(&mut self.request.last_event_id);
        }
        let wait = (self.retry.0)(&loss, self.reconnection);
        self.state = wait.map_or(State::Over, |wait| State::Waiting(Box::pin(sleep(wait))));
        Signal::Lost(loss, wait)
    }

    /// Connects again after this time, whatever was to happen.
    pub fn retry_after(&mut self, wait: Duration) {
        self.state = State::Waiting(Box::pin(sleep(wait)));
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource").field("url", &self.request.url.as_str()).finish_non_exhaustive()
    }
}
