//! The state machine under lines of JSON: whatever is beaten, no guild's revision goes back and
//! every status can be written and read.
#![no_main]

use std::time::Duration;

use guildpulse::liveness::{Input, Liveness, Now, Stored};
use guildpulse::wire::{Beat, Goodbye, GuildId, Status, Template, UnixMillis};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut now = Now { monotonic: Duration::ZERO, wall: UnixMillis(1_795_378_677_000) };
    let mut machine = Liveness::new(1, Stored::default(), now);
    let guilds: Vec<GuildId> = (0..12).filter_map(|class| GuildId::new((class << 22) + 1)).collect();
    let mut revisions = vec![machine.facts(guilds[0]).revision; guilds.len()];
    for line in script.split(|byte| *byte == b'\n') {
        // The first byte of a line says how much time passes before it.
        let Some((gap, body)) = line.split_first() else { continue };
        let gap = Duration::from_millis(u64::from(*gap) * 100);
        now = Now { monotonic: now.monotonic + gap, wall: now.wall.saturating_add(gap) };
        if let Ok(beat) = Beat::parse(body) {
            machine.apply(Input::Beat(&beat), now);
        } else if let Ok(goodbye) = Goodbye::parse(body) {
            machine.apply(Input::Goodbye(&goodbye), now);
        }
        machine.apply(Input::Tick, now);
        assert!(machine.next_deadline().is_none_or(|due| due > now.monotonic));
        for (guild, revision) in guilds.iter().zip(&mut revisions) {
            let facts = machine.facts(*guild);
            assert!(facts.revision >= *revision);
            *revision = facts.revision;
            let json = Template::new(&facts).json(*guild);
            let status: Status = serde_json::from_slice(&json).expect("a status is JSON");
            assert_eq!(status.facts, facts);
        }
    }
});
