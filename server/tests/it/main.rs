//! guildpulse from the outside: a real server on a port of its own, real sockets, real processes.
//!
//! Every wait is for an event and has a deadline.
#![expect(clippy::disallowed_methods, reason = "a test is a shell of its own: it spawns and reads clocks")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod support;

mod architecture;
mod auth;
mod bad_input;
mod beats;
mod bots;
mod command_line;
mod demo;
mod descriptors;
mod event_source;
mod gateway;
mod keys;
mod limits;
mod metrics;
mod page;
mod processes;
mod proxies;
mod rotation;
mod status;
mod store;
mod stream;
mod syscalls;
mod watch;
