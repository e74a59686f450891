//! A socket that takes as much as a test lets it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// What a test has of the socket.
#[derive(Debug, Clone)]
pub(super) struct Valve(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// How many bytes it still takes.
    open: usize,
    /// How many it takes in one call.
    at_once: usize,
    vectored: bool,
    /// Whether a flush does not end.
    holds: bool,
    passed: usize,
    /// Somebody waits for it to take more.
    shut: bool,
    waker: Option<Waker>,
}

impl Valve {
    /// Takes everything.
    pub(super) fn open() -> Self {
        let (open, at_once) = (usize::MAX, usize::MAX);
        let state = State { open, at_once, vectored: true, holds: false, passed: 0, shut: false, waker: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Takes at most this many bytes in one call.
    pub(super) fn in_pieces_of(self, bytes: usize) -> Self {
        self.lock().at_once = bytes;
        self
    }

    /// Takes one buffer in a call, so that hyper copies what it has into one.
    pub(super) fn flat(self) -> Self {
        self.lock().vectored = false;
        self
    }

    /// Takes this many bytes from now on, and then none.
    pub(super) fn let_pass(&self, bytes: usize) {
        self.lock().open = bytes;
    }

    /// Takes everything, but keeps it for itself: it cannot be flushed.
    pub(super) fn hold(&self) {
        self.lock().holds = true;
    }

    /// Takes everything from now on.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        (state.open, state.holds, state.shut) = (usize::MAX, false, false);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// How many bytes it took.
    pub(super) fn passed(&self) -> usize {
        self.lock().passed
    }

    /// Drives a connection until it has no more to do, or cannot go on before the valve is released.
    pub(super) async fn until_shut<T>(&self, driving: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            // All that one turn of the connection does is done before the valve is looked at.
            biased;
            over = driving => Some(over),
            () = poll_fn(|_| if self.lock().shut { Poll::Ready(()) } else { Poll::Pending }) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// How many of these bytes it takes now.
    fn takes(&mut self, bytes: usize, context: &Context<'_>) -> Poll<usize> {
        let takes = bytes.min(self.open).min(self.at_once);
        if takes == 0 && bytes > 0 { self.wait(context) } else { Poll::Ready(takes) }
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.shut = true;
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The socket.
#[derive(Debug)]
pub(super) struct Valved<T> {
    inner: T,
    valve: Valve,
}

impl<T> Valved<T> {
    pub(super) fn new(inner: T, valve: Valve) -> Self {
        Self { inner, valve }
    }

    pub(super) fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Read + Unpin> Read for Valved<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Valved<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(takes) = self.valve.lock().takes(bytes.len(), context) else { return Poll::Pending };
        let written = Pin::new(&mut self.inner).poll_write(context, &bytes[..takes]);
        if let Poll::Ready(Ok(written)) = written {
            let mut state = self.valve.lock();
            state.passed += written;
            state.open = state.open.saturating_sub(written);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.valve.lock().holds {
            return self.valve.lock().wait(context);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.valve.lock().vectored
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A cut may lie in any of them, so it is enough to take them as one.
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.poll_write(context, &bytes)
    }
}
