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

use crate::metrics::{Metrics, OpenStream};
use crate::monitor::Subscription;
use crate::wire::sse::{GoodbyeReason, Hello, SNAPSHOT_INTERVAL, StreamGoodbye};

/// A status is repeated a little before it must be, so that it is not late on the wire.
const REFRESH: Duration = SNAPSHOT_INTERVAL.saturating_sub(Duration::from_millis(500));
/// The bounds of `retry`, drawn for each viewer so that they do not come back as one wave.
const RETRY_MS: std::ops::RangeInclusive<u64> = 1000..=5000;

/// When a stream has to end.
#[derive(Debug)]
pub struct Ends {
    /// When the viewer's token ends, leeway included.
    pub token: Option<Instant>,
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
    head: Option<Bytes>,
    /// When each guild's status has to be repeated.
    due: Vec<Instant>,
    timer: Pin<Box<Sleep>>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    drain: Duration,
    /// When the stream ends, and why.
    end: Option<(Instant, GoodbyeReason)>,
    /// The drain's end, once the server is stopping.
    drained: Option<Instant>,
    over: bool,
}

impl StatusStream {
    /// Opens a stream for the subscription.
    pub fn new(mut subscription: Subscription, ends: Ends, metrics: Metrics) -> Self {
        let monitor = subscription.monitor();
        let now = Instant::from_std(monitor.clock().instant(subscription.joined.monotonic));
        let retry = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let mut head = BytesMut::new();
        Hello::new(retry, subscription.joined.wall, monitor.boot()).write(&mut head);
        for status in std::mem::take(&mut subscription.snapshot) {
            head.extend_from_slice(&status);
        }
        // The guilds of one viewer take turns, so that they do not all fall due at once.
        let guilds = u32::try_from(subscription.guilds()).unwrap_or(u32::MAX);
        let due = (1..=guilds).map(|turn| now + REFRESH * turn / guilds).collect();
        Self {
            subscription,
            open: OpenStream::new(metrics),
            head: Some(head.freeze()),
            due,
            timer: Box::pin(tokio::time::sleep_until(now)),
            shutdown: Box::pin(ends.shutdown.cancelled_owned()),
            drain: ends.drain,
            end: ends.token.map(|at| (at, GoodbyeReason::Expired)),
            drained: None,
            over: false,
        }
    }

    /// Draws this stream's place in the drain, once the server is stopping.
    fn poll_shutdown(&mut self, context: &mut Context<'_>, now: Instant) {
        if self.drained.is_none() && self.shutdown.as_mut().poll(context).is_ready() {
            self.drained = Some(now + self.drain);
            // The last tenth is left for the goodbye to get through.
            let at = now + self.drain.mul_f64(rand::rng().random_range(0.0..0.9));
            let earlier = self.end.filter(|(end, _)| *end < at);
            self.end = earlier.or(Some((at, GoodbyeReason::Shutdown)));
        }
    }

    fn goodbye(&mut self, reason: GoodbyeReason, now: Instant) -> Bytes {
        self.over = true;
        self.open.end(reason);
        let spread = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let rest = self.drained.map_or(Duration::ZERO, |drained| drained.saturating_duration_since(now));
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
            let now = Instant::from_std(clock.instant(clock.now().monotonic));
            this.poll_shutdown(context, now);
            if let Some((_, reason)) = this.end.filter(|(at, _)| *at <= now) {
                return Poll::Ready(Some(Ok(Frame::data(this.goodbye(reason, now)))));
            }
            if let Poll::Ready((slot, frame)) = this.subscription.mailbox().poll_take(context) {
                this.due[slot] = now + REFRESH;
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            let (slot, due) =
                this.due.iter().copied().enumerate().min_by_key(|(_, due)| *due).expect("a stream has a guild");
            if due <= now {
                this.due[slot] = now + REFRESH;
                return Poll::Ready(Some(Ok(Frame::data(this.subscription.refresh(slot)))));
            }
            let wake = this.end.map_or(due, |(end, _)| end.min(due));
            this.timer.as_mut().reset(wake);
            if this.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
