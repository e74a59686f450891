//! A process that is ended with the test, whatever becomes of it.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::SOON;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_guildpulse");

pub(crate) struct Process(pub Child);

impl Process {
    /// Starts it; what it says is added to the log.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id().expect("it has not ended")
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.ended_within(SOON + SOON).await
    }

    pub(crate) async fn ended_within(&mut self, patience: Duration) -> ExitStatus {
        timeout(patience, self.0.wait()).await.expect("the process ends").unwrap()
    }

    pub(crate) async fn kill(mut self) {
        self.send(Signal::KILL);
        self.ended().await;
    }

    /// Asks it to end, which has to go well.
    pub(crate) async fn stop(mut self) {
        self.send(Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

/// A command with an environment of its own.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}
