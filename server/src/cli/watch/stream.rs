//! The stream, as its viewer sees it: events that mean something, and why there are none.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::timeout;

use super::retry::Loss;
use super::text::visible;
use crate::cli::client::detail;
use crate::event_source::{self, EventSource, Signal};
use crate::wire::Event;

/// How long the head of the answer may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

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

/// Asks for the stream, at once.
pub(super) async fn open(source: &mut EventSource) -> Result<(), Refusal> {
    match timeout(HEAD_PATIENCE, source.next()).await {
        Ok(Some(Signal::Lost(loss, _))) => Err(refusal(&loss)),
        Ok(_) => Ok(()),
        Err(_) => {
            source.lose(event_source::Loss::Silent);
            Err(Refusal::passing(format!("no answer within {} s", HEAD_PATIENCE.as_secs())))
        }
    }
}

/// The next event that means something.
pub(super) async fn next(source: &mut EventSource) -> Result<Event, Loss> {
    loop {
        match source.next().await {
            Some(Signal::Message(message)) => {
                if let Some(event) = Event::read(&message.kind, &message.data) {
                    return Ok(event);
                }
            }
            Some(Signal::Lost(loss, _)) => return Err(Loss::Cut { why: visible(&loss.to_string()) }),
            Some(Signal::Open) => {}
            None => return Err(Loss::Cut { why: "the stream is over".into() }),
        }
    }
}

fn refusal(loss: &event_source::Loss) -> Refusal {
    match loss {
        event_source::Loss::NoStream(found) => {
            let found = if found.is_empty() { "an answer without a type" } else { found };
            Refusal::Final(anyhow!("200 OK, but {} instead of a stream: is a guildpulse at this URL?", visible(found)))
        }
        event_source::Loss::Refused { status, retry_after, body } => {
            let why = match visible(detail(body).trim()) {
                detail if detail.is_empty() => status.to_string(),
                detail => format!("{status}: {detail}"),
            };
            match status.as_u16() {
                400 | 401 | 403 => Refusal::Final(anyhow!(why)),
                200..=299 => Refusal::Final(anyhow!("{why} instead of a stream: is a guildpulse at this URL?")),
                404 | 405 => Refusal::Final(anyhow!("{why}; is a guildpulse at this URL?")),
                429 | 503 => Refusal::Passing(Loss::Refused { why, retry_after: *retry_after }),
                _ => Refusal::passing(why),
            }
        }
        other => Refusal::passing(visible(&other.to_string())),
    }
}
