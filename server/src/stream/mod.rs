//! The body of a status stream (PROTOCOL.md, "The stream").
//!
//! Head and first snapshot are one frame, so they leave in one write. After it the body waits for
//! whichever comes first: a change, a status whose 15 s are over, or the end of the stream.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use rand::RngExt;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::hub::{Cause, Letter};
use crate::limits::Place;
use crate::liveness::{Monotonic, Now};
use crate::metrics::{Metrics, OpenStream};
use crate::monitor::Subscription;
use crate::wire::UnixMillis;
use crate::wire::sse::{GoodbyeReason, Hello, SNAPSHOT_INTERVAL, StreamGoodbye};

/// A status is repeated a little before it must be, so that it is not late on the wire.
const REFRESH: Duration = SNAPSHOT_INTERVAL.saturating_sub(Duration::from_millis(500));
/// The bounds of `retry`, drawn for each viewer so that they do not come back as one wave.
const RETRY_MS: std::ops::RangeInclusive<u64> = 1000..=5000;

/// When a stream has to end.
#[derive(Debug)]
pub struct Ends {
    /// When the viewer's token ends, leeway included. This is on the wall: a token ends while the
    /// machine sleeps, too.
    pub token: UnixMillis,
    /// The server is stopping; the streams end spread over this time.
    pub shutdown: CancellationToken,
    /// How long the server waits for its streams.
    pub drain: Duration,
}

/// An open stream.
#[derive(Debug)]
pub struct StatusStream {
    subscription: Subscription,
    open: OpenStream,
    /// Given back when the body is dropped, however the stream ended.
    _place: Place,
    head: Option<Bytes>,
    /// When each guild's status has to be repeated.
    due: Vec<Instant>,
    timer: Pin<Box<Sleep>>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    drain: Duration,
    token: UnixMillis,
    /// Once the server is stopping: when this stream ends, and when the drain does.
    stopping: Option<(Instant, Instant)>,
    over: bool,
}

impl StatusStream {
    /// Opens a stream for the subscription, in its place.
    pub fn new(mut subscription: Subscription, ends: Ends, place: Place, metrics: Metrics) -> Self {
        let monitor = subscription.monitor();
        let now = Instant::from_std(monitor.clock().instant(subscription.joined.monotonic));
        let retry = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let mut head = BytesMut::new();
        Hello::new(retry, subscription.joined.wall, monitor.boot()).write(&mut head);
        for status in subscription.take_snapshot() {
            head.extend_from_slice(&status);
        }
        // The guilds of one viewer take turns, so that they do not all fall due at once.
        let guilds = u32::try_from(subscription.guilds()).unwrap_or(u32::MAX);
        let due = (1..=guilds).map(|turn| now + REFRESH * turn / guilds).collect();
        Self {
            subscription,
            open: OpenStream::new(metrics),
            _place: place,
            head: Some(head.freeze()),
            due,
            timer: Box::pin(tokio::time::sleep_until(now)),
            shutdown: Box::pin(ends.shutdown.cancelled_owned()),
            drain: ends.drain,
            token: ends.token,
            stopping: None,
            over: false,
        }
    }

    /// Why the stream is over now, or the time at which it will be.
    fn poll_end(&mut self, context: &mut Context<'_>, now: Instant, wall: UnixMillis) -> Result<Instant, GoodbyeReason> {
        if self.stopping.is_none() && self.shutdown.as_mut().poll(context).is_ready() {
            // Each stream draws its place in the drain; the last tenth is for goodbyes to get through.
            let place = self.drain.mul_f64(rand::rng().random_range(0.0..0.9));
            self.stopping = Some((now + place, now + self.drain));
        }
        let left = u64::try_from(self.token.0.saturating_sub(wall.0)).unwrap_or(0);
        match self.stopping {
            _ if left == 0 => Err(GoodbyeReason::Expired),
            Some((end, _)) if end <= now => Err(GoodbyeReason::Shutdown),
            Some((end, _)) => Ok(end),
            None => Ok(now + Duration::from_millis(left).min(REFRESH)),
        }
    }

    /// The frame of a letter, which the connection takes now.
    fn hand_over(&mut self, slot: usize, Letter { frame, cause }: Letter, now: Monotonic) -> Bytes {
        self.due[slot] = Instant::from_std(self.subscription.monitor().clock().instant(now)) + REFRESH;
        match cause {
            // The clock was read when the stream was woken. What came after that took no time at all.
            Cause::Received(at) => self.open.delivered(now.saturating_sub(at)),
            Cause::Time => {}
        }
        frame
    }

    fn goodbye(&mut self, reason: GoodbyeReason, now: Instant) -> Bytes {
        self.over = true;
        self.open.end(reason);
        let spread = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let rest = self.stopping.map_or(Duration::ZERO, |(_, drained)| drained.saturating_duration_since(now));
        StreamGoodbye::new(reason, rest + spread).frame()
    }
}

impl Body for StatusStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(head) = this.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        loop {
            let clock = this.subscription.monitor().clock();
            let Now { monotonic, wall } = clock.now();
            let now = Instant::from_std(clock.instant(monotonic));
            let end = match this.poll_end(context, now, wall) {
                Ok(end) => end,
                Err(reason) => return Poll::Ready(Some(Ok(Frame::data(this.goodbye(reason, now))))),
            };
            if let Poll::Ready((slot, letter)) = this.subscription.mailbox().poll_take(context) {
                return Poll::Ready(Some(Ok(Frame::data(this.hand_over(slot, letter, monotonic)))));
            }
            let (slot, due) =
                this.due.iter().copied().enumerate().min_by_key(|(_, due)| *due).expect("a stream has a guild");
            if due <= now {
                let letter = this.subscription.refresh(slot);
                return Poll::Ready(Some(Ok(Frame::data(this.hand_over(slot, letter, monotonic)))));
            }
            this.timer.as_mut().reset(due.min(end));
            if this.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
