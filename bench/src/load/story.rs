//! What viewers may be told while a bot goes on changing its version.
//!
//! The versions are numbers that count up. A bot is ahead of what it has told the server by at most one
//! beat. So whoever asks now has to be told the newest version that was acknowledged, or a newer one, and
//! nobody can be told one that the bot has not sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;

use super::Plan;
use crate::parser::Status;

/// How far the bot has come.
#[derive(Debug)]
pub(crate) struct Story {
    shards: u32,
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

impl Story {
    /// A bot of so many shards, all of which have one version, and which has not sent one.
    pub(crate) fn new(shards: u32) -> Self {
        Self { shards, sent: AtomicU64::new(0), acknowledged: AtomicU64::new(0) }
    }

    /// The next version, which is about to be sent.
    pub(crate) fn next(&self) -> u64 {
        self.sent.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The server knows everything that was sent.
    pub(crate) fn acknowledge(&self) {
        self.acknowledged.store(self.sent(), Ordering::SeqCst);
    }

    /// The newest version that may be known to anybody.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// The newest version that has to be known to everybody who asks.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// What one viewer may be told.
#[derive(Debug)]
pub(super) struct Expected {
    story: Arc<Story>,
    begin: Vec<u8>,
    shard: Vec<u8>,
    /// No version may be older than this.
    version: u64,
}

impl Expected {
    pub(super) fn new(story: &Arc<Story>, Plan { guild, group, .. }: Plan) -> Self {
        let begin = format!("{{\"guildId\":\"{guild}\",\"healthy\":true,\"state\":\"online\",\"reason\":null,");
        let shard = format!(",\"shard\":{{\"id\":{group},\"count\":{}}},", story.shards);
        Self { story: story.clone(), begin: begin.into_bytes(), shard: shard.into_bytes(), version: 0 }
    }

    /// The viewer is about to ask: what is known by now is the least that it may be told.
    pub(super) fn asks(&mut self) {
        self.version = self.version.max(self.story.acknowledged());
    }

    /// The number of the newest version that it was told.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// What is wrong with a status; none if nothing is.
    pub(super) fn fault_of(&mut self, status: Status<'_>) -> Option<String> {
        let version = version(status.data);
        let newest = self.story.sent();
        let is_right = status.data.starts_with(&self.begin)
            && status.says(&self.shard)
            && version.is_some_and(|version| (self.version..=newest).contains(&version));
        if is_right {
            self.version = version.unwrap_or_default();
            return None;
        }
        let [begin, shard, data] = [&self.begin, &self.shard, status.data].map(String::from_utf8_lossy);
        Some(format!("{data} instead of {begin}…{shard}… with a version from {} to {newest}", self.version))
    }
}

/// The number at the beginning of the version; what comes behind it only makes it longer.
fn version(data: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b",\"version\":\"";
    let digits = &data[memmem::find(data, KEY)? + KEY.len()..];
    let end = digits.iter().position(|letter| !letter.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Reads;
    use crate::parser::Revision;

    const RIGHT: &str = "{\"guildId\":\"7\",\"healthy\":true,\"state\":\"online\",\"reason\":null,\"lastHeartbeat\":\"t\",\
        \"version\":\"2\",\"since\":\"t\",\"shard\":{\"id\":3,\"count\":16},\"revision\":\"1.2\"}";

    fn viewer(story: &Arc<Story>) -> Expected {
        Expected::new(story, Plan { guild: 7, group: 3, reads: Reads::AtOnce })
    }

    fn is_right(viewer: &mut Expected, data: &str) -> bool {
        viewer.fault_of(Status { revision: Revision::default(), data: data.as_bytes() }).is_none()
    }

    #[test]
    fn a_status_of_another_guild_shard_or_state_is_wrong() {
        let story = Arc::new(Story::new(16));
        let _ = (story.next(), story.next());
        assert!(is_right(&mut viewer(&story), RIGHT));
        for (right, wrong) in [
            ("\"7\"", "\"77\""),
            ("true", "false"),
            ("online", "offline"),
            ("null", "\"fatal\""),
            ("\"id\":3", "\"id\":4"),
            ("\"count\":16", "\"count\":1"),
            ("\"version\":\"2\"", "\"version\":\"\""),
            ("\"version\":\"2\"", "\"version\":null"),
        ] {
            assert!(!is_right(&mut viewer(&story), &RIGHT.replace(right, wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_version_that_was_not_sent_or_was_old_when_the_viewer_asked_is_wrong() {
        let story = Arc::new(Story::new(16));
        let told = |viewer: &mut Expected, version: u64| {
            is_right(viewer, &RIGHT.replace("\"version\":\"2\"", &format!("\"version\":\"{version}\\u0001\"")))
        };
        let _ = (story.next(), story.next());
        story.acknowledge();
        let mut early = viewer(&story);
        early.asks();
        let _ = story.next();
        let mut late = viewer(&story);
        late.asks();
        assert!(told(&mut late, 2), "3 may not have arrived");
        story.acknowledge();
        let mut latest = viewer(&story);
        latest.asks();
        assert!(!told(&mut latest, 2) && told(&mut latest, 3));
        assert!(!told(&mut early, 1) && !told(&mut early, 4));
        assert!(told(&mut early, 2) && told(&mut early, 3) && !told(&mut early, 2), "it does not go back");
    }
}
