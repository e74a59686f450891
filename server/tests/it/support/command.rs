//! The command as a process.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{BOT_TOKEN, SOON, Scene};

/// The command with these arguments, words separated by blanks, and an environment of its own.
pub(crate) fn guildpulse(arguments: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildpulse"));
    command.args(arguments.split_whitespace()).current_dir(folder).env_clear().kill_on_drop(true);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) async fn output(mut command: Command) -> Output {
    timeout(SOON, command.output()).await.expect("the command ends").unwrap()
}

/// `guildpulse beat` against the scene's server, with more arguments.
pub(crate) fn beat(scene: &Scene, arguments: &str) -> Child {
    let arguments = format!("beat --url http://{} {arguments}", scene.addr);
    guildpulse(&arguments, scene.data.path()).env("GUILDPULSE_TOKEN", BOT_TOKEN).spawn().unwrap()
}

pub(crate) fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    timeout(SOON, child.wait()).await.expect("the process ends").unwrap()
}
