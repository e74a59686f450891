//! Bytes over a socket, for what no HTTP client would send or show.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SOON;

pub(crate) struct Raw(pub TcpStream);

impl Raw {
    /// Connects and sends the request.
    pub(crate) async fn send(addr: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Reads up to and including the text.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(end.as_bytes()) {
                read.push(self.0.read_u8().await.unwrap());
            }
        };
        if timeout(SOON, reading).await.is_err() {
            panic!("no {end:?} in {:?}", String::from_utf8_lossy(&read));
        }
        String::from_utf8(read).unwrap()
    }
}
