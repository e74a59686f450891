//! One viewer: a socket, and how far its stream has been read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use super::story::{Expected, Story};
use super::{Plan, Reads, Stage, Tally, Way};
use crate::parser::{Broken, Dialect, Parser, Revision, Status};
use crate::token;

/// Viewers come from 127.0.0.1 to 127.0.0.9, so that no address runs out of ports.
const ADDRESSES: usize = 9;
/// The kernel makes of this the least that it allows.
const SMALL_BUFFER: usize = 1;
/// The segments of a slow line. On loopback they are so large that the kernel would keep megabytes
/// for a viewer who does not read, and a stall would take thousands of statuses.
const SMALL_SEGMENT: u32 = 536;

/// What a viewer must never see.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It was not let in.
    #[error("a viewer was refused")]
    Refused(#[source] io::Error),
    /// Its stream was over, though nobody had ended it.
    #[error("the server ended a stream")]
    Ended,
    /// Its connection was cut.
    #[error("a stream broke")]
    Cut(#[source] io::Error),
    /// The bytes are none that PROTOCOL.md knows.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A status that is none of the newest.
    #[error("a viewer got an older status after a newer one")]
    WentBack,
    /// A status that is not so.
    #[error("a viewer was told what is not so: {0}")]
    Wrong(String),
    /// Some have lost a status that others got.
    #[error("{0} viewers are behind the newest status")]
    Behind(usize),
}

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
    expected: Option<Expected>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    parser: Parser,
    asked: bool,
    bytes: usize,
    statuses: u64,
}

impl Viewer {
    /// One that has not connected. Nobody else has its number, but others may be the same person; if there is a story,
    /// it is held against it.
    pub(super) fn new(number: usize, person: usize, plan: Plan, story: Option<&Arc<Story>>) -> Result<Self> {
        let token = token::mint(person, plan.guild)?;
        let request = format!(
            "GET /api/v1/guilds/{}/status/stream HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\
             authorization: Bearer {token}\r\n\r\n",
            plan.guild
        );
        let host = u8::try_from(number % ADDRESSES)? + 1;
        Ok(Self {
            plan,
            from: Ipv4Addr::new(127, 0, 0, host),
            request: request.into_bytes(),
            connection: None,
            is_due: false,
            revision: Revision::default(),
            transitions: 0,
            always_online: true,
            expected: story.map(|story| Expected::new(story, plan)),
        })
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

    /// The number of the newest version that it was told, where there is a story.
    pub(super) fn version(&self) -> Option<u64> {
        self.expected.as_ref().map(Expected::version)
    }

    /// Whether it has begun to connect and not left since.
    pub(super) fn is_here(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether it is on its way to its first status.
    pub(super) fn is_coming(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.statuses == 0)
    }

    /// Whether it has its first status.
    pub(super) fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.statuses > 0)
    }

    pub(super) fn cut(&mut self) {
        self.connection = None;
    }

    /// From now on it reads everything.
    pub(super) fn resume(&mut self) {
        self.plan.reads = Reads::AtOnce;
    }

    /// Begins to connect.
    pub(super) fn connect(&mut self, index: usize, to: SocketAddr, dialect: Dialect, registry: &Registry) -> Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if !matches!(self.plan.reads, Reads::Until(_, Way::Close)) {
            socket.set_linger(Some(Duration::ZERO))?;
        }
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
        self.connection = Some(Connection { socket, parser: Parser::new(dialect), asked: false, bytes: 0, statuses: 0 });
        Ok(())
    }

    /// Sends the request, now that the socket is connected.
    pub(super) fn ask(&mut self) -> Result<()> {
        let Some(connection) = self.connection.as_mut().filter(|connection| !connection.asked) else { return Ok(()) };
        if let Some(expected) = &mut self.expected {
            expected.asks();
        }
        let (length, leaves) = match self.plan.reads {
            Reads::Until(Stage::Connected, _) => (0, true),
            Reads::Until(Stage::HalfAsked, _) => (self.request.len() / 2, true),
            Reads::Until(Stage::Asked, _) => (self.request.len(), true),
            Reads::Until(Stage::Answered | Stage::Bytes(_) | Stage::Statuses(_), _)
            | Reads::AtOnce
            | Reads::OnlyTheFirst => (self.request.len(), false),
        };
        if length > 0 {
            let written = connection.socket.write(&self.request[..length]).map_err(Fault::Refused)?;
            ensure!(written == length, "the kernel did not take a whole request");
        }
        connection.asked = true;
        if leaves {
            self.connection = None;
        }
        Ok(())
    }

    /// Reads all that is there, as far as it wants to, and leaves when it has what it wanted. Says
    /// whether it has got its first status.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        tally: &mut Tally,
        sink: &mut impl FnMut(&mut Tally, &mut bool, Status<'_>),
    ) -> Result<bool> {
        let Some(connection) = self.connection.as_mut().filter(|connection| connection.asked) else { return Ok(false) };
        let was_open = connection.statuses > 0;
        while let Some(most) = self.plan.reads.most(connection.bytes, connection.statuses) {
            let most = most.min(buffer.len());
            let read = match connection.socket.read(&mut buffer[..most]) {
                Ok(0) => return Err(Fault::Ended.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Fault::Cut(error).into()),
            };
            tally.bytes += u64::try_from(read)?;
            connection.bytes += read;
            let (mut went_back, mut wrong) = (false, None);
            let Connection { parser, statuses, .. } = &mut *connection;
            let read_on = parser.feed(&buffer[..read], &mut |status| {
                *statuses += 1;
                went_back |= status.revision < self.revision;
                self.transitions += u32::from(status.revision > self.revision);
                self.revision = status.revision;
                self.always_online &= status.says(b"\"healthy\":true,\"state\":\"online\"");
                if let Some(expected) = &mut self.expected {
                    wrong = wrong.take().or_else(|| expected.fault_of(status));
                }
                sink(tally, &mut self.is_due, status);
            });
            read_on.map_err(Fault::Broken)?;
            ensure!(!went_back, Fault::WentBack);
            if let Some(wrong) = wrong {
                return Err(Fault::Wrong(wrong).into());
            }
            ensure!(!parser.is_over(), Fault::Ended);
            // All that was there has been read; the next byte is announced. Asking for it would be
            // a system call more for each delivery.
            if read < most {
                break;
            }
        }
        let is_open = connection.statuses > 0;
        if self.plan.reads.has_enough(connection.bytes, connection.statuses) {
            self.connection = None;
        }
        Ok(is_open && !was_open)
    }
}
