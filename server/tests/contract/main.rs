//! The contract: PROTOCOL.md, `protocol/openapi.json` and `protocol/fixtures` say the same as the
//! types of `wire` and the answers of a real server; so do `docs/metrics.md` and its dashboard.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod beats;
mod console;
mod dashboard;
mod documents;
mod events;
mod exposition;
mod fixtures;
mod frames;
mod harness;
mod live;
mod metrics;
mod openapi;
mod protocol;
mod schemas;
mod streams;
