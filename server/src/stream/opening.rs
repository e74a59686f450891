//! The beginning of a stream, while it is still the answer to a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use rand::RngExt;

use super::{Adoption, Permits, RETRY_MS, Source};
use crate::hub::Subject;
use crate::wire::UnixMillis;
use crate::wire::sse::{Framing, Hello, status_frame};

/// Where an answer says that its connection is to leave HTTP. Each connection has one.
///
/// The answer puts an [`Adoption`] here when it has nothing more to say. From then on, the first flush
/// of the connection that gets through means that everything before it was sent.
#[derive(Debug, Clone, Default)]
pub struct Handoff(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicBool,
    adoption: Mutex<Option<Adoption>>,
    flushed: AtomicBool,
}

impl Handoff {
    fn begin(&self) {
        self.0.begun.store(true, Ordering::Relaxed);
    }

    /// Whether an answer that is going to leave has begun. It may be larger than what HTTP buffers, so
    /// it may take long before it is all handed over and the answer wants to leave.
    pub fn is_begun(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn offer(&self, adoption: Adoption) {
        *self.lock() = Some(adoption);
    }

    pub(super) fn is_offered(&self) -> bool {
        self.lock().is_some()
    }

    /// Everything that HTTP had to send was handed to the kernel.
    pub fn flushed(&self) {
        if self.is_offered() {
            self.0.flushed.store(true, Ordering::Relaxed);
        }
    }

    /// What the answer has put here, once everything before it was sent.
    pub fn take(&self) -> Option<Adoption> {
        self.0.flushed.load(Ordering::Relaxed).then(|| self.lock().take()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Adoption>> {
        self.0.adoption.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of the answer that opens a stream: the greeting and the first status of each guild as one
/// frame, so that they leave with the head in one write. It never ends; the connection leaves HTTP.
#[derive(Debug)]
pub struct Opening {
    head: Option<Bytes>,
    adoption: Option<Adoption>,
    handoff: Handoff,
}

impl Opening {
    /// Opens a stream of these guilds, until the viewer's token ends.
    pub fn new(
        source: &Source,
        guilds: &[Subject],
        framing: Framing,
        token: UnixMillis,
        permits: Permits,
        handoff: Handoff,
    ) -> Self {
        let (now, all) = source.snapshot(guilds);
        let retry = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let mut head = BytesMut::new();
        Hello::new(retry, now.wall, source.boot()).write(&mut head);
        for (guild, status) in guilds.iter().zip(&all) {
            head.extend_from_slice(&status_frame(status, guild.guild()));
        }
        let sent = guilds.iter().zip(&all).map(|(guild, status)| (*guild, status.revision().seq)).collect();
        let adoption = Adoption { guilds: sent, framing, token, joined: now.monotonic, permits };
        Self { head: Some(head.freeze()), adoption: Some(adoption), handoff }
    }
}

impl Body for Opening {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(head) = self.head.take() {
            self.handoff.begin();
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        if let Some(adoption) = self.adoption.take() {
            self.handoff.offer(adoption);
        }
        // Nobody is woken: who polls this sees what it has put there.
        Poll::Pending
    }
}
