//! Sockets: listening, accepting, and one connection's HTTP.

mod connection;
mod refusal;
mod transport;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use crate::limits::{Connections, Descriptors};
use crate::metrics::{Limit, Metrics};
use crate::stream::Reactors;

/// How many connections may wait to be accepted. The usual 128 drops handshakes when all viewers
/// come back at once.
const BACKLOG: i32 = 4096;
/// How long to wait when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes an address.
///
/// # Errors
///
/// When somebody else has it, or it is not one of ours.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started anew must not wait for the old one's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// How the connections to one address are taken.
#[derive(Debug)]
pub(crate) struct Door {
    router: Router,
    head: Head,
    metrics: Metrics,
    descriptors: Arc<Descriptors>,
    /// Where open streams go.
    reactors: Arc<Reactors>,
    /// The admin address has none: nobody is refused there.
    crowd: Option<Crowd>,
}

/// What the head of a request may take.
#[derive(Debug, Clone, Copy)]
struct Head {
    bytes: usize,
    time: Duration,
}

/// The public, which comes in any number.
#[derive(Debug)]
struct Crowd {
    places: Connections,
    refusals: Arc<Semaphore>,
}

impl Door {
    /// The door of the admin address, which goes on when there are no descriptors left.
    pub(crate) fn admin(
        router: Router,
        limits: &Limits,
        metrics: Metrics,
        descriptors: Arc<Descriptors>,
        reactors: Arc<Reactors>,
    ) -> Self {
        let head = Head { bytes: limits.max_head_bytes, time: Duration::from_millis(limits.head_timeout_ms) };
        Self { router, head, metrics, descriptors, reactors, crowd: None }
    }

    /// The door of the public address, with a place for this many connections.
    pub(crate) fn public(self, places: usize) -> Self {
        let places = Connections::new(places, self.metrics.clone());
        Self { crowd: Some(Crowd { places, refusals: Arc::new(Semaphore::new(refusal::AT_ONCE)) }), ..self }
    }

    /// Whether somebody has to wait because the descriptors are not for them.
    fn is_shut(&self) -> bool {
        self.crowd.is_some() && self.descriptors.are_short()
    }

    /// Waits until there are no descriptors left for the public.
    async fn shutting(&self) {
        match &self.crowd {
            Some(_) => self.descriptors.shortage().await,
            None => std::future::pending().await,
        }
    }

    /// What to do when there are no descriptors left; says whether to try again at once.
    fn run_out(&self, error: &io::Error) -> bool {
        self.descriptors.note(error);
        self.crowd.is_none() && self.descriptors.spare()
    }

    fn enter(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, stopping: &CancellationToken, tasks: &TaskTracker) {
        // While we waited for this connection, the admin address gave up a descriptor that this
        // one has taken. It goes back.
        if self.is_shut() {
            return;
        }
        let place = match &self.crowd {
            None => None,
            Some(crowd) => match crowd.places.take() {
                Some(place) => Some(place),
                None => {
                    self.metrics.limit_reached(Limit::Connections);
                    // Who comes when all of these are taken, too, is cut off without a word.
                    if let Ok(permit) = crowd.refusals.clone().try_acquire_owned() {
                        tasks.spawn(refusal::refuse(stream, permit));
                    }
                    return;
                }
            },
        };
        tasks.spawn(connection::serve(stream, peer, self.clone(), place, stopping.clone()));
    }
}

/// Accepts connections until the server is stopping, each on a task of `tasks`.
pub(crate) async fn serve(listener: TcpListener, door: Door, stopping: CancellationToken, tasks: TaskTracker) {
    let door = Arc::new(door);
    let accepting = async {
        loop {
            if door.is_shut() && !door.descriptors.recover() {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let accepted = tokio::select! {
                () = door.shutting() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => door.enter(stream, peer, &stopping, &tasks),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if Descriptors::ran_out(&error) => {
                    if !door.run_out(&error) {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = accepting => {}
    }
}

/// Whether an error of `accept` tells of a connection that is gone already, and not of us.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
