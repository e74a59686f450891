//! An event of a stream as a viewer reads it: any text is an event or passes over.
#![no_main]

use guildpulse::wire::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|block: (&str, &str)| {
    let (kind, data) = block;
    match Event::read(kind, data) {
        Some(Event::Status(status)) => assert!(!status.differs_from(&status)),
        Some(Event::Hello(hello)) => assert_eq!(hello.protocol, 1),
        Some(Event::Goodbye(_)) | None => {}
    }
});
