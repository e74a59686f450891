//! One connection's HTTP.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1::{self, Parts};
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::transport::Transport;
use super::{Door, refusal};
use crate::limits::ConnectionPlace;
use crate::metrics::Limit;
use crate::stream::{Adoption, Handoff, STALL};

/// How long sent bytes may stay unacknowledged, or a reader's window closed, before the peer counts
/// as gone.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the kernel may hold for a slow reader.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    door: Arc<Door>,
    place: Option<ConnectionPlace>,
    stopping: CancellationToken,
) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "the connection was gone before it began");
        return;
    }
    let handoff = Handoff::default();
    let mut connection = begin(TokioIo::new(stream), peer, &door, &handoff);
    let http = drive(&mut connection, &handoff, &stopping).await;
    let Parts { io, read_buf, .. } = connection.into_parts();
    let stream = io.into_inner().into_inner();
    let result = match http {
        Http::Left(adoption) => {
            match stream.into_std() {
                Ok(socket) => door.reactors.adopt(adoption, socket, place),
                Err(error) => tracing::warn!(%error, "a stream could not leave HTTP"),
            }
            return;
        }
        Http::Stalled => {
            tracing::debug!("a viewer did not take its first status");
            return;
        }
        Http::Ended(result) => result,
    };
    if let Err(error) = &result {
        tracing::debug!(%error, "a connection ended early");
    }
    let ending = Ending::of(&result, !read_buf.is_empty());
    drop(read_buf);
    match ending {
        Ending::SlowHead => door.metrics.limit_reached(Limit::HeadTime),
        Ending::OverlongHead => door.metrics.limit_reached(Limit::Head),
        Ending::Idle | Ending::Other => {}
    }
    let unread = matches!(ending, Ending::OverlongHead | Ending::Other);
    if unread && !stopping.is_cancelled() {
        refusal::linger(stream).await;
    }
}

/// HTTP on a new connection.
fn begin<T: Read + Write + Unpin>(
    socket: T,
    peer: SocketAddr,
    door: &Door,
    handoff: &Handoff,
) -> http1::Connection<Transport<T>, impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + use<T>> {
    let router = TowerToHyperService::new(door.router.clone());
    let offers = handoff.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(offers.clone());
        router.call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.head.time)
        .max_buf_size(door.head.bytes)
        .serve_connection(Transport::new(socket, handoff.clone()), service)
}

/// What became of HTTP on a connection.
#[derive(Debug)]
enum Http {
    /// It is over.
    Ended(hyper::Result<()>),
    /// A stream was opened, and everything that belongs to HTTP was sent.
    Left(Adoption),
    /// A stream was opened, but its first statuses are not taken.
    Stalled,
}

/// Serves requests until there is nothing more to do for HTTP.
///
/// An open stream stays an unfinished answer to hyper, which is dropped in the middle of it: its
/// buffer is empty, and what it may have read of the client means nothing any more.
async fn drive<T, S>(
    connection: &mut http1::Connection<Transport<T>, S>,
    handoff: &Handoff,
    stopping: &CancellationToken,
) -> Http
where
    T: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<BoxError>,
{
    let mut stopped = pin!(stopping.cancelled());
    let mut stopping = false;
    let mut stall: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if !stopping && stopped.as_mut().poll(context).is_ready() {
            stopping = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = Pin::new(&mut *connection).poll(context) {
            return Poll::Ready(Http::Ended(result));
        }
        if let Some(adoption) = handoff.take() {
            return Poll::Ready(Http::Left(adoption));
        }
        if !handoff.is_begun() {
            return Poll::Pending;
        }
        stall.get_or_insert_with(|| Box::pin(sleep(STALL))).as_mut().poll(context).map(|()| Http::Stalled)
    })
    .await
}

/// How a connection ended.
enum Ending {
    /// It was given up while nothing was asked.
    Idle,
    /// A head was begun and not ended in time.
    SlowHead,
    OverlongHead,
    /// It was answered to its end, or broke off.
    Other,
}

impl Ending {
    /// hyper has one error for a slow head and for an idle connection; what it had read by then
    /// tells them apart.
    fn of(result: &hyper::Result<()>, begun: bool) -> Self {
        match result {
            Err(error) if error.is_timeout() && begun => Self::SlowHead,
            Err(error) if error.is_timeout() => Self::Idle,
            Err(error) if error.is_parse_too_large() => Self::OverlongHead,
            Ok(()) | Err(_) => Self::Other,
        }
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(USER_TIMEOUT).with_interval(USER_TIMEOUT / 3))
}

#[cfg(test)]
mod tests;
