//! What the server takes on at most: viewers, connections, descriptors.
//!
//! It owns the places and the counts of what is open, and knows neither HTTP nor who is watched.

mod address;
mod capacity;
mod connections;
mod descriptors;
mod usage;
mod viewers;

pub use address::{Address, client};
pub use capacity::Capacity;
pub use connections::{ConnectionPlace, Connections};
pub use descriptors::{Descriptors, RESERVE};
pub use usage::{descriptor_limit, open_descriptors};
pub use viewers::{Place, Viewers};

use rand::RngExt;

/// When the refused may ask again, in seconds.
const RETRY_SECONDS: std::ops::RangeInclusive<u64> = 2..=10;

/// The value of a `Retry-After`, drawn for each, so that the refused do not come back as one wave.
pub fn retry_after() -> u64 {
    rand::rng().random_range(RETRY_SECONDS)
}
