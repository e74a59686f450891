//! What happens to guildpulse when everything around it fails: it is killed, stopped and frozen,
//! its disk fills up, its database is damaged, locked, taken away or made read-only.
//!
//! Everything is shown on the real binary, with real files and signals, from the outside. Every
//! wait is for an event and has a deadline.
#![expect(clippy::disallowed_methods, reason = "a test is a shell of its own: it spawns and reads clocks")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod support;

mod boots;
mod frozen;
mod full_disk;
mod garbled;
mod history;
mod kills;
mod locked;
mod read_only;
mod shutdown;
mod truncated;
