//! guildpulse tells everyone who looks at a Discord bot whether it is alive *in their server*.
//!
//! Bot shards beat, [`liveness`] derives the status of every guild, viewers read it as JSON or
//! as Server-Sent Events. ARCHITECTURE.md at the root of the repository says how the modules fit.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod event_source;
pub mod gateway;
pub mod http;
pub mod hub;
pub mod limits;
mod listener;
pub mod liveness;
pub mod metrics;
pub mod monitor;
pub mod server;
pub mod store;
pub mod stream;
pub mod wire;
