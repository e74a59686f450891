//! One viewer: a socket, and how far its stream has been read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use super::{Plan, Reads, Tally};
use crate::parser::{Parser, Revision, Status};
use crate::token;

/// Viewers come from 127.0.0.1 to 127.0.0.9, so that no address runs out of ports.
const ADDRESSES: usize = 9;
/// The kernel makes of this the least that it allows.
const SMALL_BUFFER: usize = 1;
/// The segments of a slow line. On loopback they are so large that the kernel would keep megabytes
/// for a viewer who does not read, and a stall would take thousands of statuses.
const SMALL_SEGMENT: u32 = 536;

/// One viewer.
#[derive(Debug)]
pub(super) struct Viewer {
    plan: Plan,
    from: Ipv4Addr,
    request: Vec<u8>,
    connection: Option<Connection>,
    /// Whether the status that everybody waits for has not come.
    pub(super) is_due: bool,
    /// The newest status, over all of its connections: none may ever be older.
    revision: Revision,
    transitions: u32,
    always_online: bool,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    parser: Parser,
    asked: bool,
    statuses: u64,
}

impl Viewer {
    pub(super) fn new(index: usize, plan: Plan) -> Result<Self> {
        let token = token::mint(index, plan.guild)?;
        let request = format!(
            "GET /api/v1/guilds/{}/status/stream HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\
             authorization: Bearer {token}\r\n\r\n",
            plan.guild
        );
        let host = u8::try_from(index % ADDRESSES)? + 1;
        let (from, request, revision) = (Ipv4Addr::new(127, 0, 0, host), request.into_bytes(), Revision::default());
        Ok(Self { plan, from, request, connection: None, is_due: false, revision, transitions: 0, always_online: true })
    }

    pub(super) fn group(&self) -> u32 {
        self.plan.group
    }

    pub(super) fn reads(&self) -> Reads {
        self.plan.reads
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn transitions(&self) -> u32 {
        self.transitions
    }

    pub(super) fn was_always_online(&self) -> bool {
        self.always_online
    }

    /// Whether it has its first status.
    pub(super) fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.statuses > 0)
    }

    pub(super) fn cut(&mut self) {
        self.connection = None;
    }

    /// Begins to connect.
    pub(super) fn connect(&mut self, index: usize, to: SocketAddr, registry: &Registry) -> Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_linger(Some(Duration::ZERO))?;
        if self.plan.reads == Reads::OnlyTheFirst {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
            socket.set_tcp_mss(SMALL_SEGMENT)?;
        }
        socket.bind(&SocketAddr::from((self.from, 0)).into())?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error).context("a viewer cannot connect");
            }
            Ok(()) | Err(_) => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        registry.register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        self.connection = Some(Connection { socket, parser: Parser::new(), asked: false, statuses: 0 });
        Ok(())
    }

    /// Sends the request, now that the socket is connected.
    pub(super) fn ask(&mut self) -> Result<()> {
        let Some(connection) = self.connection.as_mut().filter(|connection| !connection.asked) else { return Ok(()) };
        let written = connection.socket.write(&self.request).context("a viewer was refused")?;
        ensure!(written == self.request.len(), "the kernel did not take a whole request");
        connection.asked = true;
        Ok(())
    }

    /// Reads all that is there.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        tally: &mut Tally,
        sink: &mut impl FnMut(&mut Tally, &mut bool, Status<'_>),
    ) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let reads_on = |statuses| self.plan.reads == Reads::AtOnce || statuses == 0;
        while connection.asked && reads_on(connection.statuses) {
            let read = match connection.socket.read(buffer) {
                Ok(0) => bail!("the server ended a stream"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a stream broke"),
            };
            tally.bytes += u64::try_from(read)?;
            let mut went_back = false;
            let Connection { parser, statuses, .. } = &mut *connection;
            parser.feed(&buffer[..read], &mut |status| {
                *statuses += 1;
                went_back |= status.revision < self.revision;
                self.transitions += u32::from(status.revision > self.revision);
                self.revision = status.revision;
                self.always_online &= status.says(b"\"healthy\":true,\"state\":\"online\"");
                sink(tally, &mut self.is_due, status);
            })?;
            ensure!(!went_back, "a viewer got an older status after a newer one");
            ensure!(!parser.is_over(), "the server ended a stream");
            // All that was there has been read; the next byte is announced. Asking for it would be
            // a system call more for each delivery.
            if read < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }
}
