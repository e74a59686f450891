//! What the upstream did instead of telling a status.

use std::time::Duration;

use reqwest::StatusCode;

use crate::event_source::Loss;
use crate::wire::{Code, NoStatus, Problem, read_json};

/// Why there is no status, or no stream of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There was no answer; the cause in words.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// There was no answer in time.
    #[error("it did not answer in time")]
    Late,
    /// The answer was a status other than 200.
    #[error("it answered {status}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// When it may be asked again.
        retry_after: Option<Duration>,
        /// What it said of it, if that is a problem as we know them.
        problem: Option<Box<Problem>>,
    },
    /// The answer was 200 and no status.
    #[error("its answer is no status: {0}")]
    NoStatus(#[from] NoStatus),
    /// The answer was 200 and of another type than the one that was asked for.
    #[error("its answer is {0:?}")]
    WrongType(String),
    /// A stream has brought no status.
    #[error("its stream brought no status")]
    Mute,
    /// A stream brought nothing for longer than it may.
    #[error("its stream fell silent")]
    Silent,
    /// A stream is over.
    #[error("{0}")]
    Over(Loss),
    /// As many streams are open as may be.
    #[error("too many streams are open")]
    NoPlace,
}

impl Fault {
    pub(super) fn refused(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let problem = std::str::from_utf8(body).ok().and_then(|text| read_json::<Problem>(text).ok());
        let is_error = status.is_client_error() || status.is_server_error();
        let problem = problem.filter(|problem| is_error && problem.status == status.as_u16()).map(Box::new);
        Self::Refused { status, retry_after, problem }
    }

    /// Whether the upstream says that the credential is not good for this.
    pub(super) fn is_denial(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// Whether the same request would get the same answer for a while, so that the answer can be kept.
    pub(super) fn is_lasting(&self) -> bool {
        self.is_denial() || matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// When the upstream wants to be asked again, if it says so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What the caller is told who is to blame for nothing of it.
    pub(super) fn problem(&self) -> Problem {
        let detail = format!("the backend is not to be had: {self}");
        match self {
            Self::Refused { problem: Some(problem), retry_after, .. } => {
                Problem { retry_after: seconds(*retry_after), ..(**problem).clone() }
            }
            Self::Refused { status, retry_after, .. } => refusal(*status, *retry_after),
            Self::Unreachable(_) | Self::Over(_) | Self::Silent => Problem::new(Code::UpstreamUnreachable, detail),
            Self::Late => Problem::new(Code::UpstreamTimeout, detail),
            Self::NoStatus(_) | Self::WrongType(_) | Self::Mute | Self::NoPlace => {
                Problem::new(Code::UpstreamInvalid, detail)
            }
        }
    }
}

impl From<Loss> for Fault {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Unreachable(cause) => Self::Unreachable(cause),
            Loss::Refused { status, retry_after, body } => Self::refused(status, retry_after, &body),
            Loss::NoStream(kind) => Self::WrongType(kind),
            over => Self::Over(over),
        }
    }
}

/// A refusal keeps its status. What is neither a success nor an error of HTTP is no answer to our question.
fn refusal(status: StatusCode, retry_after: Option<Duration>) -> Problem {
    let detail = format!("the backend answered {status}");
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::InvalidCredential,
        StatusCode::FORBIDDEN => Code::GuildNotAllowed,
        StatusCode::NOT_FOUND => Code::NotFound,
        _ if status.is_client_error() || status.is_server_error() => Code::UpstreamRefused,
        _ => return Problem::new(Code::UpstreamInvalid, detail),
    };
    let title = status.canonical_reason().unwrap_or("Error").to_owned();
    Problem { status: status.as_u16(), title, retry_after: seconds(retry_after), ..Problem::new(code, detail) }
}

/// Whole ones, rather one more than one less.
fn seconds(wait: Option<Duration>) -> Option<u32> {
    let wait = wait?;
    u32::try_from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_the_backend_is_handed_on_and_what_is_no_error_is_none_of_its_problems() {
        let handed_on = |status: u16| {
            let mut problem = Problem::new(Code::NotFound, "in words of its own");
            problem.status = status;
            let body = serde_json::to_vec(&problem).unwrap();
            let problem = Fault::refused(StatusCode::from_u16(status).unwrap(), None, &body).problem();
            (problem.status, problem.code, problem.detail == "in words of its own")
        };
        assert_eq!(handed_on(404), (404, Code::NotFound, true));
        assert_eq!(handed_on(503), (503, Code::NotFound, true));
        for status in [202, 204, 302, 304] {
            assert_eq!(handed_on(status), (502, Code::UpstreamInvalid, false));
        }
    }
}
