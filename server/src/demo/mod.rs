//! `serve --demo`: a simulated bot, which beats over HTTP like any other.
//!
//! What the bot does is decided in `bot` and `scenes`, which are pure; here it is sent. Nothing
//! of the server knows that this bot is not one.

mod bot;
mod scenes;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Secret;
use crate::wire::GuildId;

use bot::{Bot, Letter};
pub use scenes::Scene;

/// How long an answer may take, as for any bot.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The guild that the page shows: on shard 3, of 16 and of 32.
const GUILD: u64 = 290_926_798_643_134_466;

/// The guild that is worth watching.
///
/// # Panics
///
/// Never: it is one.
pub fn guild() -> GuildId {
    GuildId::new(GUILD).expect("it is not zero")
}

/// The simulated bot, to be run.
#[derive(Debug)]
pub struct Demo {
    http: Client,
    server: SocketAddr,
    token: Secret,
    clock: Clock,
    presses: mpsc::Receiver<Press>,
}

/// What makes things happen to it.
#[derive(Debug, Clone)]
pub struct Remote(mpsc::Sender<Press>);

#[derive(Debug)]
struct Press {
    scene: Scene,
    /// Is told the version that the bot runs when all is done.
    version: oneshot::Sender<String>,
}

impl Remote {
    /// Lets this happen now; returns the version that the bot runs when all is done. Waits until the
    /// bot has taken it, which takes no time; if the bot has ended, nothing happens any more.
    pub async fn press(&self, scene: Scene) -> Option<String> {
        let (version, told) = oneshot::channel();
        self.0.send(Press { scene, version }).await.ok()?;
        told.await.ok()
    }
}

impl Demo {
    /// A bot for the server that is found there, and what makes things happen to it.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be had.
    pub fn new(server: SocketAddr, token: Secret, clock: Clock) -> io::Result<(Self, Remote)> {
        // Another part of the process may have installed it before; either is the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = Client::builder().timeout(PATIENCE).no_proxy().build().map_err(io::Error::other)?;
        // One place: who comes second waits until the first has been taken.
        let (remote, presses) = mpsc::channel(1);
        Ok((Self { http, server, token, clock, presses }, Remote(remote)))
    }

    /// Beats until the server is stopping.
    pub async fn run(mut self, stopping: CancellationToken) {
        let start = self.clock.monotonic();
        let mut bot = Bot::new(Duration::ZERO);
        loop {
            let now = self.clock.monotonic().saturating_sub(start);
            let letters = tokio::select! {
                () = stopping.cancelled() => return,
                Some(Press { scene, version }) = self.presses.recv() => {
                    tracing::info!(?scene, "the demo was asked for a scene");
                    let letters = bot.press(scene, self.clock.monotonic().saturating_sub(start));
                    // Who has asked may be gone.
                    version.send(bot.version()).ok();
                    letters
                }
                () = tokio::time::sleep(bot.next().saturating_sub(now)) => {
                    bot.advance(self.clock.monotonic().saturating_sub(start))
                }
            };
            for letter in &letters {
                self.send(letter).await;
            }
        }
    }

    async fn send(&self, letter: &Letter) {
        let path = match letter {
            Letter::Beat(_) => "heartbeats",
            Letter::Goodbye(_) => "goodbye",
        };
        let url = format!("http://{}/api/v1/{path}", self.server);
        let sent = self.http.post(url).bearer_auth(self.token.reveal()).json(letter).send().await;
        if let Err(error) = sent.and_then(reqwest::Response::error_for_status) {
            tracing::warn!(%error, "a beat of the demo did not get through");
        }
    }
}
