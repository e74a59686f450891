//! The only place that reads clocks. Everything behind it takes time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::liveness::{Monotonic, Now};
use crate::wire::UnixMillis;

/// The clocks of this machine. Monotonic time begins at what the wall clock shows when the value is
/// made, so that what is stored of it can be compared with that of other runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    begin: Monotonic,
    /// What it shows instead, in tests of what takes long.
    #[cfg(test)]
    hands: Option<&'static by_hand::Hands>,
}

impl Clock {
    /// Starts counting.
    #[expect(clippy::disallowed_methods, reason = "the clock is where time is read")]
    pub fn start() -> Self {
        let begin = Monotonic::from_millis(u64::try_from(wall().0).unwrap_or(0));
        Self {
            origin: Instant::now(),
            begin,
            #[cfg(test)]
            hands: None,
        }
    }

    /// Both clocks now.
    pub fn now(self) -> Now {
        #[cfg(test)]
        if let Some(hands) = self.hands {
            return hands.now();
        }
        Now { monotonic: self.monotonic(), wall: wall() }
    }

    /// The monotonic clock now.
    pub fn monotonic(self) -> Monotonic {
        #[cfg(test)]
        if let Some(hands) = self.hands {
            return hands.now().monotonic;
        }
        self.begin + self.origin.elapsed()
    }

    /// The instant at which the monotonic clock shows `time`, for timers.
    pub fn instant(self, time: Monotonic) -> Instant {
        self.origin + time.saturating_sub(self.begin)
    }

    /// How long the machine has slept since it was booted: the boot-time clock goes on in sleep,
    /// the monotonic clock stands still.
    pub fn slept(self) -> Duration {
        let read = |clock| {
            let time = clock_gettime(clock);
            Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
        };
        // Monotonic first: a preemption between the two must not look like negative sleep.
        let monotonic = read(ClockId::Monotonic);
        read(ClockId::Boottime).saturating_sub(monotonic)
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the clock is where time is read")]
pub fn wall() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod by_hand {
    use std::sync::Mutex;

    use super::*;

    /// The hands of a clock that stands still until a test moves them. All copies of the clock have them.
    #[derive(Debug)]
    pub(super) struct Hands(Mutex<Now>);

    impl Hands {
        pub(super) fn now(&self) -> Now {
            *self.0.lock().unwrap()
        }
    }

    impl Clock {
        pub(crate) fn by_hand() -> Self {
            let clock = Self::start();
            Self { hands: Some(Box::leak(Box::new(Hands(Mutex::new(clock.now()))))), ..clock }
        }

        /// Lets time pass.
        pub(crate) fn pass(self, time: Duration) {
            self.hands.expect("it is moved by hand").0.lock().unwrap().monotonic += time;
            self.sleep(time);
        }

        /// Lets the machine sleep for this long: only the wall clock goes on.
        pub(crate) fn sleep(self, time: Duration) {
            let millis = i64::try_from(time.as_millis()).unwrap();
            self.hands.expect("it is moved by hand").0.lock().unwrap().wall.0 += millis;
        }
    }
}
