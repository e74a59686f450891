//! Why there is no stream, or no more of it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;

use crate::wire::event_stream::TooLong;

/// Why there is no stream, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// There was no answer: the cause in words, without the URL.
    #[error("{0}")]
    Unreachable(String),
    /// The answer was not 200.
    #[error("{status}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// When it says that the server may be asked again (RFC 9110, section 10.2.3).
        retry_after: Option<Duration>,
        /// The beginning of its body, which may say why.
        body: Bytes,
    },
    /// The answer was 200, but not of the type of a stream.
    #[error("the answer is {0:?} instead of a stream")]
    NoStream(String),
    /// The stream ended, as streams do.
    #[error("the server closed the stream")]
    Ended,
    /// The connection broke.
    #[error("the stream was cut")]
    Cut,
    /// More came than is kept.
    #[error("{0}")]
    TooLong(#[from] TooLong),
    /// Nothing came for longer than the user of the stream would wait.
    #[error("the stream fell silent")]
    Silent,
}

impl Loss {
    /// Whether a page would give up here: there was an answer, and it was none of a stream.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::NoStream(_) => true,
            Self::Unreachable(_) | Self::Ended | Self::Cut | Self::TooLong(_) | Self::Silent => false,
        }
    }
}
