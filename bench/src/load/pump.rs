//! Beats as fast as they are answered, over connections that stay.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::beat::{Beat, accepted};
use crate::clock::Bound;

const LOOK: Duration = Duration::from_millis(50);
/// Longer than any scenario.
const INTERVAL_MS: u32 = 60_000;

/// Some processes of one bot.
#[derive(Debug)]
pub(crate) struct Pump {
    poll: Poll,
    events: Events,
    processes: Vec<Process>,
    bound: Bound,
}

/// A process, with a connection of its own.
#[derive(Debug)]
struct Process {
    socket: TcpStream,
    beat: Beat<'static>,
    seq: u64,
    answer: Vec<u8>,
}

impl Pump {
    /// Connects so many processes with so many shards each.
    pub(crate) fn open(to: SocketAddr, processes: u32, shards: u32, bound: &Bound) -> Result<Self> {
        let poll = Poll::new()?;
        let processes = (0..processes)
            .map(|number| {
                let socket = std::net::TcpStream::connect(to)?;
                socket.set_nodelay(true)?;
                socket.set_nonblocking(true)?;
                let mut socket = TcpStream::from_std(socket);
                let index = number as usize;
                poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
                let shards_of_it = number * shards..(number + 1) * shards;
                let (count, version) = (processes * shards, "1.4.2");
                let beat =
                    Beat { instance: index, seq: None, version, interval_ms: INTERVAL_MS, shards: shards_of_it, count };
                Ok(Process { socket, beat, seq: 0, answer: Vec::new() })
            })
            .collect::<Result<_>>()?;
        Ok(Self { poll, events: Events::with_capacity(64), processes, bound: bound.clone() })
    }

    /// Sends so many beats and waits for all answers, each of which has to be a yes.
    pub(crate) fn send(&mut self, beats: usize) -> Result<()> {
        let (mut sent, mut answered) = (0, 0);
        for process in self.processes.iter_mut().take(beats) {
            process.send()?;
            sent += 1;
        }
        let mut buffer = [0; 4096];
        while answered < beats {
            self.bound.check()?;
            match self.poll.poll(&mut self.events, Some(LOOK)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &self.events {
                let process = &mut self.processes[event.token().0];
                if process.is_answered(&mut buffer)? {
                    answered += 1;
                    if sent < beats {
                        process.send()?;
                        sent += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Process {
    fn send(&mut self) -> Result<()> {
        self.seq += 1;
        self.beat.seq = Some(self.seq);
        let request = self.beat.request();
        let written = self.socket.write(&request).context("a beat was refused")?;
        ensure!(written == request.len(), "the kernel did not take a whole beat");
        Ok(())
    }

    fn is_answered(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.socket.read(buffer) {
            Ok(0) => bail!("the connection of beats was closed"),
            Ok(read) => self.answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let Some(accepted) = accepted(&self.answer)? else { return Ok(false) };
        ensure!(accepted == self.beat.shards.len(), "a beat counted for {accepted} shards");
        self.answer.clear();
        Ok(true)
    }
}
