//! Crowds of viewers: thousands of them, some of whom do not read, leave at the wrong moment, or all end
//! at once. The server is a process of its own; the viewers are all in this one.
//!
//! These tests load the machine, so they are apart from those that hold the server to times, and run one
//! after the other.
#![expect(clippy::disallowed_methods, reason = "a test is a shell of its own: it spawns and reads clocks")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod support;

// In this order: the first waits for 30 s at its end, in which the others have their turn.
mod behind;
mod expiry;
mod flapping;
