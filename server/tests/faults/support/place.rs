//! A data folder and two addresses, on which servers run one after another.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use super::database::Database;
use super::process::{BINARY, Process, command};
use super::volume::Volume;
use super::{BOT_TOKEN, JWT_SECRET, SOON, Viewer, client, eventually, operator};

pub(crate) struct Place {
    /// Where everything is, but for a data folder on a volume of its own.
    pub folder: TempDir,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// The data folder as the server sees it.
    data: PathBuf,
    /// Arguments of `serve` beside the addresses and the folder.
    pub arguments: Vec<String>,
    /// What runs the binary, if it does not run by itself.
    pub wrapper: Vec<String>,
    pub binary: String,
    volume: Option<Volume>,
    pub http: Client,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self {
            folder,
            addr: free_address(),
            admin: free_address(),
            data,
            arguments: Vec::new(),
            wrapper: Vec::new(),
            binary: BINARY.into(),
            volume: None,
            http: client(SOON),
        }
    }

    /// With the data folder on a small disk of its own; `None` if this machine does not let us.
    pub(crate) async fn on_volume(bytes: u64) -> Option<Self> {
        let mut place = Self::new();
        let volume = Volume::mount(&place.folder.path().join("volume"), bytes).await?;
        place.data = volume.path.join("data");
        place.wrapper = volume.enter();
        place.volume = Some(volume);
        Some(place)
    }

    /// Another place with the same data folder.
    pub(crate) fn beside(&self) -> Self {
        Self { data: self.data.clone(), ..Self::new() }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// The data folder as the test sees it.
    pub(crate) fn data(&self) -> PathBuf {
        self.volume.as_ref().map_or(self.data.clone(), |volume| volume.seen(&self.data))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.data().join("guildpulse.db")
    }

    /// The database. That of a volume is copied, because SQLite follows a path in its own way.
    pub(crate) fn database(&self) -> Database {
        if self.volume.is_some() { Database::copy(&self.file()) } else { Database::look(&self.file()) }
    }

    /// The small disk.
    pub(crate) fn volume(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }

    /// Starts a server.
    pub(crate) fn spawn(&self) -> Process {
        let [addr, admin] = [self.addr, self.admin].map(|addr| addr.to_string());
        let words: Vec<&str> = self.wrapper.iter().map(String::as_str).chain([self.binary.as_str()]).collect();
        let mut command = command(words[0], &words[1..]);
        command.args(["serve", "--listen", &addr, "--admin-listen", &admin, "--data"]).arg(&self.data);
        command.args(&self.arguments).env("GUILDPULSE_BOT_TOKEN", BOT_TOKEN).env("GUILDPULSE_JWT_SECRET", JWT_SECRET);
        Process::start(command, &self.folder.path().join("log"))
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(&self) -> Process {
        let process = self.spawn();
        self.ready_within(SOON).await;
        process
    }

    /// Starts a server that will not be ready, and waits until it answers.
    pub(crate) async fn start_unready(&self) -> Process {
        let process = self.spawn();
        let answered = eventually("an answer", SOON, async || self.readiness(self.addr).await).await;
        assert_eq!(answered, (503, "not ready\n".into()), "{}", self.log());
        process
    }

    /// What the servers have said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The lines of the log with this text.
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// What an address says to the question whether the server is ready.
    pub(crate) async fn readiness(&self, addr: SocketAddr) -> Option<(u16, String)> {
        let answer = self.http.get(format!("http://{addr}/readyz")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub(crate) async fn ready_within(&self, patience: Duration) {
        let ready = async || self.readiness(self.addr).await.filter(|(code, _)| *code == 200);
        let what = format!("ready on {}; the log: {}", self.addr, self.log());
        eventually(&what, patience, ready).await;
    }

    /// Waits until the server is not ready. The admin address says why; the public one does not.
    pub(crate) async fn unready_because(&self, reason: &str, patience: Duration) {
        let because = async || self.readiness(self.admin).await.filter(|(_, text)| text.contains(reason));
        let (code, text) = eventually(&format!("not ready: {reason}; the log: {}", self.log()), patience, because).await;
        assert_eq!((code, text), (503, format!("not ready: the store cannot be written: {reason}\n")));
        assert_eq!(self.readiness(self.addr).await.unwrap(), (503, "not ready\n".into()));
        assert_eq!(self.metric("guildpulse_store_writable").await, 0);
        assert_eq!(self.metric("guildpulse_store_state{state=\"written\"}").await, 0);
    }

    /// One number of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.http.get(format!("http://{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// A request as the bot.
    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(BOT_TOKEN).json(body)
    }

    /// Beats; the answer must be a success.
    pub(crate) async fn beat(&self, beat: &Value) {
        let answer = self.post("/api/v1/heartbeats", beat).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// What is said of a guild now.
    pub(crate) async fn status(&self, guild: &str) -> Value {
        let request = self.http.get(self.url(&format!("/api/v1/guilds/{guild}/status"))).bearer_auth(operator());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A viewer of the guild.
    pub(crate) async fn watch(&self, guild: &str) -> Viewer {
        Viewer::open(&self.url(&format!("/api/v1/guilds/{guild}/status/stream")), &operator()).await
    }

    /// Beats with a new version; the viewer has to see it within a second.
    pub(crate) async fn change(&self, viewer: &mut Viewer, version: &str) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        self.beat(&super::beat_of(version)).await;
        loop {
            let status = viewer.status_within(deadline.saturating_duration_since(tokio::time::Instant::now())).await;
            if status["version"] == version {
                return status;
            }
        }
    }

    /// The databases that were set aside.
    pub(crate) fn set_aside(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.data()).unwrap().map(|file| file.unwrap().path());
        let is_database = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("guildpulse.db.corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")
        };
        files.filter(is_database).collect()
    }
}

/// An address that is free and will be so a little later: the kernel gives these ports to nobody
/// who did not ask for them.
fn free_address() -> SocketAddr {
    let mut ports = std::iter::repeat_with(|| rand::rng().random_range(12_000..32_000));
    ports.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()?.local_addr().ok()).unwrap()
}
