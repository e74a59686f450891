//! How the shards of the simulated bot are spread over its processes.

/// How many shards it has, and how many processes they are spread over.
pub(super) const SHARDS: u32 = 16;
const WORKERS: u32 = 4;

/// A part of the bot: one of its processes at a time, two during a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub(super) index: u32,
    /// How many shards the bot has in all.
    pub(super) count: u32,
}

impl Worker {
    pub(super) fn shards(self) -> impl Iterator<Item = u32> {
        let each = self.count / WORKERS;
        self.index * each..(self.index + 1) * each
    }
}

/// The workers of a bot with this many shards.
pub(super) fn workers(count: u32) -> impl Iterator<Item = Worker> {
    (0..WORKERS).map(move |index| Worker { index, count })
}
