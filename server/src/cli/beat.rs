//! `guildpulse beat`: beats for a process that it runs.
//!
//! The process' fate is told as it is: an exit code 0, or a signal that was passed on to it, is a
//! goodbye; a crash just stops the beats, and is seen by their absence.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::client::{Client, Refused, ServerAddress, TokenSource};
use super::signals::Signals;
use super::{Failure, client_runtime};
use crate::config::SECRET_VARIABLES;
use crate::wire::{DEFAULT_INTERVAL, ShardKey};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    server: ServerAddress,
    #[command(flatten)]
    token: TokenSource,
    /// Shard of the bot that the process runs, such as 0/16; may be given repeatedly
    #[arg(long = "shard", value_name = "ID/COUNT", default_value = "0/1")]
    shards: Vec<Shard>,
    /// Version of the bot
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Name of the process, if several run the same shard
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// The bot. Without it, beats until it is stopped
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy)]
struct Shard(ShardKey);

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = "a shard is ID/COUNT with ID below COUNT, such as 0/1 or 3/16";
        let (id, count) = text.split_once('/').ok_or(usage)?;
        let key = ShardKey { id: id.parse().map_err(|_| usage)?, count: count.parse().map_err(|_| usage)? };
        if key.id < key.count { Ok(Self(key)) } else { Err(usage) }
    }
}

#[derive(Serialize)]
struct Beat<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    session: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    shards: &'a [ShardKey],
}

#[derive(Serialize)]
struct Goodbye<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    session: &'a str,
    reason: &'a str,
}

/// How long the goodbye is tried for, while the process shuts down.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let token = arguments.token.read()?;
    let client = Client::new(&arguments.server, Some(token))?;
    client_runtime()?.block_on(async {
        let mut signals = Signals::listen().map_err(Failure::running)?;
        let child = spawn(&arguments.command).map_err(Failure::usage)?;
        let sender = Sender::new(client, arguments);
        let code = match child {
            Some(child) => accompany(child, &sender, &mut signals).await.map_err(Failure::running)?,
            None => {
                tokio::select! {
                    never = sender.beat() => match never {},
                    _ = signals.next() => sender.goodbye("signal").await,
                }
                0
            }
        };
        Ok(ExitCode::from(code))
    })
}

fn spawn(command: &[OsString]) -> anyhow::Result<Option<Child>> {
    let Some((program, arguments)) = command.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments);
    for variable in SECRET_VARIABLES {
        command.env_remove(variable);
    }
    let child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    Ok(Some(child))
}

/// Beats while the process runs; returns its exit code.
async fn accompany(mut child: Child, sender: &Sender, signals: &mut Signals) -> anyhow::Result<u8> {
    let signal = tokio::select! {
        never = sender.beat() => match never {},
        status = child.wait() => {
            let status = status?;
            if status.success() {
                sender.goodbye("exit").await;
            }
            return Ok(code(status));
        }
        signal = signals.next() => signal,
    };
    // The goodbye does not wait for the process: its guilds are to know at once.
    pass_on(&child, signal);
    let ended = async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                signal = signals.next() => pass_on(&child, signal),
            }
        }
    };
    let (status, ()) = tokio::join!(ended, sender.goodbye("signal"));
    Ok(code(status?))
}

/// What a shell would return for the process.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

fn pass_on(child: &Child, signal: Signal) {
    // Ctrl-C reaches every process of the terminal; a second one would be an order to hurry.
    if signal == Signal::INT && stdin().is_terminal() {
        return;
    }
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended by itself just now.
        kill_process(id, signal).ok();
    }
}

/// Sends the beats of one session.
struct Sender {
    client: Client,
    instance: Option<String>,
    session: String,
    version: Option<String>,
    shards: Vec<ShardKey>,
}

impl Sender {
    fn new(client: Client, arguments: Arguments) -> Self {
        Self {
            client,
            instance: arguments.instance,
            session: format!("{:016x}", rand::random::<u64>()),
            version: arguments.version,
            shards: arguments.shards.into_iter().map(|Shard(key)| key).collect(),
        }
    }

    /// Beats for ever. A server that cannot be reached is told once and tried again.
    #[expect(clippy::print_stderr, reason = "the person at the terminal is to know whether beats get through")]
    async fn beat(&self) -> Infallible {
        let mut due = interval(DEFAULT_INTERVAL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        for seq in 1.. {
            due.tick().await;
            let beat = Beat {
                instance: self.instance.as_deref(),
                session: &self.session,
                seq,
                version: self.version.as_deref(),
                shards: &self.shards,
            };
            let sent = self.client.post("/api/v1/heartbeats", &beat).await;
            match (&sent, failing) {
                (Ok(()), true) => eprintln!("guildpulse: beats get through again"),
                (Err(error), false) => eprintln!("guildpulse: cannot beat: {error:#}; trying again"),
                (Ok(()), false) | (Err(_), true) => {}
            }
            failing = sent.is_err();
        }
        unreachable!("a session has fewer than 2^64 beats")
    }

    /// Tells that the process is going, trying again for a while.
    async fn goodbye(&self, reason: &str) {
        let goodbye = Goodbye { instance: self.instance.as_deref(), session: &self.session, reason };
        let tries = async {
            let mut due = interval(Duration::from_millis(500));
            loop {
                due.tick().await;
                match self.client.post("/api/v1/goodbye", &goodbye).await {
                    Ok(()) => return,
                    Err(error) if error.downcast_ref().is_some_and(Refused::is_final) => return,
                    Err(_) => {}
                }
            }
        };
        // If nobody hears it, the end of the beats says the same a little later.
        timeout(GOODBYE_PATIENCE, tries).await.ok();
    }
}
