//! The body of a goodbye: any bytes are read or refused.
#![no_main]

use guildpulse::wire::{Goodbye, MAX_EXPECTED_BACK};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| if let Ok(goodbye) = Goodbye::parse(body) {
    assert!(goodbye.expected_back.is_none_or(|time| time <= MAX_EXPECTED_BACK));
    assert!(goodbye.shards.is_none_or(|shards| !shards.is_empty()));
});
