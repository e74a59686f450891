//! What a viewer does.

/// What a viewer that is to be opened looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) guild: u64,
    /// Viewers of one group look at one shard: their revisions have to agree.
    pub(crate) group: u32,
    pub(crate) reads: Reads,
}

/// How a viewer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// As soon as there is something.
    AtOnce,
    /// Its first status, and then nothing, into a buffer as small as the kernel allows.
    OnlyTheFirst,
    /// As soon as there is something, and leaves by itself.
    Until(Stage, Way),
}

/// When a viewer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before it asks.
    Connected,
    /// In the middle of its request.
    HalfAsked,
    /// It does not wait for the answer.
    Asked,
    /// It does not read the answer.
    Answered,
    /// After so many bytes of head and body: most likely in the middle of something.
    Bytes(usize),
    /// After so many statuses.
    Statuses(u64),
}

/// How a viewer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a machine that vanishes.
    Reset,
    /// As a browser: the kernel says goodbye, unless there is something unread.
    Close,
}

impl Reads {
    /// How much a viewer that has so many bytes and statuses wants to read at most; none if nothing.
    pub(super) fn most(self, bytes: usize, statuses: u64) -> Option<usize> {
        match self {
            Self::OnlyTheFirst if statuses > 0 => None,
            _ if self.has_enough(bytes, statuses) => None,
            Self::Until(Stage::Bytes(end), _) => Some(end - bytes),
            Self::AtOnce | Self::OnlyTheFirst | Self::Until(..) => Some(usize::MAX),
        }
    }

    /// Whether a viewer that was answered, and has so many bytes and statuses, leaves.
    pub(super) fn has_enough(self, bytes: usize, statuses: u64) -> bool {
        match self {
            Self::AtOnce | Self::OnlyTheFirst => false,
            Self::Until(Stage::Connected | Stage::HalfAsked | Stage::Asked | Stage::Answered, _) => true,
            Self::Until(Stage::Bytes(end), _) => bytes >= end,
            Self::Until(Stage::Statuses(end), _) => statuses >= end,
        }
    }
}
