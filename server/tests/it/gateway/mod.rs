//! The gateway: a real one in front of a backend that a test has the say over.

mod doors;
mod fallback;
mod following;
mod outages;
mod restarts;
mod rights;
mod unchanged;

use guildpulse::config::Config;
use reqwest::Response;

use crate::support::backend::{Backend, TOKEN};
use crate::support::{GUILD, Scene, Viewer};

/// A gateway to this backend.
async fn gateway(backend: &Backend) -> Scene {
    gateway_with(backend, |_| {}).await
}

async fn gateway_with(backend: &Backend, change: impl FnOnce(&mut Config)) -> Scene {
    let url = backend.url().parse().unwrap();
    Scene::with(|config| {
        config.upstream.upstream = Some(url);
        change(config);
    })
    .await
}

fn stream_of(guild: &str) -> String {
    format!("/api/guilds/{guild}/status/stream")
}

fn status_of(guild: &str) -> String {
    format!("/api/guilds/{guild}/status")
}

/// Somebody with this token who watches the guild.
async fn watch_as(gateway: &Scene, guild: &str, token: &str) -> Viewer {
    Viewer::open(&gateway.url(&stream_of(guild)), token).await
}

/// Somebody who watches [`GUILD`], and has been told how it is.
async fn watch(gateway: &Scene) -> Viewer {
    let mut viewer = watch_as(gateway, GUILD, TOKEN).await;
    viewer.status().await;
    viewer
}

async fn get(gateway: &Scene, path: &str, token: &str) -> Response {
    gateway.http.get(gateway.url(path)).bearer_auth(token).send().await.unwrap()
}
