//! What a backend says and how it comes out.

use serde_json::{Value, json};

use super::{gateway, gateway_with, get, status_of, watch};
use crate::support::backend::{Backend, TOKEN, healthy, unhealthy};
use crate::support::{GUILD, Scene, answer, eventually, shards};

#[tokio::test]
async fn a_backend_with_words_of_its_own_works_by_configuration_alone() {
    let backend = Backend::start().await;
    let payload =
        |healthy: bool, time: &str| json!({"bot": {"last_heartbeat": time, "version": "1.4.2"}, "bot_healthy": healthy});
    backend.says(payload(true, "2026-11-22T20:07:00Z"));
    let gateway = gateway_with(&backend, |config| {
        config.upstream.pointers.healthy = "/bot_healthy".parse().unwrap();
        config.upstream.pointers.last_heartbeat = "/bot/last_heartbeat".parse().unwrap();
        config.upstream.pointers.version = "/bot/version".parse().unwrap();
    })
    .await;
    let status: Value = get(&gateway, &status_of(GUILD), TOKEN).await.json().await.unwrap();
    let ours =
        ["guildId", "healthy", "state", "reason", "lastHeartbeat", "version", "shard"].map(|name| status[name].clone());
    let expected = [
        json!(GUILD),
        json!(true),
        json!("online"),
        json!(null),
        json!("2026-11-22T20:07:00.000Z"),
        json!("1.4.2"),
        json!(null),
    ];
    assert_eq!(ours, expected);
    assert_eq!(
        (&status["bot"]["version"], &status["bot_healthy"]),
        (&json!("1.4.2"), &json!(true)),
        "its own fields survive"
    );

    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    // A fresh heartbeat alone is no news; the next change has it.
    backend.says(payload(true, "2026-11-22T20:07:02Z"));
    backend.says(payload(false, "2026-11-22T20:07:04Z"));
    let status = viewer.status().await;
    assert_eq!((&status["state"], &status["reason"]), (&json!("offline"), &json!("heartbeat_timeout")));
    assert_eq!(status["lastHeartbeat"], "2026-11-22T20:07:04.000Z");
}

#[tokio::test]
async fn an_event_that_is_no_status_of_the_guild_passes_over_and_is_counted() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    backend.push(
        "data: hello\n\ndata: {\"healthy\":1}\n\nevent: ping\ndata: {}\n\ndata: {\"healthy\":false,\"guildId\":\"1\"}\n\n",
    );
    backend.push("event: hello\ndata: {\"protocol\":\"mine\"}\n\nevent: goodbye\ndata: \"see you\"\n\n");
    backend.says(unhealthy());
    assert_eq!(viewer.status().await["state"], "offline");
    assert_eq!(gateway.metric("guildpulse_upstream_passed_over_total").await, 6);
    // A status counts whatever its event is called.
    backend.push(&format!("event: update\ndata: {}\n\n", healthy()));
    assert_eq!(viewer.status().await["state"], "online");
}

#[tokio::test]
async fn an_answer_is_304_until_the_status_changes() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let first = get(&gateway, &status_of(GUILD), TOKEN).await;
    let tag = first.headers()["etag"].clone();
    let again = async || {
        let request = gateway.http.get(gateway.url(&status_of(GUILD))).bearer_auth(TOKEN).header("if-none-match", &tag);
        request.send().await.unwrap().status()
    };
    assert_eq!(again().await, 304);
    let _viewer = watch(&gateway).await;
    assert_eq!(again().await, 304);
    eventually("the stream is open", async || backend.streams() == 1).await;
    backend.says(unhealthy());
    eventually("it is news", async || again().await == 200).await;
}

#[tokio::test]
async fn in_front_of_another_guildpulse_everything_but_the_revision_comes_out_as_it_is() {
    let behind = Scene::start().await;
    let url = behind.url("").parse().unwrap();
    let front = Scene::with(|config| config.upstream.upstream = Some(url)).await;
    behind.beat(json!({"version": "1.4.2", "shards": shards([0], 1, "ready")})).await;
    let token = behind.viewer(&[GUILD]);
    let mut near = crate::support::Viewer::open(&behind.url(&super::stream_of(GUILD)), &token).await;
    let mut far = super::watch_as(&front, GUILD, &token).await;
    let same = |mut near: Value, mut far: Value| {
        for status in [&mut near, &mut far] {
            // A repeated status may be newer on one side.
            for name in ["revision", "lastHeartbeat"] {
                status.as_object_mut().unwrap().remove(name);
            }
        }
        assert_eq!(near, far);
    };
    same(near.status().await, far.status().await);
    eventually("the stream is open", async || behind.metric("guildpulse_viewers").await == 2).await;
    behind.goodbye(json!({"reason": "update", "expectedBackMs": 60_000})).await;
    same(near.until("maintenance").await, far.until("maintenance").await);
    let foreign = answer(front.http.get(front.url(&status_of("1"))).bearer_auth(&token)).await;
    let expected = answer(behind.http.get(behind.url(&status_of("1"))).bearer_auth(&token)).await;
    assert_eq!(foreign, expected);
}
