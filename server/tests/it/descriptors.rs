//! A table of descriptors that is full: a real process whose limit is lowered while it runs.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep, timeout};

use crate::support::command::{Served, guildpulse, printed};
use crate::support::raw::Raw;
use crate::support::{GUILD, SOON, Viewer, client, eventually, metric, shards};

struct Process {
    served: Served,
    token: String,
    folder: TempDir,
    /// Connections that nobody uses.
    idle: Vec<Raw>,
    /// Used for all requests that may share a connection.
    kept: Client,
}

impl Process {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Idle connections must last as long as the test needs them, however busy the machine.
        let arguments = "--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --head-timeout-ms 600000";
        let served = Served::with(arguments, folder.path()).await;
        let token = std::fs::read_to_string(folder.path().join("data/bot-token")).unwrap().trim().to_owned();
        Self { served, token, folder, idle: Vec::new(), kept: client(SOON) }
    }

    async fn viewer(&self) -> Viewer {
        let operator = printed("token --data data --operator", self.folder.path()).await;
        Viewer::open(&format!("{}/api/v1/guilds/{GUILD}/status/stream", self.served.url), &operator).await
    }

    async fn beat(&self, http: &Client, url: &str, version: &str) {
        let beat = json!({"version": version, "intervalMs": 60_000, "shards": shards([0], 1, "ready")});
        let answer = http.post(format!("{url}/api/v1/heartbeats")).bearer_auth(&self.token).json(&beat);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap()["accepted"], 1);
    }

    /// What is said of the guild, over a connection that is open.
    async fn status(&self) -> Value {
        let operator = printed("token --data data --operator", self.folder.path()).await;
        let url = format!("{}/api/v1/guilds/{GUILD}/status", self.served.url);
        self.kept.get(url).bearer_auth(operator).send().await.unwrap().json().await.unwrap()
    }

    /// What the admin address says of readiness, over a new connection.
    async fn readiness(&self) -> String {
        client(SOON).get(format!("{}/readyz", self.served.admin)).send().await.unwrap().text().await.unwrap()
    }

    async fn until_ready(&self) {
        eventually("it has recovered", async || self.readiness().await == "ready\n").await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.served.process.id().unwrap()).unwrap()).unwrap()
    }

    /// Sets the limit of open files; the hard limit stays as the process inherited it.
    fn limit(&self, current: u64) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
    }

    /// Leaves room for this many descriptors, and for those below the highest one that are free.
    fn leave_room(&self, descriptors: u64) {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let highest = open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<u64>().unwrap()).max();
        self.limit(highest.unwrap() + 1 + descriptors);
    }

    /// A number of the metrics, over a connection that is open.
    async fn metric(&self, name: &str) -> u64 {
        let metrics = self.kept.get(format!("{}/metrics", self.served.admin)).send().await.unwrap().text().await.unwrap();
        metric(&metrics, name)
    }

    /// Waits until the store has noted once more that the server runs, which it does every 10 s.
    async fn until_the_store_has_looked(&self) {
        let database = rusqlite::Connection::open(self.folder.path().join("data/guildpulse.db")).unwrap();
        let alive = || -> i64 { database.query_row("SELECT alive_ms FROM run", (), |row| row.get(0)).unwrap() };
        let before = alive();
        let deadline = Instant::now() + SOON * 4;
        while alive() == before {
            assert!(Instant::now() < deadline, "the store looks after its database");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Opens connections to the public address until there are no descriptors left.
    async fn exhaust(&mut self) {
        let addr = self.served.url.strip_prefix("http://").unwrap().parse().unwrap();
        for _ in 0..50 {
            for _ in 0..10 {
                self.idle.push(Raw::send(addr, "").await);
            }
            if self.readiness().await == "not ready: no file descriptors are left\n" {
                return;
            }
        }
        panic!("there are still descriptors");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_beats_go_on_and_readyz_says_why_and_all_recovers_by_itself() {
    let mut process = Process::start().await;
    let (url, admin) = (process.served.url.clone(), process.served.admin.clone());
    let mut viewer = process.viewer().await;
    process.beat(&process.kept, &url, "1").await;
    process.beat(&process.kept, &admin, "2").await;
    // When the idle ones leave, there is room for all who came meanwhile, and beyond.
    process.leave_room(60);
    process.exhaust().await;

    process.beat(&process.kept, &url, "3").await;
    process.beat(&process.kept, &admin, "4").await;
    let new: Vec<_> = (0..10).map(|_| client(SOON)).collect();
    for (index, http) in new.iter().enumerate() {
        process.beat(http, &admin, &format!("new {index}")).await;
    }
    let deadline = Instant::now() + SOON;
    while viewer.status().await["version"] != "new 9" {
        assert!(Instant::now() < deadline, "the open stream goes on");
    }
    let public = format!("{url}/readyz");
    assert!(client(Duration::from_millis(300)).get(&public).send().await.is_err(), "nobody new is let in");
    let answer = process.kept.get(&public).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
        (503, "not ready\n"),
        "and no reason there"
    );

    // Nobody changes anything, so that the next status is a repetition. And files that cannot be
    // opened are no reason to let go of one that is open.
    let newest = process.status().await;
    let repeated = viewer.status_within(Duration::from_secs(16));
    let (repetition, ()) = tokio::join!(repeated, process.until_the_store_has_looked());
    assert_eq!((&repetition["revision"], &repetition["version"]), (&newest["revision"], &json!("new 9")));
    let logged = process.metric("guildpulse_transitions_logged_total").await;
    process.beat(&process.kept, &url, "stored").await;
    eventually("the log goes on", async || process.metric("guildpulse_transitions_logged_total").await > logged).await;
    assert_eq!(process.readiness().await, "not ready: no file descriptors are left\n", "and nothing else is wrong");

    // Some leave.
    process.idle.clear();
    process.until_ready().await;
    assert_eq!(client(SOON).get(&public).send().await.unwrap().status(), 200);

    // It happens again, and this time somebody gives it more.
    process.exhaust().await;
    let waiting = client(SOON).get(&public).send();
    process.limit(1024);
    assert_eq!(waiting.await.unwrap().status(), 200, "who waited is let in");
    process.until_ready().await;
    process.beat(&client(SOON), &admin, "at last").await;

    let episodes = process.metric("guildpulse_limits_reached_total{limit=\"descriptors\"}").await;
    drop(viewer);
    process.served.process.kill().await.unwrap();
    let mut said = 0;
    while let Some(line) = process.served.log.next_line().await.unwrap() {
        said += u64::from(line.contains("no file descriptors are left"));
    }
    assert_eq!((episodes, said), (2, 2), "each episode is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_descriptors_and_their_limit_are_told_as_they_are_now() {
    let mut process = Process::start().await;
    let addr = process.served.url.strip_prefix("http://").unwrap().parse().unwrap();
    let told = async |process: &Process| process.metric("guildpulse_descriptors_open").await;
    let before = told(&process).await;
    for _ in 0..20 {
        process.idle.push(Raw::send(addr, "").await);
    }
    let listed = |process: &Process| std::fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count() as u64;
    let risen = async || told(&process).await >= before + 20 && told(&process).await == listed(&process);
    eventually("each connection is one more", risen).await;
    process.idle.clear();
    eventually("they are free again", async || told(&process).await < before + 20).await;
    process.limit(777);
    assert_eq!(process.metric("guildpulse_descriptors_limit").await, 777);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_are_descriptors_are_lowered_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command =
        guildpulse("serve --listen 127.0.0.1:0 --max-connections 16000000 --max-viewers 16000000", folder.path());
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    for setting in ["max_connections", "max_viewers"] {
        let line = timeout(SOON, log.next_line()).await.expect("it says so").unwrap().unwrap();
        assert!(line.contains("WARN") && line.contains(&format!("{setting} is lowered from 16000000 to ")), "{line}");
    }
}
