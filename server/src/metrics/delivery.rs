//! How long a status takes.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// From what a quick machine does for one viewer to what a person notices.
const BUCKETS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The times from the receipt of a beat or a goodbye to the handing over of a frame that it caused
/// to the connection of a viewer.
#[derive(Debug, Clone)]
pub struct DeliveryTime(pub(super) Histogram);

impl Default for DeliveryTime {
    fn default() -> Self {
        Self(Histogram::new(BUCKETS))
    }
}

impl DeliveryTime {
    /// Counts one frame that took this long.
    pub fn took(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }
}
