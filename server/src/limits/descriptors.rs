//! What happens when the table of descriptors is full.
//!
//! The public address stops accepting. The admin address goes on by giving up descriptors that were
//! kept for this, one per connection, so that beats get through and `/readyz` can say why the
//! server is not ready. The public address waits until all of them are there again and some more
//! are free, so that it does not take those that the admin address has just given up.

use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tokio::sync::watch;

use crate::metrics::{Limit, Metrics};

/// How many descriptors are kept for new connections to the admin address.
pub const RESERVE: usize = 16;
/// How many descriptors have to be free before the public address accepts again. With just one, the
/// next connection would begin the next episode.
const HEADROOM: usize = 8;
/// Takes a descriptor and needs nothing else.
const NOTHING: &str = "/dev/null";

/// The descriptors of this process, as far as they are about to run out.
#[derive(Debug)]
pub struct Descriptors {
    kept: Mutex<Vec<File>>,
    /// How many are to be kept.
    reserve: usize,
    short: watch::Sender<bool>,
    metrics: Metrics,
}

impl Descriptors {
    /// Keeps this many descriptors for later.
    pub fn keep(reserve: usize, metrics: Metrics) -> Self {
        let descriptors = Self { kept: Mutex::default(), reserve, short: watch::Sender::new(false), metrics };
        if let Err(error) = descriptors.refill() {
            descriptors.note(&error);
        }
        descriptors
    }

    /// Whether an error says that there are no descriptors left, in this process or on the machine.
    pub fn ran_out(error: &io::Error) -> bool {
        [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// Notes that there are none left: once per episode in the log and in the metrics.
    pub fn note(&self, error: &io::Error) {
        if !self.short.send_replace(true) {
            self.metrics.limit_reached(Limit::Descriptors);
            tracing::warn!(%error, "no file descriptors are left; no new viewers until some are free again");
        }
    }

    /// Whether there were none left, and are not enough again.
    pub fn are_short(&self) -> bool {
        *self.short.borrow()
    }

    /// Waits until there are none left.
    pub async fn shortage(&self) {
        let mut short = self.short.subscribe();
        short.wait_for(|short| *short).await.expect("the sender is ours");
    }

    /// Gives up one of the descriptors that were kept; says whether there was one.
    pub fn spare(&self) -> bool {
        self.lock().pop().is_some()
    }

    /// Takes back what was given up. Once that is done and there is room beyond it, the episode is
    /// over; says whether it is.
    pub fn recover(&self) -> bool {
        let free = self.refill().and_then(|()| (0..HEADROOM).map(|_| File::open(NOTHING)).collect::<io::Result<Vec<_>>>());
        let enough = free.is_ok();
        if enough && self.short.send_replace(false) {
            tracing::info!("file descriptors are free again");
        }
        enough
    }

    fn refill(&self) -> io::Result<()> {
        let mut kept = self.lock();
        while kept.len() < self.reserve {
            kept.push(File::open(NOTHING)?);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<File>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_is_counted_once_and_ends_when_all_is_there_again() {
        let metrics = Metrics::default();
        let descriptors = Descriptors::keep(2, metrics.clone());
        assert!(!descriptors.are_short());
        let full = io::Error::from(Errno::MFILE);
        assert!(Descriptors::ran_out(&full) && !Descriptors::ran_out(&Errno::CONNRESET.into()));
        for _ in 0..3 {
            descriptors.note(&full);
        }
        assert!(descriptors.are_short());
        assert_eq!(metrics.reached(Limit::Descriptors).get(), 1);
        assert!(descriptors.spare() && descriptors.spare() && !descriptors.spare());
        assert!(descriptors.recover() && !descriptors.are_short());
        assert!(descriptors.spare(), "they were taken back");
    }
}
