//! A client that reads an answer and a stream strictly: no byte may be missing, and none be left over.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::sse::Framing;

/// Long enough for anything that is to happen at once, however busy the machine.
pub(super) const SOON: Duration = Duration::from_secs(5);

pub(super) struct Viewer {
    pub(super) socket: TcpStream,
    /// How the body of a stream is delimited.
    pub(super) framing: Framing,
    /// What has arrived and was not read as HTTP.
    raw: Vec<u8>,
    /// What was read of the body and is no whole event yet.
    body: Vec<u8>,
    arrived: usize,
    /// Whether more may arrive.
    waits: bool,
}

impl Viewer {
    pub(super) fn new(socket: TcpStream) -> Self {
        let (raw, body) = (Vec::new(), Vec::new());
        Self { socket, framing: Framing::Chunked, raw, body, arrived: 0, waits: true }
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits for this many bytes in all, which have to do for what is read next.
    pub(super) async fn arrived(&mut self, bytes: usize) {
        while self.arrived < bytes {
            assert!(self.fill().await, "the connection ended");
        }
        assert_eq!(self.arrived, bytes);
        self.waits = false;
    }

    /// More may arrive; nothing that did is unread.
    pub(super) fn go_on(&mut self) {
        let rest = [self.body.as_slice(), &self.raw].map(String::from_utf8_lossy);
        assert_eq!(rest, ["", ""], "and nothing else");
        self.waits = true;
    }

    /// The head of an answer.
    pub(super) async fn head(&mut self) -> String {
        self.take_through("\r\n\r\n").await
    }

    /// An answer that says how long it is.
    pub(super) async fn answer(&mut self) -> (String, String) {
        let head = self.head().await.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let body = self.take(length.parse().unwrap()).await;
        (head, body)
    }

    /// The next event of the stream.
    pub(super) async fn event(&mut self) -> String {
        self.next().await.expect("the stream goes on")
    }

    /// The next event of the stream; none at its end, which has to be a clean one.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.body, "\n\n") {
                return Some(String::from_utf8(self.body.drain(..end + 2).collect()).unwrap());
            }
            if !self.read_body().await {
                assert_eq!((self.body.as_slice(), self.raw.as_slice()), (&[][..], &[][..]), "nothing comes after the end");
                assert!(!self.fill().await, "the connection ends");
                return None;
            }
        }
    }

    /// The revision of the next event, which has to be a status.
    pub(super) async fn seq(&mut self) -> u64 {
        let event = self.event().await;
        let id = event.strip_prefix("id: ").unwrap_or_else(|| panic!("not a status: {event}"));
        id.lines().next().unwrap().split_once('.').unwrap().1.parse().unwrap()
    }

    /// Reads on in the body; false at its end.
    async fn read_body(&mut self) -> bool {
        match self.framing {
            Framing::UntilClose => {
                if self.raw.is_empty() && !self.fill().await {
                    return false;
                }
                self.body.append(&mut self.raw);
            }
            Framing::Chunked => {
                let line = self.take_through("\r\n").await;
                let size = usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("not a chunk: {line:?}"));
                let chunk = self.take(size).await;
                assert_eq!(self.take(2).await, "\r\n", "behind {chunk:?}");
                self.body.extend(chunk.into_bytes());
                return size > 0;
            }
        }
        true
    }

    async fn take_through(&mut self, end: &str) -> String {
        loop {
            if let Some(place) = find(&self.raw, end) {
                return self.take(place + end.len()).await;
            }
            assert!(self.fill().await, "no {end:?} in {:?}", String::from_utf8_lossy(&self.raw));
        }
    }

    async fn take(&mut self, bytes: usize) -> String {
        while self.raw.len() < bytes {
            assert!(self.fill().await, "it is cut off: {:?}", String::from_utf8_lossy(&self.raw));
        }
        String::from_utf8(self.raw.drain(..bytes).collect()).unwrap()
    }

    /// Waits for more; false if the connection has ended.
    async fn fill(&mut self) -> bool {
        let held = || String::from_utf8_lossy(&self.raw).into_owned();
        assert!(self.waits, "bytes are missing behind {:?}", held());
        let mut buffer = vec![0; 64 * 1024];
        let reading = timeout(SOON, self.socket.read(&mut buffer)).await;
        let read = reading.unwrap_or_else(|_| panic!("nothing comes behind {:?}", held())).unwrap();
        self.raw.extend_from_slice(&buffer[..read]);
        self.arrived += read;
        read > 0
    }
}

fn find(text: &[u8], end: &str) -> Option<usize> {
    text.windows(end.len()).position(|window| window == end.as_bytes())
}
