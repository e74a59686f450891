//! The floor: what the kernel charges for the same bytes, and nothing else.
//!
//! One thread, one epoll, and a bare `send` of the same frame per viewer. It authenticates nobody,
//! keeps no state but its sockets, and gives up a viewer that cannot take a frame at once. A server
//! can come near it, and cannot get below it with one `send` per delivery.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Signal, set_parent_process_death_signal};
use socket2::{Domain, Socket, Type};

use crate::clock;
use crate::frames::{self, Said};

/// The backlog of the server.
const BACKLOG: i32 = 4096;
const PUBLIC: Token = Token(usize::MAX - 1);
const CONTROL: Token = Token(usize::MAX - 2);
const COMMANDS: Token = Token(usize::MAX - 3);
/// The head of the server's answer. That both have the same length is checked in each run.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\n\
    x-accel-buffering: no\r\nvary: Origin\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\
    date: Sun, 22 Nov 2026 20:20:01 GMT\r\n\r\n";

/// Serves until whoever started it is gone.
pub(crate) fn run() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    crate::process::raise_descriptor_limit()?;
    let mut floor = Floor::new()?;
    let (public, control) = (floor.public.local_addr()?, floor.control.local_addr()?);
    // The words of the server, so that both are started the same way.
    writeln!(std::io::stderr(), "{{\"admin\":\"{control}\",\"message\":\"listening on http://{public}\"}}")?;
    let mut events = Events::with_capacity(1024);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                PUBLIC => floor.accept()?,
                CONTROL => floor.accept_commands()?,
                COMMANDS => floor.command()?,
                Token(index) => floor.request(index),
            }
        }
    }
}

#[derive(Debug)]
struct Viewer {
    socket: TcpStream,
    watches: bool,
}

#[derive(Debug)]
struct Floor {
    poll: Poll,
    public: TcpListener,
    control: TcpListener,
    commands: Option<TcpStream>,
    viewers: Vec<Option<Viewer>>,
    free: Vec<usize>,
    boot: u64,
    seq: u64,
    version: String,
    greeting: Vec<u8>,
}

impl Floor {
    fn new() -> Result<Self> {
        let poll = Poll::new()?;
        let (mut public, mut control) = (listen()?, listen()?);
        poll.registry().register(&mut public, PUBLIC, Interest::READABLE)?;
        poll.registry().register(&mut control, CONTROL, Interest::READABLE)?;
        let (viewers, free, boot) = (Vec::new(), Vec::new(), clock::unix_seconds());
        let (commands, version, greeting) = (None, String::new(), Vec::new());
        Ok(Self { poll, public, control, commands, viewers, free, boot, seq: 0, version, greeting })
    }

    fn accept(&mut self) -> Result<()> {
        while let Some(mut socket) = accepted(&self.public)? {
            // As the server does it.
            socket.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.viewers.len());
            self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            let viewer = Some(Viewer { socket, watches: false });
            match self.viewers.get_mut(index) {
                Some(place) => *place = viewer,
                None => self.viewers.push(viewer),
            }
        }
        Ok(())
    }

    /// Answers a request, which the load sends in one piece, or lets a viewer go who has left.
    fn request(&mut self, index: usize) {
        let Some(viewer) = &mut self.viewers[index] else { return };
        let mut request = [0; 4096];
        let stays = match viewer.socket.read(&mut request) {
            Ok(read) if !viewer.watches && request[..read].ends_with(b"\r\n\r\n") => {
                viewer.watches = true;
                sent(&mut viewer.socket, &self.greeting)
            }
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        if !stays {
            self.viewers[index] = None;
            self.free.push(index);
        }
    }

    fn accept_commands(&mut self) -> Result<()> {
        while let Some(mut socket) = accepted(&self.control)? {
            self.poll.registry().register(&mut socket, COMMANDS, Interest::READABLE)?;
            self.commands = Some(socket);
        }
        Ok(())
    }

    /// A beat, of which only the version and the number of shards count. As with the server, one with another version is
    /// published to all.
    fn command(&mut self) -> Result<()> {
        let Some(commands) = &mut self.commands else { return Ok(()) };
        let mut beat = [0; 8192];
        let read = match commands.read(&mut beat) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let beat = std::str::from_utf8(&beat[..read])?;
        let Some((_, rest)) = beat.split_once("\"version\":\"") else {
            self.commands = None;
            return Ok(());
        };
        let version = rest.split('"').next().context("a version ends")?;
        if self.version != version {
            self.version = version.to_owned();
            self.seq += 1;
            self.publish();
        }
        let body = format!("{{\"accepted\":{}}}", beat.matches("{\"id\":").count());
        if let Some(commands) = &mut self.commands {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            commands.write_all(answer.as_bytes())?;
        }
        Ok(())
    }

    fn publish(&mut self) {
        let now = "2026-11-22T20:20:00.000Z";
        let status = frames::status(&Said {
            guild: crate::load::FIRST_GUILD,
            state: r#""healthy":true,"state":"online","reason":null"#,
            last_heartbeat: now,
            version: &self.version,
            since: now,
            shard: (0, 1),
            revision: (self.boot, self.seq),
        });
        let frame = frames::chunk(&status);
        self.greeting = [HEAD.as_bytes(), &frames::chunk(&(frames::hello(2417, now, self.boot) + &status))].concat();
        for (index, place) in self.viewers.iter_mut().enumerate() {
            let Some(viewer) = place.as_mut().filter(|viewer| viewer.watches) else { continue };
            if !sent(&mut viewer.socket, &frame) {
                *place = None;
                self.free.push(index);
            }
        }
    }
}

fn listen() -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn accepted(listener: &TcpListener) -> Result<Option<TcpStream>> {
    loop {
        match listener.accept() {
            Ok((socket, _)) => return Ok(Some(socket)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            // A viewer that left before it was accepted.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the kernel took all of the bytes. It always does while the load reads.
fn sent(socket: &mut TcpStream, bytes: &[u8]) -> bool {
    socket.write(bytes).is_ok_and(|written| written == bytes.len())
}
