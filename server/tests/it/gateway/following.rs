//! How often the backend is asked, and with whose token.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use guildpulse::config::Secret;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{gateway, gateway_with, get, status_of, stream_of, watch, watch_as};
use crate::support::backend::{Answer, Asked, Backend, TOKEN, healthy, unhealthy};
use crate::support::{GUILD, SOON, Scene, Viewer, eventually, eventually_within};

/// Whose token the last stream was asked for with.
fn voice(backend: &Backend) -> String {
    let asked = backend.asked().into_iter().rfind(|asked: &Asked| asked.target.ends_with("/stream")).unwrap();
    asked.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned()
}

/// A gateway that asks with this token.
async fn gateway_with_token(backend: &Backend, token: &str) -> Scene {
    gateway_with(backend, |config| config.upstream.upstream_token = Some(Secret::new(token))).await
}

#[tokio::test]
async fn all_viewers_of_a_guild_are_one_stream_of_the_backend() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewers: Vec<Viewer> = join_all((0..1000).map(|_| watch_as(&gateway, GUILD, TOKEN))).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    for viewer in &mut viewers {
        assert_eq!(viewer.status().await["state"], "online");
    }
    backend.says(unhealthy());
    for viewer in &mut viewers {
        assert_eq!(viewer.status().await["state"], "offline");
    }
    assert_eq!(backend.counts(), (1, 1));
    assert_eq!(gateway.metric("guildpulse_upstream_streams").await, 1);
}

#[tokio::test]
async fn viewers_of_a_hundred_guilds_are_a_hundred_streams() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let guild = |number: u64| (1 + number % 100).to_string();
    let mut viewers: Vec<Viewer> =
        join_all((0..1000).map(async |number| watch_as(&gateway, &guild(number), TOKEN).await)).await;
    eventually("the streams are open", async || backend.streams() == 100).await;
    backend.says(unhealthy());
    for viewer in &mut viewers {
        viewer.until("offline").await;
    }
    assert_eq!(backend.counts(), (100, 100));
    let targets: HashSet<_> = backend.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets.len(), 200);
}

#[tokio::test]
async fn one_stream_of_many_guilds_follows_each_of_them() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let url = gateway.url("/api/v1/streams?guilds=1,2,3,2");
    let mut viewer = Viewer::open(&url, TOKEN).await;
    let mut guilds = Vec::new();
    for _ in 0..3 {
        guilds.push(viewer.status().await["guildId"].as_str().unwrap().to_owned());
    }
    assert_eq!(guilds, ["1", "2", "3"]);
    eventually("the streams are open", async || backend.streams() == 3).await;
    backend.says(unhealthy());
    let mut told = HashSet::new();
    while told.len() < 3 {
        told.insert(viewer.until("offline").await["guildId"].as_str().unwrap().to_owned());
    }
    drop(viewer);
    eventually("nobody is there", async || gateway.metric("guildpulse_viewers").await == 0).await;
}

#[tokio::test]
async fn the_token_of_the_configuration_asks_for_all_if_there_is_one() {
    let backend = Backend::start().await;
    backend.lets("a-service-token", 200);
    let gateway = gateway_with_token(&backend, "a-service-token").await;
    let first = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    assert_eq!(voice(&backend), "a-service-token");
    drop(first);
    watch(&gateway).await;
    assert_eq!(backend.counts().0, 1, "it goes on whoever comes and leaves");
}

#[tokio::test]
async fn a_token_of_the_configuration_that_the_backend_does_not_take_is_not_made_up_for_by_those_of_viewers() {
    let backend = Backend::start().await;
    let gateway = gateway_with_token(&backend, "not-a-token").await;
    let mut viewer = watch(&gateway).await;
    let status = viewer.until_within("unknown", Duration::from_secs(15)).await;
    assert_eq!(status["reason"], "upstream_unreachable");
    assert_eq!(voice(&backend), "not-a-token");
    // It is not asked again and again.
    let (streams, statuses) = backend.counts();
    assert!(streams <= 2 && statuses <= 3, "{streams} {statuses}");
}

#[tokio::test]
async fn a_backend_that_puts_off_the_token_of_the_configuration_is_left_alone_however_many_watch() {
    let backend = Backend::start().await;
    backend.lets("a-service-token", 200);
    let gateway = gateway_with_token(&backend, "a-service-token").await;
    let mut viewers = Vec::new();
    for token in ["first", "second", "third"] {
        backend.lets(token, 200);
        viewers.push(watch_as(&gateway, GUILD, token).await);
    }
    eventually("the stream is open", async || backend.streams() == 1).await;
    let before = backend.counts();
    backend.lets("a-service-token", 429);
    backend.end_streams();
    viewers[0].until_within("unknown", Duration::from_secs(15)).await;
    let after = backend.counts();
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
}

