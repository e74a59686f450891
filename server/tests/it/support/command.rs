//! The command as a process.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
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

/// Exit code and standard error of a command that must not start.
pub(crate) async fn refusal(arguments: &str, folder: &Path) -> (Option<i32>, String) {
    let output = output(guildpulse(arguments, folder)).await;
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The one line that a command prints.
pub(crate) async fn printed(arguments: &str, folder: &Path) -> String {
    let output = output(guildpulse(arguments, folder)).await;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "a token and nothing else");
    text.trim_end().to_owned()
}

/// A server as a process, with its secrets in `data` below the folder.
pub(crate) struct Served {
    pub process: Child,
    pub url: String,
    /// The URL of the admin address; empty if there is none.
    pub admin: String,
    pub log: Lines<BufReader<ChildStderr>>,
}

impl Served {
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::with("--listen 127.0.0.1:0", folder).await
    }

    /// With these arguments.
    pub(crate) async fn with(arguments: &str, folder: &Path) -> Self {
        let mut command = guildpulse(&format!("serve --data data {arguments}"), folder);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut served = Self { process, url: String::new(), admin: String::new(), log };
        let line = served.logged("listening on ").await;
        let word = |before| Some(line.split_once(before)?.1.split_whitespace().next()?.to_owned());
        served.url = word("listening on ").unwrap();
        served.admin = word("admin=").map_or_else(String::new, |addr| format!("http://{addr}"));
        served
    }

    /// The next line of the log that holds these words; those before it are let pass.
    pub(crate) async fn logged(&mut self, words: &str) -> String {
        let wait = async {
            loop {
                let line = self.log.next_line().await.unwrap().expect("the process goes on");
                if line.contains(words) {
                    return line;
                }
            }
        };
        timeout(SOON, wait).await.unwrap_or_else(|_| panic!("nothing in the log says {words:?}"))
    }
}
