//! The real binary.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Stdio;

use reqwest::{Client, StatusCode};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{SOON, eventually, now_ms};

const JWT_SECRET: &str = "a secret for tests, 32 bytes long";
const BOT_TOKEN: &str = "a token for tests";

/// A server that is ended with the test.
pub(crate) struct Server {
    pub addr: SocketAddr,
    admin: SocketAddr,
    http: Client,
    process: Child,
    folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        // A viewer is a descriptor on this side, too. The server does the same for itself.
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
        rustls::crypto::ring::default_provider().install_default().ok();

        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_guildpulse"));
        command.args(["serve", "--data", "data", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.current_dir(folder.path()).env_clear().kill_on_drop(true).stdin(Stdio::null()).stderr(log);
        command.env("GUILDPULSE_BOT_TOKEN", BOT_TOKEN).env("GUILDPULSE_JWT_SECRET", JWT_SECRET);
        let process = command.spawn().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { addr: any, admin: any, http: client(1), process, folder };
        eventually("it listens", SOON, async || server.word_behind("listening on http://").is_some()).await;
        server.addr = server.word_behind("listening on http://").unwrap().parse().unwrap();
        server.admin = server.word_behind("admin=").unwrap().parse().unwrap();
        server
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn word_behind(&self, text: &str) -> Option<String> {
        let log = self.log();
        Some(log.split_once(text)?.1.split_once(char::is_whitespace)?.0.to_owned())
    }

    /// Beats over the admin address, as a bot on the same machine does; the answer must be a success.
    pub(crate) async fn beat(&self, beat: &Value) {
        beat_to(&self.http, self.admin, beat).await;
    }

    /// What beats from a thread of its own, which the crowd cannot hold up.
    pub(crate) fn bot(&self) -> impl AsyncFn(&Value) + use<> {
        let (http, admin) = (client(1), self.admin);
        async move |beat: &Value| beat_to(&http, admin, beat).await
    }

    /// What the API says of these guilds.
    pub(crate) async fn statuses(&self, guilds: &[u64]) -> Vec<Value> {
        let mut all = Vec::new();
        for some in guilds.chunks(100) {
            let list: Vec<_> = some.iter().map(ToString::to_string).collect();
            let url = format!("http://{}/api/v1/statuses?guilds={}", self.addr, list.join(","));
            let answer = client(0).get(url).bearer_auth(operator_until(in_an_hour())).send().await.unwrap();
            let mut answer: Value = answer.json().await.unwrap();
            let Value::Array(statuses) = answer["statuses"].take() else { panic!("{answer}") };
            all.extend(statuses);
        }
        all
    }

    /// A number of the metrics, such as `guildpulse_viewers`; 0 if it is not there yet.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.http.get(format!("http://{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Streams that are open, and connections to the public address.
    pub(crate) async fn places(&self) -> (u64, u64) {
        (self.metric("guildpulse_viewers").await, self.metric("guildpulse_connections").await)
    }

    /// How many streams ended for this reason.
    pub(crate) async fn closed(&self, reason: &str) -> u64 {
        self.metric(&format!("guildpulse_streams_closed_total{{reason=\"{reason}\"}}")).await
    }

    /// The memory that it has, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many sockets it has open, but for those of the admin address: our own client has one or two
    /// connections there, and which of them it keeps shows a moment after an answer.
    pub(crate) fn sockets(&self) -> usize {
        let (process, admin) = (self.process.id().unwrap(), format!(":{:04X}", self.admin.port()));
        let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
        let connections = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_admin =
            connections.filter(|fields| fields[1].ends_with(&admin)).map(|fields| format!("socket:[{}]", fields[9]));
        let of_admin: HashSet<String> = of_admin.collect();
        let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        // One may be closed while we look.
        let open = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let open = open.map(|what| what.to_string_lossy().into_owned());
        open.filter(|what| what.starts_with("socket:") && !of_admin.contains(what)).count()
    }

    /// It runs, and nothing has gone wrong.
    pub(crate) fn is_well(&mut self) {
        assert!(self.process.try_wait().unwrap().is_none(), "it has ended: {}", self.log());
        let log = self.log();
        let trouble = log.lines().find(|line| ["ERROR", "panicked", "held up"].iter().any(|word| line.contains(word)));
        assert_eq!(trouble, None);
    }
}

/// A client that keeps this many connections when it does not use them.
fn client(kept: usize) -> Client {
    Client::builder().timeout(SOON).pool_max_idle_per_host(kept).no_proxy().build().unwrap()
}

async fn beat_to(http: &Client, admin: SocketAddr, beat: &Value) {
    let answer = http.post(format!("http://{admin}/api/v1/heartbeats")).bearer_auth(BOT_TOKEN).json(beat).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

/// An operator's token, with its end in Unix seconds.
pub(crate) fn operator_until(exp: u64) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &json!({"role": "operator", "exp": exp}), &key).unwrap()
}

pub(crate) fn in_an_hour() -> u64 {
    now_ms() / 1000 + 3600
}
