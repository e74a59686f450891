//! `guildpulse watch`: lines for other programs, and one line per guild on a terminal.

mod connection;
mod screen;

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::by_hand::{Asked, ByHand, status};
use crate::support::command::{ended, guildpulse, refusal, send};
use crate::support::{GUILD, SOON, Scene, eventually, shards};

/// A guild on another shard than [`GUILD`], of 2.
const OTHER: &str = "80351110224678912";

/// The command in a pipe.
struct Watching {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    news: Lines<BufReader<ChildStderr>>,
}

/// The command, with the token of an operator of every scene.
fn watch(scene: &Scene, guilds: &str) -> Command {
    let mut command = guildpulse(&format!("watch {guilds} --url http://{}", scene.addr), scene.data.path());
    command.env("GUILDPULSE_TOKEN", scene.operator());
    command
}

/// The command in a pipe, and its first request at a server of the test's own.
async fn asking() -> (ByHand, Watching, Asked) {
    let server = ByHand::start().await;
    let mut command = guildpulse(&format!("watch {GUILD} --url {}", server.url()), "/".as_ref());
    command.env("GUILDPULSE_TOKEN", "a token");
    let watching = Watching::start(command);
    let asked = server.asked_within(SOON).await;
    (server, watching, asked)
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let news = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, lines, news }
    }

    /// The next line without its time.
    async fn line(&mut self) -> String {
        let line = timeout(SOON, self.lines.next_line()).await.expect("a line in time").unwrap().expect("it goes on");
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24, "{line}");
        rest.to_owned()
    }

    /// The next news of the connection.
    async fn news(&mut self) -> String {
        timeout(SOON, self.news.next_line()).await.expect("news in time").unwrap().expect("it goes on")
    }

    /// The exit code, and the one line that says why.
    async fn refused(&mut self) -> (Option<i32>, String) {
        let code = ended(&mut self.process).await.code();
        let said = self.news().await;
        assert_eq!(self.news.next_line().await.unwrap(), None, "one line");
        assert_eq!(self.lines.next_line().await.unwrap(), None, "nothing on standard output");
        (code, said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_pipe_each_transition_is_a_line() {
    let scene = Scene::start().await;
    let mut watching = Watching::start(watch(&scene, GUILD));
    assert_eq!(watching.line().await, format!("{GUILD} unknown never_seen healthy=false version=- shard=-"));
    for _ in 0..3 {
        scene.beat(json!({"version": "1.4.2", "shards": shards([0], 1, "ready")})).await;
    }
    assert_eq!(watching.line().await, format!("{GUILD} online - healthy=true version=1.4.2 shard=0/1"));
    scene.beat(json!({"version": "\u{1b}[2J 1.5\n", "shards": shards([0], 1, "ready")})).await;
    let evil = format!("{GUILD} online - healthy=true version=\\u{{1b}}[2J\\u{{20}}1.5\\u{{a}} shard=0/1");
    assert_eq!(watching.line().await, evil, "and not one for each beat");
    scene.goodbye(json!({})).await;
    assert!(watching.line().await.starts_with(&format!("{GUILD} offline goodbye healthy=false ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_guilds_share_one_stream() {
    let scene = Scene::start().await;
    scene.beat(json!({"shards": shards([0], 2, "ready")})).await;
    let mut watching = Watching::start(watch(&scene, &format!("{GUILD} {OTHER} {GUILD}")));
    let mut lines = [watching.line().await, watching.line().await];
    lines.sort();
    assert!(lines[0].starts_with(&format!("{OTHER} unknown never_seen ")), "{lines:?}");
    assert!(lines[1].starts_with(&format!("{GUILD} online - ")), "{lines:?}");
    assert_eq!(scene.metric("guildpulse_viewers").await, 1);
    scene.goodbye(json!({})).await;
    assert!(watching.line().await.starts_with(&format!("{GUILD} offline goodbye ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_older_statuses_and_what_it_does_not_know_pass_over() {
    let (_server, mut watching, mut asked) = asking().await;
    assert!(asked.head.starts_with(&format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1\r\n")), "{}", asked.head);
    assert!(asked.head.contains("authorization: Bearer a token\r\n"), "{}", asked.head);
    asked.hello(0, 15_000).await;
    asked.status(&status("online", None, "12.10")).await;
    let mut repeated = status("online", None, "12.10");
    repeated["lastHeartbeat"] = "2026-11-22T20:20:00.000Z".into();
    repeated["mood"] = json!({"new": true});
    asked.status(&repeated).await;
    asked.status(&status("offline", Some("fatal"), "12.9")).await;
    asked.say(": a comment\n\nevent: party\ndata: {}\n\ndata: no status\n\nmood: good\nid: 7\n\n").await;
    asked.status(&status("offline", Some("goodbye"), "12.11")).await;
    assert!(watching.line().await.contains(" online - healthy=true "));
    assert!(watching.line().await.contains(" offline goodbye healthy=false "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_come_in_any_pieces_and_with_any_line_ends() {
    let (_server, mut watching, mut asked) = asking().await;
    asked.stream().await;
    let mut told = status("online", None, "12.10");
    for (version, end) in [("β日", "\r\n"), ("ß", "\r"), ("🦀", "\n")] {
        told["version"] = version.into();
        let mark = if end == "\r\n" { "\u{feff}" } else { "" };
        for byte in format!("{mark}id: 1{end}data: {told}{end}{end}").bytes() {
            asked.bytes(&[byte]).await;
        }
        // A lone CR ends its line only when it is clear that no LF follows.
        asked.say(": and on\n").await;
        assert!(watching.line().await.contains(&format!(" version={version} ")), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_nobody_reads_any_more_ends_it_quietly() {
    let scene = Scene::start().await;
    let mut watching = Watching::start(watch(&scene, GUILD));
    watching.line().await;
    drop(watching.lines);
    assert_eq!(ended(&mut watching.process).await.code(), Some(0), "though there is nothing more to say");
    assert_eq!(watching.news.next_line().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_with_exit_code_0() {
    let scene = Scene::start().await;
    for signal in [Signal::INT, Signal::TERM] {
        let mut watching = Watching::start(watch(&scene, GUILD));
        watching.line().await;
        send(&watching.process, signal);
        assert_eq!(ended(&mut watching.process).await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_though_nobody_takes_its_lines() {
    let (_server, mut watching, mut asked) = asking().await;
    asked.stream().await;
    for seq in 0..1000 {
        let reason = (seq % 2 == 0).then_some("goodbye");
        asked.status(&status("offline", reason, &format!("12.{seq}"))).await;
    }
    let pipe = watching.lines.into_inner().into_inner();
    eventually("the pipe is full", async || rustix::io::ioctl_fionread(&pipe).unwrap() > 58_000).await;
    send(&watching.process, Signal::TERM);
    assert_eq!(ended(&mut watching.process).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<String> = (1..=101).map(|id| id.to_string()).collect();
    for (guilds, words) in [("", "GUILD"), ("007", "guild id"), (many.join(" ").as_str(), "100"), ("1", "GUILDPULSE_TOKEN")]
    {
        let (code, said) = refusal(&format!("watch {guilds} --url http://127.0.0.1:1"), folder.path()).await;
        assert!(code == Some(2) && said.contains(words) && said.lines().count() == 1, "{guilds}: {said}");
    }
}
