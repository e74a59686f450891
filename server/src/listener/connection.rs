//! One connection's HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Door, Place, refusal};
use crate::metrics::Limit;

/// How long sent bytes may stay unacknowledged, or a reader's window closed, before the peer counts
/// as gone.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the kernel may hold for a slow reader.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    door: Arc<Door>,
    _place: Option<Place>,
    stopping: CancellationToken,
) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "the connection was gone before it began");
        return;
    }
    let router = TowerToHyperService::new(door.router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.head.time)
        .max_buf_size(door.head.bytes)
        .serve_connection(TokioIo::new(stream), service);
    let result = tokio::select! {
        result = &mut connection => result,
        () = stopping.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = &result {
        tracing::debug!(%error, "a connection ended early");
    }
    let Parts { io, read_buf, .. } = connection.into_parts();
    let ending = Ending::of(&result, !read_buf.is_empty());
    drop(read_buf);
    match ending {
        Ending::SlowHead => door.metrics.limit_reached(Limit::HeadTime),
        Ending::OverlongHead => door.metrics.limit_reached(Limit::Head),
        Ending::Idle | Ending::Other => {}
    }
    let unread = matches!(ending, Ending::OverlongHead | Ending::Other);
    if unread && !stopping.is_cancelled() {
        refusal::linger(io.into_inner()).await;
    }
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
