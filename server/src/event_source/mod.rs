//! A client for event streams that follows the WHATWG HTML standard (section 9.2, "Server-sent events")
//! where it says what a client does, and lets its user decide where a program may want more than a page:
//! the whole request, when to connect again, and when to stop.
//!
//! `guildpulse watch` and the gateway read their streams with it.

mod connection;
mod loss;
mod source;

pub use connection::{Connection, Request};
pub(crate) use connection::{cause, retry_after};
pub use loss::Loss;
pub use source::{EventSource, Retry, Signal};
