//! Endings that reach the client.
//!
//! A socket that is closed while bytes of the client are unread resets the connection, and a reset
//! throws away what the client has not read yet: the answer. So the write side is shut first, and
//! what still comes is read and thrown away, within bounds.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::limits::retry_after;
use crate::wire::{Code, Problem};

/// How many connections may be told at once that there are too many. They are descriptors, too.
pub(super) const AT_ONCE: usize = 64;
/// How long a client may take to begin its request, and then to read its answer and to close.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of what a client still sends is read.
const BYTES: u64 = 256 * 1024;

/// Answers that there are too many connections, whatever is asked.
pub(super) async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let answered = async {
        // An answer that comes before the request is begun is a fault to some clients.
        stream.peek(&mut [0]).await?;
        stream.write_all(&answer()).await
    };
    if matches!(timeout(PATIENCE, answered).await, Ok(Ok(()))) {
        linger(stream).await;
    }
}

fn answer() -> Vec<u8> {
    let problem = Problem::new(Code::TooManyConnections, "the server has as many connections open as it can carry");
    let (body, seconds) = (problem.json(), retry_after());
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nVary: Origin\r\n\
         Retry-After: {seconds}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        problem.status, problem.title
    );
    [head.into_bytes(), body].concat()
}

/// Ends a connection so that the client gets all of what it was sent.
pub(super) async fn linger(mut stream: TcpStream) {
    let ended = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(BYTES), &mut tokio::io::sink()).await?;
        io::Result::Ok(())
    };
    // Whoever takes longer, or is gone, has had their chance.
    drop(timeout(PATIENCE, ended).await);
}
