//! Statuses as JSON.

use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use serde_json::{Value, json};

use crate::support::{GUILD, Scene, answer, shards};

#[tokio::test(flavor = "multi_thread")]
async fn a_guild_that_was_never_heard_of_is_unknown() {
    let scene = Scene::start().await;
    let status = scene.status(GUILD).await;
    let fields: Vec<_> = status.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["guildId", "healthy", "reason", "revision", "shard", "since", "state", "version"]);
    assert_eq!((status["state"].as_str(), status["reason"].as_str()), (Some("unknown"), Some("never_seen")));
    assert_eq!((&status["healthy"], &status["version"], &status["shard"]), (&json!(false), &Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_beating_shard_says_everything_in_the_order_of_the_protocol() {
    let scene = Scene::start().await;
    scene.beat(json!({"version": "1.4.2", "shards": shards([0], 16, "ready")})).await;
    let text = scene.get(&format!("/api/guilds/{GUILD}/status")).send().await.unwrap().text().await.unwrap();
    let fields: Vec<_> =
        text.split('"').filter(|field| field.chars().all(char::is_alphabetic) && !field.is_empty()).collect();
    let names = [
        "guildId",
        "healthy",
        "state",
        "online",
        "reason",
        "lastHeartbeat",
        "version",
        "since",
        "shard",
        "id",
        "count",
        "revision",
    ];
    assert_eq!(fields, names, "{text}");
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["shard"], json!({"id": 0, "count": 16}));
    assert_eq!(status["lastHeartbeat"].as_str().map(str::len), Some("2026-11-22T20:07:00.000Z".len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_statuses_come_in_the_order_asked() {
    let scene = Scene::start().await;
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    for path in ["/api/v1/statuses?guilds=3,1,2,1", "/api/statuses?guilds=3%2C1&guilds=2,1"] {
        let (_, statuses) = answer(scene.get(path)).await;
        let ids: Vec<_> = statuses["statuses"].as_array().unwrap().iter().map(|status| status["guildId"].as_str()).collect();
        assert_eq!(ids, [Some("3"), Some("1"), Some("2"), Some("1")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_status_is_304_and_a_changed_one_is_not() {
    let scene = Scene::start().await;
    let ask = || scene.get(&format!("/api/v1/guilds/{GUILD}/status"));
    let first = ask().send().await.unwrap();
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let status: Value = first.json().await.unwrap();
    assert_eq!(tag, format!("W/\"{}-0\"", status["revision"].as_str().unwrap()));
    for known in [tag.clone(), tag.replace("W/", ""), format!("\"x\", {tag}"), "*".into()] {
        let again = ask().header(IF_NONE_MATCH, &known).send().await.unwrap();
        assert_eq!(again.status(), 304, "{known}");
        assert_eq!(again.headers()[ETAG], tag.as_str());
        assert_eq!(again.headers()[CACHE_CONTROL], "private, no-cache");
        assert_eq!(again.headers()[VARY], "Origin");
        assert_eq!(again.text().await.unwrap(), "");
    }
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    let changed = ask().header(IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let tag = changed.headers()[ETAG].to_str().unwrap().to_owned();
    let status: Value = changed.json().await.unwrap();
    let last: jiff::Timestamp = status["lastHeartbeat"].as_str().unwrap().parse().unwrap();
    let steps = last.as_millisecond() / 15_000;
    assert_eq!(tag, format!("W/\"{}-{steps}\"", status["revision"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gets_the_head_of_a_status() {
    let scene = Scene::start().await;
    let url = scene.url(&format!("/api/v1/guilds/{GUILD}/status"));
    let head = scene.http.head(url).bearer_auth(scene.operator()).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert!(head.headers().contains_key(ETAG));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_all_shards_of_all_generations() {
    let scene = Scene::start().await;
    scene
        .beat(json!({"instance": "a", "session": "s", "version": "1", "shards": [
        {"id": 1, "count": 2, "latencyMs": 41.5, "ackAgeMs": 900, "guilds": 2113}]}))
        .await;
    scene.beat(json!({"instance": "b", "shards": shards([0], 4, "identifying")})).await;
    let (_, answer) = answer(scene.get("/api/v1/shards")).await;
    let shards = answer["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    assert_eq!((&shards[0]["shard"], shards[0]["state"].as_str()), (&json!({"id": 1, "count": 2}), Some("online")));
    let instance = &shards[0]["instances"][0];
    let told =
        (&instance["instance"], &instance["session"], &instance["state"], &instance["latencyMs"], &instance["guilds"]);
    assert_eq!(told, (&json!("a"), &json!("s"), &json!("ready"), &json!(41.5), &json!(2113)));
    assert_eq!((shards[1]["state"].as_str(), shards[1]["reason"].as_str()), (Some("offline"), Some("starting")));
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_that_the_server_is_alive_and_ready() {
    let scene = Scene::start().await;
    for path in ["/healthz", "/readyz"] {
        for addr in [scene.addr, scene.admin] {
            assert_eq!(scene.http.get(format!("http://{addr}{path}")).send().await.unwrap().status(), 200);
        }
    }
    let page = scene.http.get(scene.url("/")).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.text().await.unwrap().contains("guildpulse"));
}
