//! The contract: PROTOCOL.md, `protocol/openapi.json` and `protocol/fixtures` say the same as the
//! types of `wire` and the answers of a real server.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod beats;
mod console;
mod documents;
mod events;
mod fixtures;
mod frames;
mod harness;
mod live;
mod openapi;
mod protocol;
mod schemas;
mod streams;
