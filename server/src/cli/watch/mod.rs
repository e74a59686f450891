//! `guildpulse watch`: the status of guilds in a terminal, or as lines for other programs.
//!
//! What is known (`board`), how it is said (`words`, `text`), how it is drawn (`screen`, `lines`) and
//! when to connect again (`retry`, `link`) are pure; `stream` and `output` are what they are fed from
//! and feed.

mod board;
mod lines;
mod link;
mod output;
mod retry;
mod screen;
mod stream;
mod text;
mod words;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use self::board::Board;
use self::link::Link;
use self::output::Output;
use self::retry::{Loss, Retry};
use self::stream::Refusal;
use super::client::{Client, ServerAddress, TokenSource};
use super::signals::Signals;
use super::{Failure, client_runtime};
use crate::clock::Clock;
use crate::event_source::{self, EventSource};
use crate::liveness::Now;
use crate::wire::{Event, GuildId, UnixMillis};

/// How many guilds one stream carries.
const MAX_GUILDS: usize = 100;
/// Relative times are right to the second.
const REFRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guilds (Discord servers) to watch, 1 to 100
    #[arg(required = true, value_name = "GUILD")]
    guilds: Vec<GuildId>,
    #[command(flatten)]
    server: ServerAddress,
    #[command(flatten)]
    token: TokenSource,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let board = Board::new(&arguments.guilds);
    if board.places().len() > MAX_GUILDS {
        return Err(Failure::usage(anyhow::anyhow!("one stream carries at most {MAX_GUILDS} guilds")));
    }
    let token = arguments.token.read()?;
    let client = Client::for_streams(&arguments.server, Some(token))?;
    let output = Output::new()?;
    client_runtime()?.block_on(async {
        let mut signals = Signals::listen().map_err(Failure::running)?;
        let mut source = client.event_source(&path(&board)).map_err(Failure::usage)?;
        let mut watch = Watch::new(board, output);
        let ended = tokio::select! {
            ended = watch.forever(&mut source) => ended,
            _ = signals.next() => {
                watch.output.close();
                return Ok(ExitCode::SUCCESS);
            }
        };
        let Err(error) = ended;
        let closed = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if closed { Ok(ExitCode::SUCCESS) } else { Err(Failure::running(error)) }
    })
}

/// The path of the stream that carries these guilds.
fn path(board: &Board) -> String {
    let guilds: Vec<String> = board.places().iter().map(|place| place.guild.to_string()).collect();
    match guilds.as_slice() {
        [guild] => format!("/api/v1/guilds/{guild}/status/stream"),
        guilds => format!("/api/v1/streams?guilds={}", guilds.join(",")),
    }
}

struct Watch {
    board: Board,
    retry: Retry,
    link: Link,
    output: Output,
    clock: Clock,
    /// Milliseconds by which the server's clock is ahead of ours.
    ahead: i64,
    ticks: Interval,
}

impl Watch {
    fn new(board: Board, output: Output) -> Self {
        let mut ticks = interval(REFRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let clock = Clock::start();
        Self { board, retry: Retry::default(), link: Link::Connecting, output, clock, ahead: 0, ticks }
    }

    /// Watches until the server refuses for good, or nobody looks any more.
    async fn forever(&mut self, source: &mut EventSource) -> anyhow::Result<Infallible> {
        loop {
            let loss = self.connection(source).await?;
            let wait = self.retry.wait(&loss, rand::random());
            let until = self.clock.now().monotonic + wait;
            self.show(Link::Waiting { why: loss.words(), until })?;
            self.meanwhile(sleep(wait)).await?;
            self.show(Link::Trying { why: loss.words() })?;
        }
    }

    /// One connection, from its request to its loss.
    async fn connection(&mut self, source: &mut EventSource) -> anyhow::Result<Loss> {
        match self.meanwhile(stream::open(source)).await? {
            Ok(()) => {}
            Err(Refusal::Passing(loss)) => return Ok(loss),
            Err(Refusal::Final(error)) => {
                self.show(Link::Ended)?;
                return Err(error);
            }
        }
        self.board.reconnected();
        self.retry.opened(self.clock.now().monotonic);
        loop {
            let left = self.retry.deadline().saturating_sub(self.clock.now().monotonic);
            let loss = match self.meanwhile(timeout(left, stream::next(source))).await? {
                Err(_) => Loss::Silent,
                Ok(Err(loss)) => return Ok(loss),
                Ok(Ok(event)) => match self.event(event).await? {
                    Some(loss) => loss,
                    None => continue,
                },
            };
            // Nothing of it is to be heard any more, whatever the other end still thinks.
            source.lose(event_source::Loss::Silent);
            return Ok(loss);
        }
    }

    /// Acts on an event; returns the loss if it is the last.
    async fn event(&mut self, event: Event) -> io::Result<Option<Loss>> {
        let now = self.clock.now();
        match event {
            Event::Hello(hello) => {
                self.ahead = hello.now.0.saturating_sub(now.wall.0);
                self.retry.greeted(hello, now.monotonic);
            }
            Event::Status(status) => {
                self.retry.heard(now.monotonic);
                if let Some(status) = self.board.take(*status) {
                    self.output.transition(status, now.wall).await?;
                }
                self.show(Link::Open)?;
            }
            Event::Goodbye(goodbye) if self.retry.is_greeted() => return Ok(Some(Loss::Goodbye(goodbye))),
            // Without a greeting it is another protocol's.
            Event::Goodbye(_) => {}
        }
        Ok(None)
    }

    fn show(&mut self, link: Link) -> io::Result<()> {
        self.link = link;
        let now = self.now();
        self.output.link(&self.link, self.board.knows_any(), now);
        self.output.refresh(&self.board, &self.link, now)
    }

    /// Waits for something, and keeps what is shown up to date until then.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T>) -> io::Result<T> {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                done = &mut something => return Ok(done),
                _ = self.ticks.tick() => {
                    let now = self.now();
                    self.output.refresh(&self.board, &self.link, now)?;
                }
            }
        }
    }

    /// The time, by the server's clock where it is shown.
    fn now(&self) -> Now {
        let now = self.clock.now();
        Now { wall: UnixMillis(now.wall.0.saturating_add(self.ahead)), ..now }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::{Event, Sighting};

    /// A status of guild 5 with these words; `null` is no reason.
    pub(super) fn sighting(state: &str, reason: &str) -> Sighting {
        let reason = if reason == "null" { reason.into() } else { format!("\"{reason}\"") };
        let json = format!(
            r#"{{"guildId":"5","healthy":false,"state":"{state}","reason":{reason},"since":"2026-11-22T20:07:00.000Z","revision":"12.9"}}"#
        );
        let Some(Event::Status(status)) = Event::read("", &json) else { panic!("{json}") };
        *status
    }
}
