//! The viewer's end of a stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

use super::body::{Body, Event};
use crate::wire::sse::Framing;

/// The least that the kernel gives: a few statuses fill it, and their ends do not fall on its borders.
const SEGMENT_BYTES: u32 = 88;

/// A connection that takes little at once: the server's end, which does not block, and the viewer's.
pub(super) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = SockRef::from(&listener);
    near.set_tcp_mss(SEGMENT_BYTES).unwrap();
    near.set_send_buffer_size(1).unwrap();
    let far = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    far.set_tcp_mss(SEGMENT_BYTES).unwrap();
    far.set_recv_buffer_size(1).unwrap();
    far.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (near, _) = listener.accept().unwrap();
    near.set_nodelay(true).unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far.into())
}

/// How a stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server has nothing more to say.
    Closed,
    /// It has closed without having read everything, or without having been read.
    Reset,
}

#[derive(Debug)]
pub(super) struct FarEnd {
    /// None after it has hung up.
    socket: Option<TcpStream>,
    body: Body,
    heard: Vec<Event>,
    pub(super) end: Option<End>,
    /// Whether it reads whenever something comes.
    pub(super) reads: bool,
}

impl FarEnd {
    pub(super) fn new(socket: TcpStream, framing: Framing) -> Self {
        Self { socket: Some(socket), body: Body::new(framing), heard: Vec::new(), end: None, reads: true }
    }

    /// Takes bytes that have come another way: the answer up to where the reactor goes on.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.heard.append(&mut self.body.take(bytes));
    }

    /// Reads at most so many bytes, as far as they are there; says how many.
    pub(super) fn read(&mut self, most: usize) -> usize {
        let Some(socket) = &mut self.socket else { return 0 };
        let mut bytes = vec![0; most];
        let mut read = 0;
        while read < most && self.end.is_none() {
            match socket.read(&mut bytes[read..]) {
                Ok(0) => self.end = Some(End::Closed),
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.end = Some(End::Reset),
                Err(error) => panic!("{error}"),
            }
        }
        self.take(&bytes[..read]);
        read
    }

    /// The events that came since this was asked last.
    pub(super) fn heard(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.heard)
    }

    /// The statuses that came since this was asked last.
    pub(super) fn statuses(&mut self) -> Vec<Value> {
        let status = |event| match event {
            Event::Status(status) => Some(status),
            Event::Greeting | Event::Goodbye { .. } => None,
        };
        self.heard().into_iter().filter_map(status).collect()
    }

    /// The numbers of their revisions.
    pub(super) fn numbers(&mut self) -> Vec<u64> {
        let number = |status: Value| status["revision"].as_str().unwrap().split_once('.').unwrap().1.parse().unwrap();
        self.statuses().into_iter().map(number).collect()
    }

    /// Whether nothing is missing of what has begun.
    pub(super) fn is_whole(&self) -> bool {
        self.body.is_whole()
    }

    /// Whether the body has come to its end.
    pub(super) fn is_over(&self) -> bool {
        self.end == Some(End::Closed) && self.body.is_over()
    }

    /// Says something, which no browser would.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.socket.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Closes its socket.
    pub(super) fn hang_up(&mut self) {
        self.socket = None;
    }

    /// Resets the connection.
    pub(super) fn reset(&mut self) {
        SockRef::from(self.socket.as_ref().unwrap()).set_linger(Some(Duration::ZERO)).unwrap();
        self.hang_up();
    }
}
