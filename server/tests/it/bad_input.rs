//! Bad input answers its problem, names the field, and changes nothing.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{BOT_TOKEN, GUILD, Scene, answer, shards};

async fn post(scene: &Scene, path: &str, body: impl Into<reqwest::Body>) -> Value {
    let request = scene.http.post(scene.url(path)).bearer_auth(BOT_TOKEN).header(CONTENT_TYPE, "application/json");
    let (status, problem) = answer(request.body(body)).await;
    assert_eq!(problem["status"], status.as_u16(), "{problem}");
    problem
}

/// What must be the same before and after.
async fn everything(scene: &Scene) -> Value {
    let (_, mut shards) = answer(scene.get("/api/v1/shards")).await;
    shards.as_object_mut().unwrap().insert("status".into(), scene.status(GUILD).await);
    shards
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_beat_names_the_field_and_changes_nothing() {
    let scene = Scene::start().await;
    scene
        .beat(json!({"session": "s", "seq": 1, "intervalMs": 60000, "version": "1", "shards": shards([0], 1, "ready")}))
        .await;
    let before = everything(&scene).await;
    let shard = |rest: &str| format!(r#"{{"shards":[{{"id":0,"count":1,"state":"fatal"}},{rest}]}}"#);
    let field = |rest: &str| format!(r#"{{"shards":[{{"id":0,"count":1,"state":"fatal"}}],{rest}}}"#);
    for (body, pointer) in [
        ("{".to_owned(), ""),
        (String::new(), ""),
        (shard(r#"{"id":1,"count":1}"#), "/shards/1/id"),
        (shard(r#"{"id":0,"count":0}"#), "/shards/1/count"),
        (shard(r#"{"id":"0","count":2}"#), "/shards/1/id"),
        (shard(r#"{"id":0,"count":2.5}"#), "/shards/1/count"),
        (shard(r#"{"id":0,"count":2,"latencyMs":NaN}"#), "/shards/1/latencyMs"),
        (shard(r#"{"id":0,"count":2,"latencyMs":1e400}"#), "/shards/1/latencyMs"),
        (field(r#""unavailable":[0]"#), "/unavailable/0"),
        (field(r#""unavailable":["+5"]"#), "/unavailable/0"),
        (field(r#""unavailable":["1","007"]"#), "/unavailable/1"),
        (field(r#""unavailable":[18446744073709551616]"#), "/unavailable/0"),
        (field(r#""available":["18446744073709551616"]"#), "/available/0"),
        (field(r#""available":["12a"]"#), "/available/0"),
        (field(r#""version":7"#), "/version"),
        (field(r#""seq":"2""#), "/seq"),
        (field(r#""intervalMs":0"#), "/intervalMs"),
    ] {
        let problem = post(&scene, "/api/v1/heartbeats", body.clone()).await;
        assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(400), Some("invalid_heartbeat")), "{body}");
        assert_eq!(problem["pointer"], pointer, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    assert_eq!(everything(&scene).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beat_of_more_shards_than_there_may_be_is_refused_whole() {
    let scene = Scene::start().await;
    for round in 0..25 {
        scene.beat(json!({"shards": shards(round * 4000..(round + 1) * 4000, 1_000_000, "ready")})).await;
    }
    let one_more = json!({"shards": shards([99_999, 100_000], 1_000_000, "fatal")});
    let problem = post(&scene, "/api/v1/heartbeats", one_more.to_string()).await;
    assert_eq!((problem["code"].as_str(), problem["pointer"].as_str()), (Some("invalid_heartbeat"), Some("/shards")));
    let known = 99_999_u64 << 22;
    assert_eq!(scene.status(&known.to_string()).await["state"], "online", "half of a beat is not applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_goodbye_names_the_field_and_changes_nothing() {
    let scene = Scene::start().await;
    scene.beat(json!({"intervalMs": 60000, "shards": shards([0], 1, "ready")})).await;
    let before = everything(&scene).await;
    for (body, pointer) in [
        ("x", ""),
        (r#"{"shards":[{"id":1,"count":1}]}"#, "/shards/0/id"),
        (r#"{"expectedBackMs":86400001}"#, "/expectedBackMs"),
        (r#"{"expectedBackMs":"60000"}"#, "/expectedBackMs"),
        (r#"{"session":1}"#, "/session"),
    ] {
        let problem = post(&scene, "/api/v1/goodbye", body).await;
        assert_eq!(
            (problem["status"].as_u64(), problem["pointer"].as_str()),
            (Some(400), Some(pointer)),
            "{body}: {problem}"
        );
    }
    assert_eq!(everything(&scene).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_more_than_2_mib_is_413_and_2_mib_are_read() {
    let scene = Scene::start().await;
    let body = |bytes: usize| {
        let beat = json!({"shards": shards([0], 1, "ready")}).to_string();
        format!("{beat}{}", " ".repeat(bytes - beat.len()))
    };
    let problem = post(&scene, "/api/v1/heartbeats", body(2 * 1024 * 1024 + 1)).await;
    assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(413), Some("body_too_large")));
    let problem = post(&scene, "/api/v1/heartbeats", body(12 * 1024 * 1024)).await;
    assert_eq!(problem["status"], 413, "also for a client that sends it all before it reads");
    assert_eq!(scene.status(GUILD).await["reason"], "never_seen");
    let request = scene.post("/api/v1/heartbeats", &Value::Null).body(body(2 * 1024 * 1024));
    assert_eq!(answer(request).await.0, 200);
    assert_eq!(scene.status(GUILD).await["state"], "online");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_read() {
    let scene = Scene::start().await;
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        let request = scene.http.post(scene.url("/api/v1/heartbeats")).bearer_auth(BOT_TOKEN);
        let request = kind.into_iter().fold(request, |request, kind| request.header(CONTENT_TYPE, kind));
        let (status, problem) = answer(request.body(r#"{"shards":[{"id":0,"count":1}]}"#)).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (415, Some("unsupported_media_type")), "{kind:?}");
    }
    let request = scene.http.post(scene.url("/api/v1/heartbeats")).bearer_auth(BOT_TOKEN);
    let request = request.header(CONTENT_TYPE, "Application/JSON; charset=utf-8");
    assert_eq!(answer(request.body(r#"{"shards":[{"id":0,"count":1}]}"#)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_guild_id_is_refused_on_every_route() {
    let scene = Scene::start().await;
    for id in ["0", "007", "+5", "-1", "12a", "1.0", "18446744073709551616", "%20", "%ff", "1e3"] {
        for path in [
            "/api/v1/guilds/ID/status",
            "/api/v1/guilds/ID/status/stream",
            "/api/guilds/ID/status",
            "/api/guilds/ID/status/stream",
        ] {
            let (status, problem) = answer(scene.get(&path.replace("ID", id))).await;
            assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid_guild_id")), "{path} {id}");
        }
        for path in ["/api/v1/statuses?guilds=1,", "/api/v1/streams?guilds=1,", "/api/statuses?guilds=1,"] {
            let (status, problem) = answer(scene.get(&format!("{path}{}", id.replace('+', "%2B")))).await;
            assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid_guild_id")), "{path}{id}");
            assert!(problem["detail"].as_str().unwrap().contains("guild 2 of the list"), "{problem}");
        }
    }
    for query in ["", "?guilds=", "?guild=1", "?guilds=1,,2"] {
        let (status, problem) = answer(scene.get(&format!("/api/v1/statuses{query}"))).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid_guild_id")), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_guilds_at_once_are_answered_and_101_are_not() {
    let scene = Scene::start().await;
    let list = |number: u64| (1..=number).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let (status, statuses) = answer(scene.get(&format!("/api/v1/statuses?guilds={}", list(100)))).await;
    assert_eq!((status.as_u16(), statuses["statuses"].as_array().map(Vec::len)), (200, Some(100)));
    for path in ["/api/v1/statuses", "/api/v1/streams", "/api/streams"] {
        let (status, problem) = answer(scene.get(&format!("{path}?guilds={}", list(101)))).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("too_many_guilds")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_as_problems() {
    let scene = Scene::start().await;
    for path in ["/api/v1/nothing", "/api/v1/guilds/1", "/favicon.ico"] {
        let (status, problem) = answer(scene.get(path)).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    for (method, path, allow) in [
        ("DELETE", "/api/v1/guilds/1/status", "GET,HEAD"),
        ("GET", "/api/v1/heartbeats", "POST"),
        ("PUT", "/api/v1/goodbye", "POST"),
    ] {
        let request = scene.http.request(method.parse().unwrap(), scene.url(path)).send().await.unwrap();
        assert_eq!(
            (request.status().as_u16(), request.headers()["allow"].to_str().unwrap()),
            (405, allow),
            "{method} {path}"
        );
        assert_eq!(request.json::<Value>().await.unwrap()["code"], "method_not_allowed");
    }
}
