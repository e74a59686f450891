//! How often a stream brings something.

use std::time::Duration;

use super::fault::Fault;
use crate::liveness::Monotonic;
use crate::wire::event_stream::Message;
use crate::wire::read_json;
use crate::wire::sse::{Hello, PROTOCOL};

/// How long a stream may take to bring its first status.
const FIRST: Duration = Duration::from_secs(5);
/// How long a stream may bring nothing at most.
const LONGEST: Duration = Duration::from_secs(45);
/// The least of it, whatever a stream announces.
const SHORTEST: Duration = Duration::from_secs(1);

/// The signs of life of one stream.
#[derive(Debug)]
pub(super) struct Pulse {
    opened: Monotonic,
    last: Monotonic,
    /// How long it may bring nothing.
    patience: Duration,
    /// Whether it has brought a status.
    is_confirmed: bool,
    /// Whether it has greeted as guildpulse does.
    is_ours: bool,
}

impl Pulse {
    pub(super) fn new(now: Monotonic) -> Self {
        Self { opened: now, last: now, patience: LONGEST, is_confirmed: false, is_ours: false }
    }

    /// Something came, if only a comment.
    pub(super) fn beat(&mut self, now: Monotonic) {
        self.last = now;
    }

    /// A status came.
    pub(super) fn confirm(&mut self) {
        self.is_confirmed = true;
    }

    /// Until when the next sign is waited for.
    pub(super) fn deadline(&self) -> Monotonic {
        if self.is_confirmed { self.last + self.patience } else { self.opened + FIRST }
    }

    /// Why the stream is not waited for any longer.
    pub(super) fn stopped(&self) -> Fault {
        if self.is_confirmed { Fault::Silent } else { Fault::Mute }
    }

    /// Whether the event is one by which guildpulse speaks of the stream itself; takes what it says.
    pub(super) fn control(&mut self, message: &Message) -> bool {
        match &*message.kind {
            "hello" => {
                let hello = read_json::<Hello>(&message.data).ok().filter(|hello| hello.protocol == PROTOCOL);
                if let Some(hello) = &hello {
                    let interval = Duration::from_millis(hello.snapshot_interval_ms.min(60_000));
                    self.patience = interval.mul_f64(2.5).clamp(SHORTEST, LONGEST);
                    self.is_ours = true;
                }
                hello.is_some()
            }
            // What follows is the end of the stream, which is the same whatever its reason.
            "goodbye" => self.is_ours,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Duration::from_secs(1000 + seconds)
    }

    fn message(kind: &str, data: &str) -> Message {
        Message { kind: kind.into(), data: data.into(), id: String::new() }
    }

    fn hello(interval: &str) -> Message {
        let data = format!(
            r#"{{"protocol":1,"snapshotIntervalMs":{interval},"retryMs":1000,"now":"2026-11-22T20:07:01.120Z","boot":12}}"#
        );
        message("hello", &data)
    }

    #[test]
    fn the_first_status_has_5_s_whatever_comes_before() {
        let mut pulse = Pulse::new(at(0));
        assert_eq!((pulse.deadline(), pulse.stopped()), (at(5), Fault::Mute));
        pulse.beat(at(4));
        assert!(pulse.control(&hello("15000")));
        assert_eq!((pulse.deadline(), pulse.stopped()), (at(5), Fault::Mute));
    }

    #[test]
    fn from_then_on_it_may_be_silent_for_two_and_a_half_intervals_and_45_s_at_most() {
        for (interval, seconds) in
            [("15000", 37.5), ("4000", 10.0), ("0", 1.0), ("60000", 45.0), ("18446744073709551615", 45.0)]
        {
            let mut pulse = Pulse::new(at(0));
            assert!(pulse.control(&hello(interval)));
            pulse.confirm();
            pulse.beat(at(100));
            assert_eq!(pulse.deadline(), at(100) + Duration::from_secs_f64(seconds), "{interval}");
            assert_eq!(pulse.stopped(), Fault::Silent);
        }
        let mut pulse = Pulse::new(at(0));
        pulse.confirm();
        assert_eq!(pulse.deadline(), at(45), "nothing was announced");
    }

    #[test]
    fn only_who_has_greeted_as_we_do_means_by_goodbye_what_we_do() {
        let goodbye = message("goodbye", r#"{"reason":"shutdown","retryAfterMs":1000}"#);
        let mut pulse = Pulse::new(at(0));
        for foreign in [&goodbye, &message("hello", "{}"), &message("hello", r#"{"protocol":2}"#), &message("message", "{}")]
        {
            assert!(!pulse.control(foreign), "{foreign:?}");
        }
        assert!(pulse.control(&hello("15000")) && pulse.control(&goodbye));
        assert!(!pulse.control(&message("message", r#"{"healthy":true}"#)));
    }
}
