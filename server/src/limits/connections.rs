//! The places for connections of the public.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;

/// How many connections there may be.
#[derive(Debug)]
pub struct Connections {
    free: Arc<Semaphore>,
    metrics: Metrics,
}

/// The place of one connection. It is given back when this is dropped.
#[derive(Debug)]
pub struct ConnectionPlace {
    metrics: Metrics,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// Places for this many.
    pub fn new(places: usize, metrics: Metrics) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), metrics }
    }

    /// Takes a place, if there is one.
    pub fn take(&self) -> Option<ConnectionPlace> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        self.metrics.connections.inc();
        Some(ConnectionPlace { metrics: self.metrics.clone(), _permit: permit })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}
