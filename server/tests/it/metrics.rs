//! The metrics: each changes when its cause happens, and only then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guildpulse::clock;
use reqwest::RequestBuilder;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::raw::Raw;
use crate::support::{BOT_TOKEN, GUILD, SOON, Scene, eventually, in_an_hour, shards, token};

/// On shard 1 of 4.
const OTHER: &str = "81384788761509893";

/// The series of the metrics whose names begin so, by the rest of their names.
async fn series(scene: &Scene, name: &str) -> BTreeMap<String, f64> {
    let text = scene.http.get(format!("http://{}/metrics", scene.admin)).send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    lines.map(|(rest, value)| (rest.to_owned(), value.parse().unwrap())).collect()
}

/// The series of a metric that are not 0, by the value of their only label.
async fn counts(scene: &Scene, name: &str) -> BTreeMap<String, u64> {
    let all = series(scene, &format!("{name}{{")).await.into_iter();
    let word = |label: String| label.split('"').nth(1).unwrap().to_owned();
    all.map(|(label, value)| (word(label), value as u64)).filter(|(_, count)| *count > 0).collect()
}

fn are(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

/// How many frames the histogram of deliveries has seen.
async fn timed(scene: &Scene) -> u64 {
    scene.metric("guildpulse_delivery_seconds_count").await
}

/// Bodies that cannot be read, credentials that are none, and so on; to one path.
fn refused(scene: &Scene, path: &str) -> Vec<RequestBuilder> {
    let post = || scene.http.post(scene.url(path));
    let expired = token(&json!({"role": "operator", "exp": 1_000_000_000}));
    let cookie = format!("auth_token={}", scene.operator());
    let good = json!({"shards": [{"id": 0, "count": 1}]});
    vec![
        post(),
        post().bearer_auth("wrong"),
        post().bearer_auth(expired),
        post().bearer_auth(BOT_TOKEN).json(&json!({"shards": 7})),
        post().bearer_auth(BOT_TOKEN).json(&json!(" ".repeat(1000))),
        post().bearer_auth(BOT_TOKEN).header("content-type", "text/plain").body("{}"),
        post().bearer_auth(scene.operator()).json(&good),
        post().header("cookie", cookie).header("sec-fetch-site", "cross-site").json(&good),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_beat_or_a_goodbye_is_counted_under_the_code_of_its_answer() {
    let scene = Scene::with(|config| {
        config.limits.body_timeout_ms = 300;
        config.limits.max_body_bytes = 500;
    });
    let scene = scene.await;
    let mut told = BTreeMap::new();
    for path in ["/api/v1/heartbeats", "/api/v1/goodbye"] {
        for request in refused(&scene, path) {
            let problem: Value = request.send().await.unwrap().json().await.unwrap();
            *told.entry(problem["code"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            assert_eq!(counts(&scene, "guildpulse_beats_rejected_total").await, told);
        }
    }
    let head = format!(
        "POST /api/v1/goodbye HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOT_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    );
    Raw::send(scene.addr, &head).await.until("request_timeout").await;
    let all = series(&scene, "guildpulse_beats_rejected_total").await;
    assert!(all.values().all(|count| *count > 0.0), "no code stands there that cannot occur: {all:?}");
    assert_eq!(scene.metric("guildpulse_beats_accepted_total").await, 0);
    scene.beat(json!({"shards": [{"id": 0, "count": 1}]})).await;
    assert_eq!(scene.metric("guildpulse_beats_accepted_total").await, 1);
    assert_eq!(series(&scene, "guildpulse_beats_rejected_total").await, all, "a beat that counts is not refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_beat_and_is_refused_does_not_count_as_one() {
    let scene = Scene::start().await;
    for path in ["/api/v1/shards", "/metrics", &format!("/api/v1/guilds/{GUILD}/status")] {
        assert_eq!(scene.http.get(scene.url(path)).send().await.unwrap().status(), 401);
    }
    assert_eq!(counts(&scene, "guildpulse_beats_rejected_total").await, are(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_transition_is_counted_once_under_its_reason() {
    let scene = Scene::start().await;
    let transitions = async || counts(&scene, "guildpulse_transitions_total").await;
    let beat = async |state: &str| {
        scene.beat(json!({"instance": "a", "intervalMs": 60_000, "shards": shards([0], 4, state)})).await;
    };
    let mut viewer = scene.watch(GUILD).await;
    beat("starting").await;
    assert_eq!(transitions().await, are(&[("starting", 1)]));
    beat("ready").await;
    beat("ready").await;
    assert_eq!(transitions().await, are(&[("starting", 1), ("none", 1)]), "a beat that changes nothing does not count");
    // A guild's own.
    for change in ["unavailable", "available"] {
        let beat = json!({"instance": "a", "intervalMs": 60_000, "shards": shards([0], 4, "ready"), change: [GUILD]});
        scene.beat(beat).await;
    }
    assert_eq!(transitions().await, are(&[("starting", 1), ("none", 2), ("discord_outage", 1)]));
    beat("resuming").await;
    beat("fatal").await;
    let expected = are(&[("starting", 1), ("none", 2), ("discord_outage", 1), ("resuming", 1), ("fatal", 1)]);
    assert_eq!(transitions().await, expected);
    viewer.until("offline").await;

    // Several at once, and nobody who watches.
    drop(viewer);
    scene.beat(json!({"instance": "b", "intervalMs": 1000, "shards": shards(0..3, 4, "ready")})).await;
    scene.goodbye(json!({"instance": "b", "shards": [{"id": 1, "count": 4}]})).await;
    let timeout = async || transitions().await.get("heartbeat_timeout") == Some(&2);
    eventually("the deadline of two shards has passed", timeout).await;
    let all = transitions().await;
    assert_eq!((all["none"], all["goodbye"]), (5, 1));
    let logged = async || scene.metric("guildpulse_transitions_logged_total").await == all.values().sum::<u64>();
    eventually("each is a line of the log", logged).await;
}

async fn beat_of(scene: &Scene, ids: impl IntoIterator<Item = u32>, count: u32, state: &str) {
    let beat = json!({"instance": format!("of {count}"), "intervalMs": 60_000, "shards": shards(ids, count, state)});
    scene.beat(beat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_counted_by_their_state() {
    let mut scene = Scene::start().await;
    assert_eq!(series(&scene, "guildpulse_shards").await.len(), 6, "each state stands there from the start");
    assert_eq!(counts(&scene, "guildpulse_shards").await, are(&[]));
    beat_of(&scene, 0..5, 8, "ready").await;
    assert_eq!(counts(&scene, "guildpulse_shards").await, are(&[("online", 5)]));
    beat_of(&scene, [1], 8, "resuming").await;
    beat_of(&scene, [2], 8, "fatal").await;
    scene.goodbye(json!({"instance": "of 8", "shards": [{"id": 3, "count": 8}], "expectedBackMs": 60_000})).await;
    let expected = are(&[("online", 2), ("reconnecting", 1), ("offline", 1), ("maintenance", 1)]);
    assert_eq!(counts(&scene, "guildpulse_shards").await, expected);
    scene.restart().await;
    assert_eq!(counts(&scene, "guildpulse_shards").await, are(&[("unknown", 5)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reshard_leaves_no_shards_that_count_as_offline() {
    let scene = Scene::start().await;
    beat_of(&scene, 0..4, 4, "ready").await;
    beat_of(&scene, 0..6, 6, "starting").await;
    assert_eq!(counts(&scene, "guildpulse_shards").await, are(&[("online", 4)]), "nobody uses the new ones yet");
    beat_of(&scene, 0..6, 6, "ready").await;
    scene.goodbye(json!({"instance": "of 4"})).await;
    assert_eq!(counts(&scene, "guildpulse_shards").await, are(&[("online", 6)]), "and nobody the old ones any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_timed_once_for_each_viewer_if_a_beat_or_a_goodbye_caused_it() {
    let scene = Scene::start().await;
    let beat = async |version: &str| {
        scene
            .beat(json!({"instance": "a", "version": version, "intervalMs": 1000, "shards": shards([0], 4, "ready")}))
            .await;
    };
    beat("1").await;
    let mut viewers = [scene.watch(GUILD).await, scene.watch(GUILD).await];
    let mut stranger = scene.watch(OTHER).await;
    for viewer in viewers.iter_mut().chain([&mut stranger]) {
        viewer.status().await;
    }
    assert_eq!(timed(&scene).await, 0, "what is sent at the start does not count");
    beat("2").await;
    // It is counted before a byte leaves, so that there is nothing to wait for.
    for viewer in &mut viewers {
        assert_eq!(viewer.status().await["version"], "2");
    }
    assert_eq!(timed(&scene).await, 2);
    scene.goodbye(json!({"instance": "a"})).await;
    for viewer in &mut viewers {
        viewer.until("offline").await;
    }
    assert_eq!(timed(&scene).await, 4);

    beat("3").await;
    for viewer in &mut viewers {
        viewer.until("online").await;
    }
    let before = series(&scene, "guildpulse_delivery_seconds_").await;
    for viewer in &mut viewers {
        assert_eq!(viewer.until("offline").await["reason"], "heartbeat_timeout");
    }
    assert_eq!(scene.metric("guildpulse_deliveries_total").await, 8, "the deadline was told to both");
    assert_eq!(series(&scene, "guildpulse_delivery_seconds_").await, before, "and has no receipt");
    assert_eq!(before["count"], 6.0);
    assert!(before["sum"] > 0.0 && before["sum"] < 60.0, "{before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_held_up_says_for_how_long_and_by_what() {
    let scene = Scene::start().await;
    let states = async || counts(&scene, "guildpulse_store_state").await;
    let lag = async || series(&scene, "guildpulse_store_lag_seconds").await[""];
    assert_eq!((states().await, lag().await), (are(&[("written", 1)]), 0.0));
    let mut other = Connection::open(scene.data.path().join("data/guildpulse.db")).unwrap();
    other.busy_timeout(SOON).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    scene.beat(json!({"intervalMs": 60_000, "shards": shards([0], 1, "ready")})).await;
    eventually("something waits", async || lag().await > 0.0).await;
    eventually("it says why", async || states().await == are(&[("locked", 1)])).await;
    // The writer tries again every second.
    let (mut last, from) = (lag().await, Instant::now());
    for version in 0.. {
        scene.beat(json!({"version": version.to_string(), "shards": shards([0], 1, "ready")})).await;
        let now = lag().await;
        assert!(now > last, "the oldest change counts, however often it is tried: {now} after {last}");
        last = now;
        if from.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    drop(lock);
    eventually("nothing waits", async || (states().await, lag().await) == (are(&[("written", 1)]), 0.0)).await;
    scene.beat(json!({"intervalMs": 60_000, "shards": shards([0], 1, "resuming")})).await;
    eventually("what came later is written, too", async || lag().await == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_counted_while_it_is_open_and_by_who_ended_it() {
    let scene = Scene::start().await;
    let viewers = async || scene.metric("guildpulse_viewers").await;
    let closed = async || counts(&scene, "guildpulse_streams_closed_total").await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.status().await;
    assert_eq!((viewers().await, closed().await), (1, are(&[])));
    drop(viewer);
    eventually("it is closed", async || (viewers().await, closed().await) == (0, are(&[("viewer", 1)]))).await;
    // With the leeway of 5 s, this token has two seconds to live.
    let short = token(&json!({"role": "operator", "exp": in_an_hour() - 3603}));
    let url = scene.url(&format!("/api/v1/guilds/{GUILD}/status/stream"));
    let mut expiring = crate::support::Viewer::open(&url, &short).await;
    while expiring.event().await.kind != "goodbye" {}
    let both = are(&[("viewer", 1), ("expired", 1)]);
    eventually("it is closed", async || (viewers().await, closed().await) == (0, both.clone())).await;
    assert_eq!(scene.metric("guildpulse_streams_opened_total").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_of_the_server_is_told() {
    let before = clock::wall();
    let scene = Scene::start().await;
    let told = series(&scene, "guildpulse_start_time_seconds").await[""];
    // A floating-point number of this size is a little off.
    let started = (told * 1000.0).round() as i64;
    assert!((before.0..=clock::wall().0).contains(&started), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_openmetrics_and_nobody_keeps_them() {
    let scene = Scene::start().await;
    for answer in [scene.http.get(format!("http://{}/metrics", scene.admin)), scene.get("/metrics")] {
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let words: BTreeSet<_> = text.split_whitespace().collect();
        assert!(!words.contains(BOT_TOKEN));
    }
}
