//! The socket as HTTP sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::stream::Handoff;

/// Passes everything on, and notes when all that an open stream began with was sent: hyper flushes its
/// transport only when its own buffer is empty.
#[derive(Debug)]
pub(super) struct Transport<T> {
    inner: T,
    handoff: Handoff,
}

impl<T> Transport<T> {
    pub(super) fn new(inner: T, handoff: Handoff) -> Self {
        Self { inner, handoff }
    }

    pub(super) fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Read + Unpin> Read for Transport<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Transport<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.handoff.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::task::Waker;

    use http_body::Body;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, BufWriter, duplex};

    use super::*;
    use crate::auth::Holder;
    use crate::clock::Clock;
    use crate::config::Limits;
    use crate::hub::{Hub, Subject};
    use crate::limits::Viewers;
    use crate::liveness::Stored;
    use crate::metrics::Metrics;
    use crate::monitor::Monitor;
    use crate::stream::{Opening, Permits, Source};
    use crate::wire::sse::Framing;
    use crate::wire::{GuildId, UnixMillis};

    /// Offers a stream there that has said everything.
    fn offer(handoff: &Handoff) {
        let metrics = Metrics::default();
        let monitor = Monitor::new(Clock::start(), 1, Stored::default(), None, Hub::new(vec![]), metrics.clone());
        let source = Source::Monitor(Arc::new(monitor));
        let places = Arc::new(Viewers::new(1, &Limits::default(), metrics.clone()));
        let place = places.admit(&Holder::Viewer("x".into()), IpAddr::from(Ipv4Addr::LOCALHOST).into()).unwrap();
        let (guilds, token) = ([Subject::of_all(GuildId::new(1).unwrap())], UnixMillis(i64::MAX));
        let permits = Permits::new(place, metrics);
        let mut opening = Opening::new(&source, &guilds, Framing::Chunked, token, permits, handoff.clone());
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut opening).poll_frame(&mut context).is_ready() {}
    }

    #[tokio::test]
    async fn only_a_flush_that_gets_through_lets_a_stream_leave_http() {
        let (near, mut far) = duplex(16);
        let handoff = Handoff::default();
        let mut transport = Transport::new(TokioIo::new(BufWriter::new(near)), handoff.clone());
        offer(&handoff);
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut transport).poll_write(&mut context, &[b'x'; 40]), Poll::Ready(Ok(40))));
        assert!(Pin::new(&mut transport).poll_flush(&mut context).is_pending());
        assert!(handoff.take().is_none(), "some of it was not sent");
        let mut read = [0; 40];
        let flushing = std::future::poll_fn(|context| Pin::new(&mut transport).poll_flush(context));
        let (read, flushed) = tokio::join!(far.read_exact(&mut read), flushing);
        assert!(read.is_ok() && flushed.is_ok());
        assert!(handoff.take().is_some());
    }
}
