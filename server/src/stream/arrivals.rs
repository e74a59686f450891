//! How streams get to their reactors, and how those are told to stop.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Poll;

use super::Adoption;
use crate::hub::Inbox;
use crate::limits::ConnectionPlace;

/// A stream on its way to a reactor.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) adoption: Adoption,
    pub(super) socket: TcpStream,
    pub(super) connection: Option<ConnectionPlace>,
}

/// What a reactor has in common with those who hand it streams.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(super) inbox: Arc<Inbox>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// How many streams were handed over and are not over.
    streams: AtomicUsize,
    closed: AtomicBool,
}

/// Each stream has its place among the viewers, so no more can wait than there may be viewers.
#[derive(Debug, Default)]
struct Waiting {
    arrivals: VecDeque<Arrival>,
    drain: Option<Duration>,
}

impl Desk {
    /// A desk, and what its reactor waits on.
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptors for it.
    pub fn open() -> io::Result<(Self, Poll)> {
        let poll = Poll::new()?;
        let inbox = Arc::new(Inbox::new(&poll)?);
        Ok((Self { inbox, shared: Arc::default() }, poll))
    }

    /// Where the reactor is told what is new.
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    fn arrive(&self, arrival: Arrival) {
        self.shared.streams.fetch_add(1, Ordering::SeqCst);
        self.lock().arrivals.push_back(arrival);
        self.inbox.wake();
    }

    pub(super) fn looking(&self) {
        self.inbox.looking();
    }

    pub(super) fn take(&self, most: usize) -> Vec<Arrival> {
        let arrivals = &mut self.lock().arrivals;
        let count = most.min(arrivals.len());
        arrivals.drain(..count).collect()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.lock().arrivals.is_empty()
    }

    pub(super) fn draining(&self) -> Option<Duration> {
        self.lock().drain
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// A stream is over.
    pub(super) fn left(&self) {
        self.shared.streams.fetch_sub(1, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All reactors, as others see them.
#[derive(Debug)]
pub struct Reactors {
    desks: Vec<Desk>,
    next: AtomicUsize,
}

impl Reactors {
    /// The reactors behind these desks, of which there is at least one.
    pub fn new(desks: Vec<Desk>) -> Self {
        Self { desks, next: AtomicUsize::new(0) }
    }

    /// Hands a stream over: its head and its first status have been sent on this socket, which does not
    /// block.
    pub fn adopt(&self, adoption: Adoption, socket: TcpStream, connection: Option<ConnectionPlace>) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.desks[turn % self.desks.len()].arrive(Arrival { adoption, socket, connection });
    }

    /// Lets all streams end, spread over this time.
    pub fn drain(&self, over: Duration) {
        for desk in &self.desks {
            desk.lock().drain = Some(over);
            desk.inbox.wake();
        }
    }

    /// How many streams are not over.
    pub fn streams(&self) -> usize {
        self.desks.iter().map(|desk| desk.shared.streams.load(Ordering::SeqCst)).sum()
    }

    /// Lets the reactors end; what is open is cut.
    pub fn close(&self) {
        for desk in &self.desks {
            desk.shared.closed.store(true, Ordering::SeqCst);
            desk.inbox.wake();
        }
    }
}
