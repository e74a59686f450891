//! The stream: exact bytes, whole statuses, and its end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::browser::Event;
use crate::support::raw::Raw;
use crate::support::{BOT_TOKEN, GUILD, SOON, Scene, Viewer, in_an_hour, shards, token};

fn request(scene: &Scene, line: &str) -> String {
    format!(
        "{line}\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\r\n",
        scene.addr,
        scene.operator()
    )
}

/// The head of a response in lower case, without its date.
fn head(text: &str) -> Vec<String> {
    let lines = text.trim_end().lines().map(str::to_lowercase);
    let mut lines: Vec<_> = lines.filter(|line| !line.starts_with("date:")).collect();
    lines[1..].sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_first_snapshot_are_sent_at_once_byte_for_byte() {
    let scene = Scene::start().await;
    scene.beat(json!({"version": "1.4.2", "shards": shards([0], 1, "ready")})).await;
    let status = scene.get(&format!("/api/v1/guilds/{GUILD}/status")).send().await.unwrap().text().await.unwrap();
    let mut raw =
        Raw::send(scene.addr, &request(&scene, &format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1"))).await;
    let expected = [
        "http/1.1 200 ok",
        "cache-control: no-cache, no-transform",
        "connection: keep-alive",
        "content-type: text/event-stream",
        "transfer-encoding: chunked",
        "vary: origin",
        "x-accel-buffering: no",
    ];
    assert_eq!(head(&raw.until("\r\n\r\n").await), expected);

    let size = usize::from_str_radix(raw.until("\r\n").await.trim(), 16).unwrap();
    let chunk = raw.until("\n\n\r\n").await;
    // The three blocks end alike; the chunk is whole when its announced size is there.
    let mut chunk = chunk;
    while chunk.len() < size + 2 {
        chunk += &raw.until("\n").await;
    }
    let body = chunk.strip_suffix("\r\n").unwrap();
    assert_eq!(body.len(), size);
    let blocks: Vec<_> = body.split_inclusive("\n\n").collect();
    assert_eq!(blocks.len(), 3, "{body}");
    let retry: u64 = blocks[0].strip_prefix("retry: ").unwrap().trim_end().parse().unwrap();
    assert!((1000..=5000).contains(&retry), "{retry}");
    let hello: Value = serde_json::from_str(blocks[1].strip_prefix("event: hello\ndata: ").unwrap().trim_end()).unwrap();
    assert_eq!(
        (&hello["protocol"], &hello["snapshotIntervalMs"], &hello["retryMs"]),
        (&json!(1), &json!(15_000), &json!(retry))
    );
    let revision = serde_json::from_str::<Value>(&status).unwrap()["revision"].as_str().unwrap().to_owned();
    assert!(revision.starts_with(&format!("{}.", hello["boot"])), "{revision} {hello}");
    assert_eq!(blocks[2], format!("id: {revision}\ndata: {status}\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_gets_the_same_bytes_without_chunks() {
    let scene = Scene::start().await;
    let mut raw = Raw::send(scene.addr, &request(&scene, &format!("GET /api/guilds/{GUILD}/status/stream HTTP/1.0"))).await;
    let head = head(&raw.until("\r\n\r\n").await);
    assert_eq!(head[0], "http/1.0 200 ok");
    assert!(!head.iter().any(|line| line.starts_with("transfer-encoding") || line.contains("keep-alive")), "{head:?}");
    assert!(raw.until("\n\n").await.starts_with("retry: "));
    assert!(raw.until("\n\n").await.starts_with("event: hello\ndata: {"));
    assert!(raw.until("\n\n").await.starts_with("id: "));
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    assert!(raw.until("\n\n").await.contains(r#""state":"online""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gets_the_head_of_a_stream_and_the_connection_goes_on() {
    let scene = Scene::start().await;
    let line = format!("HEAD /api/v1/guilds/{GUILD}/status/stream HTTP/1.1");
    let mut raw = Raw::send(scene.addr, &(request(&scene, &line) + &request(&scene, "GET /healthz HTTP/1.1"))).await;
    let head = head(&raw.until("\r\n\r\n").await);
    assert!(head.contains(&"content-type: text/event-stream".into()), "{head:?}");
    assert!(raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(raw.until("\n").await, "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_event_id_of_any_kind_gets_the_newest_snapshot() {
    let scene = Scene::start().await;
    for id in ["1795378677.4711", "0", "garbage", "99999999999999999999999.1", "", "\u{1f600}"] {
        let request =
            scene.http.get(scene.url(&format!("/api/v1/guilds/{GUILD}/status/stream"))).bearer_auth(scene.operator());
        let mut viewer = Viewer::of(request.header("last-event-id", id.as_bytes()).send().await.unwrap());
        assert_eq!(viewer.event().await.kind, "hello", "{id}");
        assert_eq!(viewer.status().await, scene.status(GUILD).await, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn line_breaks_in_a_version_cannot_break_a_frame() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.status().await;
    let version = "1\r\n\r\ndata: {\"healthy\":false}\n\nevent: goodbye\n\u{2028}\0\u{85}";
    scene.beat(json!({"version": version, "shards": shards([0], 1, "ready")})).await;
    let status = viewer.status().await;
    assert_eq!(status["version"], version);
    assert_eq!(status["healthy"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_carries_many_guilds_each_with_its_own_status() {
    let scene = Scene::start().await;
    let guild = |class: u64| ((class << 22) + 7).to_string();
    let guilds: Vec<_> = (0..99).map(guild).collect();
    let mut viewer =
        Viewer::open(&scene.url(&format!("/api/v1/streams?guilds={},{}", guilds.join(","), guilds[0])), &scene.operator())
            .await;
    for guild in &guilds {
        assert_eq!(viewer.status().await["guildId"], **guild, "the snapshot, in the order asked, each once");
    }
    scene.beat(json!({"shards": shards(0..4, 4, "ready")})).await;
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < 99 {
        let status = viewer.until("online").await;
        assert_eq!(
            status["shard"]["id"].as_u64(),
            Some(((status["guildId"].as_str().unwrap().parse::<u64>().unwrap()) >> 22) % 4)
        );
        seen.push(status["guildId"].as_str().unwrap().to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 99);
    scene.goodbye(json!({"shards": shards([2], 4, "ready")})).await;
    for _ in (0..99).filter(|class| class % 4 == 2) {
        assert_eq!(viewer.until("offline").await["shard"]["id"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_knows_onmessage_always_holds_a_whole_status_and_is_never_silent_for_45_s() {
    let scene = Scene::start().await;
    // Beats so rarely that nothing happens on the stream by itself.
    scene.beat(json!({"version": "1", "intervalMs": 60_000, "shards": shards([0], 1, "ready")})).await;
    let mut viewer = scene.watch(GUILD).await;
    let (opened, mut last) = (Instant::now(), Instant::now());
    let mut statuses = 0;
    while opened.elapsed() < Duration::from_secs(50) {
        let status = viewer.status_within(Duration::from_secs(16)).await;
        assert!(statuses == 0 || last.elapsed() <= Duration::from_secs(15), "a status was {:?} late", last.elapsed());
        last = Instant::now();
        statuses += 1;
        assert_eq!((status["guildId"].as_str(), status["state"].as_str()), (Some(GUILD), Some("online")));
        assert_eq!(status.as_object().map(serde_json::Map::len), Some(9), "every field of it: {status}");
    }
    assert!(statuses >= 4, "{statuses} statuses on one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_carries_a_fresh_last_heartbeat() {
    let scene = Scene::start().await;
    let beat = json!({"shards": shards([0], 1, "ready")});
    scene.beat(beat.clone()).await;
    let mut viewer = scene.watch(GUILD).await;
    let first = viewer.status().await;
    let beating = async {
        let mut due = tokio::time::interval(Duration::from_secs(2));
        loop {
            due.tick().await;
            scene.beat(beat.clone()).await;
        }
    };
    let second = tokio::select! {
        () = beating => unreachable!("it beats for ever"),
        status = viewer.status_within(Duration::from_secs(16)) => status,
    };
    assert!(second["lastHeartbeat"].as_str() > first["lastHeartbeat"].as_str());
    assert_eq!((&second["revision"], &second["since"]), (&first["revision"], &first["since"]), "no transition");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_and_says_so() {
    let scene = Scene::start().await;
    let exp = in_an_hour() - 3600 + 1;
    let token = token(&json!({"sub": "x", "guilds": [GUILD], "exp": exp}));
    let mut viewer = Viewer::open(&scene.url(&format!("/api/v1/guilds/{GUILD}/status/stream")), &token).await;
    let deadline = Instant::now() + Duration::from_secs(8);
    let goodbye = loop {
        let event = viewer.event_by(deadline).await.expect("a goodbye before the end");
        if event.kind == "goodbye" {
            break event.json();
        }
    };
    assert_eq!(goodbye["reason"], "expired");
    assert!(goodbye["retryAfterMs"].as_u64().is_some_and(|ms| (1000..=5000).contains(&ms)), "{goodbye}");
    assert_eq!(viewer.event_by(deadline).await, None);
    let now = guildpulse::clock::wall().0;
    let leeway = now - i64::try_from(exp).unwrap() * 1000;
    assert!((5000..6500).contains(&leeway), "ended {leeway} ms after the token");
}

/// Everything that twenty viewers are sent from the moment the server is asked to stop.
async fn last_words(scene: &mut Scene) -> Vec<Vec<Event>> {
    let mut viewers = Vec::new();
    for _ in 0..20 {
        viewers.push(scene.watch(GUILD).await);
    }
    scene.stop();
    let deadline = Instant::now() + SOON + SOON;
    let mut words = Vec::new();
    for viewer in &mut viewers {
        let mut events = Vec::new();
        while let Some(event) = viewer.event_by(deadline).await {
            events.push(event);
        }
        words.push(events);
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_goodbye_to_every_stream() {
    let mut scene = Scene::start().await;
    for events in last_words(&mut scene).await {
        let goodbye = events.last().unwrap();
        assert_eq!(goodbye.kind, "goodbye");
        let goodbye = goodbye.json();
        assert_eq!(goodbye["reason"], "shutdown");
        assert!(goodbye["retryAfterMs"].as_u64().is_some_and(|ms| (1000..=10_000).contains(&ms)), "{goodbye}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_offline_while_the_server_stops() {
    let mut scene = Scene::start().await;
    // The deadline of this beat lies in the drain, in which no beat could arrive.
    scene.beat(json!({"intervalMs": 1000, "shards": shards([0], 1, "ready")})).await;
    for event in last_words(&mut scene).await.into_iter().flatten() {
        assert!(event.kind != "message" || event.json()["state"] == "online", "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_to_close_is_not_called_keep_alive() {
    let scene = Scene::start().await;
    let line = format!("GET /api/guilds/{GUILD}/status/stream HTTP/1.1\r\nConnection: close");
    let mut raw = Raw::send(scene.addr, &request(&scene, &line)).await;
    let head = head(&raw.until("\r\n\r\n").await);
    assert!(head.contains(&"connection: close".into()) && !head.iter().any(|line| line.contains("keep-alive")), "{head:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_does_not_read_gets_the_newest_status_and_delays_nobody() {
    let scene = Scene::start().await;
    let line = format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1");
    let mut stalled = Raw::send(scene.addr, &request(&scene, &line)).await;
    stalled.until("hello").await;
    let mut viewer = scene.watch(GUILD).await;
    // Far more than any socket buffer holds: the version is as long as it may be.
    let rounds = 20_000;
    let post = |round: usize| {
        let version = format!("{round:0>128}");
        scene
            .http
            .post(scene.url("/api/v1/heartbeats"))
            .bearer_auth(BOT_TOKEN)
            .json(&json!({"version": version, "shards": shards([0], 1, "ready")}))
            .send()
    };
    for round in 1..=rounds {
        post(round).await.unwrap();
    }
    let newest = format!("{rounds:0>128}");
    let deadline = Instant::now() + SOON;
    while viewer.status().await["version"] != *newest {
        assert!(Instant::now() < deadline, "the reader is behind");
    }
    let caught_up = stalled.until(&newest).await;
    let frames = caught_up.matches("data: {\"guildId\"").count();
    assert!(frames < rounds / 2, "{frames} of {rounds} statuses were kept for a viewer that did not read");
}
