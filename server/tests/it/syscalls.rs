//! What the thread of the streams asks of the kernel, as strace sees it.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, read_to_string};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::support::command::{Served, printed};
use crate::support::{GUILD, SOON, Viewer, client, eventually, shards};

const VIEWERS: usize = 40;
const CHANGES: usize = 25;

/// A server whose threads are traced, and viewers of one guild.
struct Traced {
    served: Served,
    viewers: Vec<Viewer>,
    token: String,
    folder: TempDir,
}

impl Traced {
    /// The viewers have had their first status, and are with their reactor.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(folder.path()).await;
        let token = read_to_string(folder.path().join("data/bot-token")).unwrap().trim().to_owned();
        let mut traced = Self { served, viewers: Vec::new(), token, folder };
        traced.beat(0).await;
        let operator = printed("token --data data --operator", traced.folder.path()).await;
        for _ in 0..VIEWERS {
            let url = format!("{}/api/v1/guilds/{GUILD}/status/stream", traced.served.url);
            let mut viewer = Viewer::open(&url, &operator).await;
            assert_eq!(viewer.until("online").await["version"], "0");
            traced.viewers.push(viewer);
        }
        traced
    }

    /// How many threads write to streams.
    fn reactors(&self) -> usize {
        let threads = fs::read_dir(format!("/proc/{}/task", self.served.process.id().unwrap())).unwrap();
        let name = |thread: io::Result<DirEntry>| read_to_string(thread.unwrap().path().join("comm")).unwrap();
        threads.map(name).filter(|name| name.trim() == "streams").count()
    }

    /// A beat of a bot of this version.
    async fn beat(&self, version: usize) {
        let beat = json!({"version": version.to_string(), "intervalMs": 60_000, "shards": shards([0], 1, "ready")});
        let http = client(SOON).post(format!("{}/api/v1/heartbeats", self.served.url));
        assert_eq!(http.bearer_auth(&self.token).json(&beat).send().await.unwrap().status(), 200);
    }

    /// A beat that changes the status, and all viewers who see it.
    async fn change(&mut self, version: usize) {
        self.beat(version).await;
        for viewer in &mut self.viewers {
            assert_eq!(viewer.until("online").await["version"], version.to_string());
        }
    }
}

/// A running strace. It ends with what it traces.
struct Trace {
    _process: Child,
    _messages: Lines<BufReader<ChildStderr>>,
    file: PathBuf,
}

impl Trace {
    async fn attach(traced: &Traced) -> Self {
        let file = traced.folder.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["--follow-forks", "--decode-pids=comm", "--signal=none", "--string-limit=300", "--output"]).arg(&file);
        command.arg("--attach").arg(traced.served.process.id().unwrap().to_string());
        let mut process = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("strace is installed");
        let mut messages = BufReader::new(process.stderr.take().unwrap()).lines();
        let said = timeout(SOON, messages.next_line()).await.expect("strace attaches").unwrap();
        assert!(said.as_ref().is_some_and(|said| said.contains("attached")), "{said:?}");
        Self { _process: process, _messages: messages, file }
    }

    /// How often a thread of the streams made each call, up to a beat that changes nothing.
    async fn calls(&self, traced: &Traced, last: usize) -> BTreeMap<String, usize> {
        // What is traced is written in order, so this beat is behind everything that is asked for.
        let mark = format!("\\\"version\\\":\\\"{last}\\\"");
        let seen = || read_to_string(&self.file).unwrap();
        let before = seen().matches(&mark).count();
        traced.beat(last).await;
        eventually("the last beat is in the trace", async || seen().matches(&mark).count() > before).await;
        let mut calls = BTreeMap::new();
        for line in seen().lines().filter(|line| line.contains("<streams>") && !line.contains("resumed>")) {
            let call = line.split_once("> ").unwrap().1.split('(').next().unwrap().trim();
            *calls.entry(call.to_owned()).or_default() += 1;
        }
        calls
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_one_write_and_a_change_wakes_a_reactor_once() {
    let mut traced = Traced::start().await;
    let trace = Trace::attach(&traced).await;
    for version in 1..=CHANGES {
        traced.change(version).await;
    }
    let calls = trace.calls(&traced, CHANGES).await;
    let reactors = traced.reactors();
    assert!(reactors > 0);
    assert_eq!(calls["sendto"], VIEWERS * CHANGES);
    // Each began with the wait in which strace found it.
    assert!(calls["epoll_wait"] <= (CHANGES + 1) * reactors, "{calls:?} of {reactors} reactors");
    assert!(calls.keys().all(|call| ["sendto", "epoll_wait", "futex"].contains(&&**call)), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reactor_that_has_nothing_to_do_is_not_woken_by_beats_nor_by_time() {
    let traced = Traced::start().await;
    let trace = Trace::attach(&traced).await;
    // Statuses are repeated after 14.5 s, and the bot is late after a minute.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..20 {
        pace.tick().await;
        traced.beat(0).await;
    }
    let calls = trace.calls(&traced, 0).await;
    assert!(calls.get("epoll_wait").is_none_or(|waits| *waits <= traced.reactors()), "{calls:?}");
    assert!(calls.keys().all(|call| call == "epoll_wait"), "{calls:?}");
}
