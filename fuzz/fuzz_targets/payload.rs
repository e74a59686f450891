//! Whatever a backend says is read or refused, and what is read fits into one line of an event as JSON.
#![no_main]

use guildpulse::wire::{GuildId, MAX_PAYLOAD_BYTES, Payload, Pointers, Revision, Status, Template, UnixMillis};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let guild = GuildId::MIN;
    let Ok(payload) = Payload::read(body, guild, &Pointers::default()) else { return };
    assert!(body.len() <= MAX_PAYLOAD_BYTES && !payload.differs(&payload));
    for payload in [payload.out_of_reach(true), payload.out_of_reach(false), payload] {
        let facts = payload.facts(UnixMillis(0), Revision { boot: 1, seq: 2 });
        let json = Template::with(&facts, payload.others()).json(guild);
        assert!(!json.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
        let status: Status = serde_json::from_slice(&json).expect("it is a status of the contract");
        assert_eq!((status.guild_id, status.facts), (guild, facts));
    }
});
