//! How long a status takes.

use std::fmt;
use std::iter::zip;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// The bounds of the buckets in microseconds: from what a quick machine does for one viewer to what
/// a person notices.
const BOUNDS: [u64; 14] =
    [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// The times from the receipt of a beat or a goodbye to the end of the write of a frame that it caused
/// to a viewer's socket.
///
/// The histogram of the library takes a lock. All threads would meet there at every delivery, so
/// that these are plain numbers; a scrape may see one of them a moment before the others.
#[derive(Debug, Clone, Default)]
pub struct DeliveryTime(Arc<Times>);

#[derive(Debug, Default)]
struct Times {
    /// How many were up to each bound and above the one before it; at the end the rest.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl DeliveryTime {
    /// Counts one frame that took this long.
    pub fn took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanos <= bound * 1000).unwrap_or(BOUNDS.len());
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for DeliveryTime {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let sum = Duration::from_nanos(self.0.nanos.load(Ordering::Relaxed)).as_secs_f64();
        let bounds = BOUNDS.map(|bound| Duration::from_micros(bound).as_secs_f64()).into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = zip(bounds, self.0.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_bucket_that_holds_it() {
        let times = DeliveryTime::default();
        let just_above = Duration::from_micros(50) + Duration::from_nanos(1);
        for time in [Duration::ZERO, Duration::from_micros(50), just_above, Duration::from_secs(1), Duration::from_secs(9)] {
            times.took(time);
        }
        let counts: Vec<_> = times.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(times.0.nanos.load(Ordering::Relaxed), 10_000_100_001);
    }
}
