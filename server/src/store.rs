//! The transition log: what happened, in the order of its numbers.
//!
//! It is written behind everything else: a transition is published first and logged then, and no
//! fault of the log may stop beats or streams. In this version it is kept in memory.

use std::collections::VecDeque;

use crate::liveness::Transition;
use crate::wire::{Facts, UnixMillis};

/// How many transitions are kept; older ones are dropped.
const KEPT: usize = 10_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: UnixMillis,
    /// What changed.
    pub transition: Transition,
    /// What has been said of the shard or the guild since; `None` for a change of routing.
    pub facts: Option<Facts>,
}

/// Where the log is kept.
#[derive(Debug)]
pub enum Store {
    /// Lost with the process.
    Memory(VecDeque<Record>),
}

impl Store {
    /// An empty log in memory.
    pub fn in_memory() -> Self {
        Self::Memory(VecDeque::new())
    }

    /// Takes the records in. Never blocks and never fails.
    pub fn append(&mut self, records: impl IntoIterator<Item = Record>) {
        match self {
            Self::Memory(log) => {
                log.extend(records);
                log.drain(..log.len().saturating_sub(KEPT));
            }
        }
    }

    /// The newest records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        match self {
            Self::Memory(log) => log.iter(),
        }
    }
}
