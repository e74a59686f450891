//! How the connection is, in words.

use crate::liveness::Monotonic;

/// The connection to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// There was none yet.
    Connecting,
    /// It has brought a status.
    Open,
    /// It is lost, and will be tried again.
    Waiting { why: String, until: Monotonic },
    /// It is lost, and is being tried again.
    Trying { why: String },
    /// It is lost for good; the command says why when it ends.
    Ended,
}

impl Link {
    /// Whether what is shown is what is.
    pub(super) fn is_open(&self) -> bool {
        *self == Self::Open
    }

    /// The line below the guilds, if it takes one.
    pub(super) fn words(&self, was_open: bool, now: Monotonic) -> Option<String> {
        let lost = if was_open { "Connection lost" } else { "Cannot connect" };
        match self {
            Self::Connecting => Some("Connecting…".into()),
            Self::Open | Self::Ended => None,
            Self::Waiting { why, until } => {
                let left = until.saturating_sub(now).as_millis().div_ceil(1000);
                let when = if left == 0 { "trying now".into() } else { format!("next try in {left} s") };
                Some(format!("{lost}: {why} · {when}"))
            }
            Self::Trying { why } => Some(format!("{lost}: {why} · trying now")),
        }
    }
}
