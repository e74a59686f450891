//! The status as lines for other programs: one for each transition, its columns always the same.

use super::text::escaped;
use super::words::protocol;
use crate::wire::{Sighting, UnixMillis};

/// The line of a transition that was seen at this time.
pub(super) fn line(status: &Sighting, seen: UnixMillis) -> String {
    let (state, reason) = protocol(status);
    let version = status.version.as_deref().map_or_else(|| "-".into(), escaped);
    let shard = status.shard.map_or_else(|| "-".into(), |shard| format!("{}/{}", shard.id, shard.count));
    let (guild, healthy) = (status.guild_id, status.healthy);
    let (state, reason) = (escaped(&state), escaped(&reason));
    format!("{seen} {guild} {state} {reason} healthy={healthy} version={version} shard={shard}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::tests::sighting;
    use crate::wire::ShardKey;

    #[test]
    fn a_line_has_its_columns_whatever_the_bot_calls_its_version() {
        let seen = UnixMillis(1_795_378_020_000);
        let shard = Some(ShardKey { id: 3, count: 16 });
        let status = Sighting { healthy: true, version: Some("1.4 \x1b[31m\n".into()), shard, ..sighting("online", "null") };
        assert_eq!(
            line(&status, seen),
            "2026-11-22T20:07:00.000Z 5 online - healthy=true version=1.4\\u{20}\\u{1b}[31m\\u{a} shard=3/16\n"
        );
        assert_eq!(
            line(&sighting("no word", "never_seen"), seen),
            "2026-11-22T20:07:00.000Z 5 no\\u{20}word never_seen healthy=false version=- shard=-\n"
        );
    }
}
