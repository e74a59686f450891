//! The words of labels. Each set is closed: no word comes from a request.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde::Serialize;

use crate::wire::{Code, Reason, word};

/// One label and its value.
pub type Label = [(&'static str, String); 1];

/// A limit that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `max_viewers`.
    Viewers,
    /// `max_viewers_per_principal`.
    Principal,
    /// `max_viewers_per_address`.
    Address,
    /// `max_connections`.
    Connections,
    /// The questions to a backend that may be open at once.
    Checks,
    /// The descriptors of the process or of the machine.
    Descriptors,
    /// `max_body_bytes`.
    Body,
    /// `body_timeout_ms`.
    BodyTime,
    /// `max_head_bytes`.
    Head,
    /// `head_timeout_ms`.
    HeadTime,
}

impl Limit {
    pub(super) const ALL: [Self; 10] = [
        Self::Viewers,
        Self::Principal,
        Self::Address,
        Self::Connections,
        Self::Checks,
        Self::Descriptors,
        Self::Body,
        Self::BodyTime,
        Self::Head,
        Self::HeadTime,
    ];
}

/// What becomes of what is handed to the store: it is written, it is kept in memory on purpose, or
/// it waits for one of the faults to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It is written.
    Written,
    /// There is no database, and there is to be none.
    Memory,
    /// The disk is full.
    Full,
    /// The file or its folder may not be written.
    ReadOnly,
    /// Another process holds the lock.
    Locked,
    /// Another server has the data folder.
    Taken,
    /// The file was moved or removed.
    Gone,
    /// The file is damaged.
    Corrupt,
    /// A later version has changed the tables.
    Newer,
    /// Anything else is wrong.
    Other,
}

impl StoreState {
    pub(super) const ALL: [Self; 10] = [
        Self::Written,
        Self::Memory,
        Self::Full,
        Self::ReadOnly,
        Self::Locked,
        Self::Taken,
        Self::Gone,
        Self::Corrupt,
        Self::Newer,
        Self::Other,
    ];
}

/// Whether a beat or a goodbye can be refused with this code.
pub(super) fn refuses_beats(code: Code) -> bool {
    match code {
        Code::InvalidHeartbeat
        | Code::MissingCredential
        | Code::InvalidCredential
        | Code::ExpiredCredential
        | Code::BotRequired
        | Code::OriginNotAllowed
        | Code::RequestTimeout
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType => true,
        Code::InvalidGuildId
        | Code::TooManyGuilds
        | Code::GuildNotAllowed
        | Code::OperatorRequired
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::TooManyStreams
        | Code::Internal
        | Code::TooManyViewers
        | Code::TooManyConnections
        | Code::TooManyChecks
        | Code::UpstreamUnreachable
        | Code::UpstreamInvalid
        | Code::UpstreamTimeout
        | Code::UpstreamRefused => false,
    }
}

pub(super) fn label(name: &'static str, value: impl Serialize) -> Label {
    [(name, word(value))]
}

/// The label of a transition; `none` is being online.
pub(super) fn reason(reason: Option<Reason>) -> Label {
    reason.map_or_else(|| label("reason", "none"), |reason| label("reason", reason))
}

/// Lets a series of each label stand there from the start, so that a first one is seen as an
/// increase.
pub(super) fn stand(family: &Family<Label, Counter>, labels: impl IntoIterator<Item = Label>) {
    labels.into_iter().for_each(|label| drop(family.get_or_create(&label)));
}
