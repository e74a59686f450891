//! A server to talk to, and clients that share no code with it.

pub(crate) mod backend;
pub(crate) mod browser;
pub(crate) mod by_hand;
pub(crate) mod command;
pub(crate) mod raw;
pub(crate) mod signer;
pub(crate) mod terminal;

use std::net::SocketAddr;
use std::time::Duration;

use guildpulse::auth::{Claims, Guilds, SecretsError, mint};
use guildpulse::clock;
use guildpulse::config::{Config, Secret};
use guildpulse::server::{Reloaded, Reloader, Server};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use browser::Viewer;

/// The guild of most tests; on shard 0 of 1, 2, 4 and 16.
pub(crate) const GUILD: &str = "81384788757315589";
/// Long enough for anything that is to happen at once, however busy the machine.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// What signs the tokens of tests.
pub(crate) const JWT_SECRET: &str = "a secret for tests, 32 bytes long";
/// The token of the bot in tests.
pub(crate) const BOT_TOKEN: &str = "a token for tests";

/// A running server. It is stopped when the test is over.
pub(crate) struct Scene {
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    pub data: TempDir,
    pub http: Client,
    config: Config,
    reloader: Reloader,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Scene {
    /// A server with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = config(&data);
        change(&mut config);
        let server = Server::bind(config.clone()).await.unwrap();
        let reloader = server.reloader();
        let (addr, admin) = (server.addr(), server.admin_addr().unwrap());
        let (stop, running) = run(server);
        Self { addr, admin, data, http: client(SOON), config, reloader, stop: Some(stop), running }
    }

    /// Stops the server and starts one on the same folder, at another address.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.stopped().await;
        self.begin().await;
    }

    /// Waits for the end of a server that was asked to stop.
    pub(crate) async fn stopped(&mut self) {
        timeout(SOON * 2, &mut self.running).await.expect("the server stops").unwrap();
    }

    /// Starts a server on the folder of the one that has stopped, at another address.
    pub(crate) async fn begin(&mut self) {
        let server = Server::bind(self.config.clone()).await.unwrap();
        self.reloader = server.reloader();
        (self.addr, self.admin) = (server.addr(), server.admin_addr().unwrap());
        let (stop, running) = run(server);
        (self.stop, self.running) = (Some(stop), running);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Hands the server changed settings while it runs.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Config)) -> Result<Reloaded, SecretsError> {
        let mut config = self.config.clone();
        change(&mut config);
        self.reloader.reload(&config)
    }

    /// A token that may see every guild.
    pub(crate) fn operator(&self) -> String {
        token(&json!({"role": "operator", "exp": in_an_hour()}))
    }

    /// A token that may see these guilds.
    pub(crate) fn viewer(&self, guilds: &[&str]) -> String {
        let guilds = guilds.iter().map(|guild| guild.parse().unwrap()).collect();
        let claims =
            Claims { sub: Some("a viewer".into()), exp: in_an_hour(), guilds: Some(Guilds::Only(guilds)), role: None };
        mint(&config(&self.data), &claims).unwrap()
    }

    /// Beats; the answer must be a success.
    pub(crate) async fn beat(&self, beat: Value) -> Value {
        let (status, answer) = answer(self.post("/api/v1/heartbeats", &beat)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Says goodbye; the answer must be a success.
    pub(crate) async fn goodbye(&self, goodbye: Value) -> Value {
        let (status, answer) = answer(self.post("/api/v1/goodbye", &goodbye)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// A request as the bot.
    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(BOT_TOKEN).json(body)
    }

    /// A request as an operator.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(self.operator())
    }

    /// What is said of a guild now.
    pub(crate) async fn status(&self, guild: &str) -> Value {
        let (status, answer) = answer(self.get(&format!("/api/v1/guilds/{guild}/status"))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// A number of the metrics, such as `guildpulse_viewers`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let metrics = self.http.get(format!("http://{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        metric(&metrics, name)
    }

    /// How often a limit was reached.
    pub(crate) async fn reached(&self, limit: &str) -> u64 {
        self.metric(&format!("guildpulse_limits_reached_total{{limit=\"{limit}\"}}")).await
    }

    /// A viewer of the guild.
    pub(crate) async fn watch(&self, guild: &str) -> Viewer {
        Viewer::open(&self.url(&format!("/api/v1/guilds/{guild}/status/stream")), &self.operator()).await
    }
}

fn run(server: Server) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    (stop, tokio::spawn(server.run(async { drop(stopped.await) })))
}

/// An HTTP client whose requests may take this long.
pub(crate) fn client(patience: Duration) -> Client {
    // The first of the tests installs it for all.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().timeout(patience).no_proxy().build().unwrap()
}

/// The settings of a server in tests.
pub(crate) fn config(data: &TempDir) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        listen: free,
        admin_listen: Some(free),
        data: data.path().join("data"),
        jwt_secret: Some(Secret::new(JWT_SECRET)),
        bot_token: Some(Secret::new(BOT_TOKEN)),
        ..Config::default()
    }
}

/// A number of the metrics.
pub(crate) fn metric(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

/// Waits until it is so.
pub(crate) async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !so().await {
        assert!(Instant::now() < deadline, "it is not so that {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Status and JSON of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response: Response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap_or(Value::Null))
}

/// A token with any claims at all.
pub(crate) fn token(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

/// Seconds since the epoch, an hour from now.
pub(crate) fn in_an_hour() -> u64 {
    clock::wall().unix_seconds() + 3600
}

/// The shards of one process, as a beat lists them.
pub(crate) fn shards(ids: impl IntoIterator<Item = u32>, count: u32, state: &str) -> Value {
    ids.into_iter().map(|id| json!({"id": id, "count": count, "state": state})).collect()
}

/// Milliseconds between two times of a status.
pub(crate) fn millis_between(status: &Value, earlier: &str, later: &str) -> i64 {
    let time = |field: &str| -> i64 {
        let text = status[field].as_str().unwrap_or_else(|| panic!("{field} of {status}"));
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    time(later) - time(earlier)
}