#[tokio::test]
async fn without_one_the_token_of_who_is_there_asks_and_moves_on_when_they_leave() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    for token in ["first", "second"] {
        backend.lets(token, 200);
    }
    let first = watch_as(&gateway, GUILD, "first").await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let mut second = watch_as(&gateway, GUILD, "second").await;
    second.status().await;
    assert_eq!((voice(&backend), backend.counts().0), ("first".into(), 1));
    drop(first);
    eventually("it has moved on", async || backend.counts().0 == 2).await;
    eventually("only one is open", async || backend.streams() == 1).await;
    assert_eq!(voice(&backend), "second");
    backend.says(unhealthy());
    assert_eq!(second.status().await["state"], "offline");
    // With the last one gone, what is open stays for a while, and is not opened again.
    drop(second);
    eventually("nobody is there", async || gateway.metric("guildpulse_viewers").await == 0).await;
    backend.says(healthy());
    assert_eq!((backend.streams(), gateway.metric("guildpulse_upstream_guilds").await), (1, 1));
}

#[tokio::test]
async fn who_asks_after_the_last_viewer_has_left_is_told_what_is_true_now() {
    let backend = Backend::start().await;
    backend.answers_streams(Some(Answer::of(404, "")));
    backend.lets("comes", 200);
    let gateway = gateway(&backend).await;
    let viewer = watch(&gateway).await;
    drop(viewer);
    // Without a stream nothing would be heard of the guild.
    eventually("it is not followed", async || gateway.metric("guildpulse_upstream_guilds").await == 0).await;
    backend.says(unhealthy());
    let status: serde_json::Value = get(&gateway, &status_of(GUILD), "comes").await.json().await.unwrap();
    assert_eq!(status["state"], "offline");
    let mut comes = watch_as(&gateway, GUILD, "comes").await;
    assert_eq!(comes.status().await["state"], "offline");
    backend.says(healthy());
    comes.until("online").await;
}

#[tokio::test]
async fn a_stream_is_kept_for_half_a_minute_after_the_last_viewer_has_left() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    // Whoever comes back in time begins it anew.
    for (pause, streams) in [(0, 2), (5, 3)] {
        drop(viewer);
        eventually("nobody is there", async || gateway.metric("guildpulse_viewers").await == 0).await;
        sleep(Duration::from_secs(pause)).await;
        viewer = watch(&gateway).await;
        eventually("it is opened with the token of who has come", async || backend.counts().0 == streams).await;
        eventually("the one before is closed", async || backend.streams() == 1).await;
    }
    drop(viewer);
    let since = Instant::now();
    eventually_within(Duration::from_secs(35), "it is closed", async || backend.streams() == 0).await;
    assert!(since.elapsed() > Duration::from_secs(29), "{:?}", since.elapsed());
    assert_eq!(gateway.metric("guildpulse_upstream_guilds").await, 0);
    backend.says(unhealthy());
    let status: serde_json::Value = get(&gateway, &status_of(GUILD), TOKEN).await.json().await.unwrap();
    assert_eq!(status["state"], "offline");
}

#[tokio::test]
async fn who_may_have_no_more_streams_has_no_guild_followed() {
    let backend = Backend::start().await;
    let gateway = gateway_with(&backend, |config| config.limits.max_viewers_per_principal = Some(1)).await;
    let _viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    assert_eq!(get(&gateway, &stream_of("1"), TOKEN).await.status(), 429);
    assert_eq!((gateway.metric("guildpulse_upstream_guilds").await, backend.counts().0), (1, 1));
}

#[tokio::test]
async fn what_differs_from_user_to_user_is_followed_for_each_token_and_told_to_nobody_else() {
    let backend = Backend::start().await;
    for (token, version) in [("first", "1"), ("second", "2")] {
        backend.lets(token, 200);
        backend.says_to(token, json!({"healthy": true, "version": version, "secret": token}));
    }
    let gateway = gateway_with(&backend, |config| config.upstream.per_viewer = true).await;
    let mut viewers = Vec::new();
    for token in ["first", "second", "first"] {
        let mut viewer = watch_as(&gateway, GUILD, token).await;
        let status = viewer.status().await;
        assert_eq!((&status["guildId"], &status["secret"]), (&json!(GUILD), &json!(token)));
        viewers.push((token, viewer));
    }
    eventually("a stream is open for each token", async || backend.streams() == 2).await;
    backend.says_to("first", json!({"healthy": false, "version": "1", "secret": "first"}));
    backend.says_to("second", json!({"healthy": true, "version": "3", "secret": "second"}));
    for (token, viewer) in &mut viewers {
        let status = viewer.status().await;
        assert_eq!((&status["secret"], &status["healthy"]), (&json!(token), &json!(*token == "second")));
        let asked: serde_json::Value = get(&gateway, &status_of(GUILD), token).await.json().await.unwrap();
        assert_eq!((&asked["secret"], &asked["revision"]), (&json!(token), &status["revision"]));
    }
    // Who has lost the right is out, and nobody else.
    backend.lets("first", 403);
    backend.end_streams();
    let (_, mut stays) = viewers.swap_remove(1);
    for (_, mut leaves) in viewers {
        let end = leaves.event_by(Instant::now() + SOON).await.unwrap();
        assert_eq!((&*end.kind, &end.json()["reason"]), ("goodbye", &json!("revoked")));
    }
    eventually("the other is followed on", async || backend.streams() == 1).await;
    backend.says_to("second", json!({"healthy": false, "version": "3", "secret": "second"}));
    assert_eq!(stays.until("offline").await["secret"], "second");
}
