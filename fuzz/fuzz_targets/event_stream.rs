//! An event stream in arbitrary pieces: it is read as if it had come whole, and within its bounds.
#![no_main]

use guildpulse::wire::event_stream::{Bounds, EventStream, Item};
use libfuzzer_sys::fuzz_target;

const BOUNDS: Bounds = Bounds { line: 64, event: 128 };

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let whole = pieces.concat();
    let (mut reader, mut items) = (EventStream::new(BOUNDS, ""), Vec::new());
    let end = reader.read(&whole, &mut items);
    let (mut other, mut others) = (EventStream::new(BOUNDS, ""), Vec::new());
    let other_end = pieces.iter().try_for_each(|piece| other.read(piece, &mut others));
    assert_eq!((end, &items), (other_end, &others));
    assert_eq!(reader.last_event_id(), other.last_event_id());
    for item in items {
        if let Item::Message(message) = item {
            assert!(!message.kind.is_empty() && message.data.len() < BOUNDS.event);
            assert!(!message.id.contains(['\0', '\r', '\n']) && !message.kind.contains(['\r', '\n']));
        }
    }
});
