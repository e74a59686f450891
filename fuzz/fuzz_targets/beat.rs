//! The body of a beat: any bytes are read or refused, and a refusal points into the body.
#![no_main]

use guildpulse::wire::{Beat, MAX_SHARDS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| match Beat::parse(body) {
    Ok(beat) => {
        assert!((1..=MAX_SHARDS).contains(&beat.shards.len()));
        assert!(beat.shards.iter().all(|shard| shard.key.id < shard.key.count));
        let names = [&beat.instance, &beat.session, &beat.version];
        assert!(names.into_iter().flatten().all(|name| name.len() <= 128));
    }
    Err(invalid) => assert!(invalid.pointer.is_empty() || invalid.pointer.starts_with('/')),
});
