//! The state machine under lines of JSON: whatever is beaten, no guild's revision goes back, every
//! status can be written and read, and a restart is no news of anybody's health.
#![no_main]

use std::time::Duration;

use guildpulse::liveness::{Input, Liveness, Now, Stored};
use guildpulse::wire::{Beat, Goodbye, GuildId, State, Status, Template, UnixMillis};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut now = Now { monotonic: Duration::ZERO, wall: UnixMillis(1_795_378_677_000) };
    let mut boot = 1;
    let mut machine = Liveness::new(boot, Stored::default(), now);
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
        } else if body.starts_with(b"restart") {
            let healthy = |machine: &Liveness| guilds.iter().map(|guild| machine.facts(*guild).healthy).collect::<Vec<_>>();
            let before = healthy(&machine);
            boot += 1;
            machine = Liveness::new(boot, machine.stored(), now);
            assert_eq!(healthy(&machine), before);
            assert!(guilds.iter().all(|guild| machine.facts(*guild).state == State::Unknown));
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
