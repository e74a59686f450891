//! A real server on a port of its own, and tokens for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use guildpulse::config::{Config, Secret};
use guildpulse::server::Server;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A guild whose shard is 2 of 16.
pub(crate) const GUILD: &str = "81384788765712384";
/// Another, whose shard is 9 of 16.
pub(crate) const OTHER_GUILD: &str = "80351110224678912";
/// The token of the bot.
pub(crate) const BOT: &str = "bot-token-of-the-contract-tests";
/// 2100-01-01, in Unix seconds.
pub(crate) const LATE: u64 = 4_102_444_800;
/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const JWT_SECRET: &str = "a secret of the contract tests, 32 bytes or more";

/// A server that runs until it is dropped or stopped.
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    pub(crate) client: reqwest::Client,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _data: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = config(&data);
        change(&mut config);
        let server = Server::bind(config).await.unwrap();
        let (addr, stop, mut tasks) = (server.addr(), CancellationToken::new(), JoinSet::new());
        tasks.spawn(server.run(stop.clone().cancelled_owned()));
        // reqwest is built without a default TLS provider; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { addr, client, stop, tasks, _data: data }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Sends a beat and waits for its answer.
    pub(crate) async fn beat(&self, body: &Value) -> Value {
        let request = self.client.post(self.url("/api/v1/heartbeats")).bearer_auth(BOT).json(body);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Asks the server to stop, and does not wait for it.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(mut self) {
        self.stop.cancel();
        let joined = tokio::time::timeout(PATIENCE, self.tasks.join_next()).await.expect("the server stops in time");
        joined.expect("the server runs in a task").expect("the server does not panic");
    }
}

/// The settings of a test server whose data is in that folder.
pub(crate) fn config(data: &TempDir) -> Config {
    Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: data.path().to_owned(),
        bot_token: Some(Secret::new(BOT)),
        jwt_secret: Some(Secret::new(JWT_SECRET)),
        ..Config::default()
    }
}

/// A token with these claims, signed as the server wants it.
pub(crate) fn token(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

/// A token for these guilds.
pub(crate) fn viewer(guilds: impl Into<Value>) -> String {
    token(&json!({ "sub": "viewer", "exp": LATE, "guilds": guilds.into() }))
}

/// A token for everything.
pub(crate) fn operator() -> String {
    token(&json!({ "sub": "operator", "exp": LATE, "role": "operator" }))
}
