//! Overlaps, reshards, resumes: what must be seen of them and what must not.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::support::{GUILD, Scene, Viewer, millis_between, shards};

/// Beats every 500 ms for as long as it is polled.
async fn keep_beating(scene: &Scene, beat: Value) {
    let mut due = interval(Duration::from_millis(500));
    loop {
        due.tick().await;
        scene.beat(beat.clone()).await;
    }
}

/// The statuses that arrive while `work` goes on.
async fn seen_during(viewer: &mut Viewer, work: impl Future<Output = ()>) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => return seen,
            status = viewer.status_within(Duration::from_secs(60)) => seen.push(status),
        }
    }
}

/// Time passes; the machine is given what it needs to notice.
async fn pass(seconds: f64) {
    tokio::time::sleep_until(Instant::now() + Duration::from_secs_f64(seconds)).await;
}

fn of(instance: &str, version: &str, ids: impl IntoIterator<Item = u32>, count: u32, state: &str) -> Value {
    json!({"instance": instance, "session": format!("{instance} {version}"), "version": version, "shards": shards(ids, count, state)})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_goodbye_of_the_old_instance_is_invisible_and_the_version_changes_once() {
    let scene = Scene::start().await;
    scene.beat(of("old", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    assert_eq!(viewer.status().await["version"], "1.0.0");
    let seen = seen_during(&mut viewer, async {
        scene.beat(of("new", "2.0.0", [0], 1, "identifying")).await;
        scene.beat(of("old", "1.0.0", [0], 1, "ready")).await;
        scene.beat(of("new", "2.0.0", [0], 1, "ready")).await;
        scene.beat(of("old", "1.0.0", [0], 1, "ready")).await;
        let answer = scene.goodbye(json!({"instance": "old", "session": "old 1.0.0"})).await;
        assert_eq!(answer["accepted"], 1);
        let late = scene.beat(of("old", "1.0.0", [0], 1, "ready")).await;
        assert_eq!(late["accepted"], 0, "a late beat cannot revive a session that said goodbye");
        tokio::select! { () = keep_beating(&scene, of("new", "2.0.0", [0], 1, "ready")) => {}, () = pass(6.0) => {} }
    });
    let seen = seen.await;
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!((seen[0]["version"].as_str(), seen[0]["state"].as_str()), (Some("2.0.0"), Some("online")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fatal_end_of_one_instance_is_invisible_while_another_beats() {
    let scene = Scene::start().await;
    scene.beat(of("old", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.status().await;
    let seen = seen_during(&mut viewer, async {
        scene.beat(of("new", "2.0.0", [0], 1, "starting")).await;
        scene.beat(of("new", "2.0.0", [0], 1, "fatal")).await;
        tokio::select! { () = keep_beating(&scene, of("old", "1.0.0", [0], 1, "ready")) => {}, () = pass(6.0) => {} }
    });
    assert_eq!(seen.await, Vec::<Value>::new());
    scene.beat(of("old", "1.0.0", [0], 1, "fatal")).await;
    let fallen = viewer.status().await;
    assert_eq!((fallen["state"].as_str(), fallen["reason"].as_str()), (Some("offline"), Some("fatal")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reshard_from_2_to_4_with_overlap_turns_no_guild_red() {
    let scene = Scene::start().await;
    // One guild on each of the four shards to come.
    let guilds: Vec<String> = (0..4_u64).map(|class| (((1000 * 4 + class) << 22) + 1).to_string()).collect();
    let old = |state| of("old", "1.0.0", 0..2, 2, state);
    let new = |ids: std::ops::Range<u32>| of("new", "2.0.0", ids, 4, "ready");
    scene.beat(old("ready")).await;
    let mut viewer =
        Viewer::open(&scene.url(&format!("/api/v1/streams?guilds={}", guilds.join(","))), &scene.operator()).await;
    for _ in 0..4 {
        viewer.status().await;
    }
    let seen = seen_during(&mut viewer, async {
        for _ in 0..3 {
            // The new shards come up one by one; each process repeats all it has.
            for ready in 1..=4 {
                scene.beat(new(0..ready)).await;
                scene.beat(old("ready")).await;
            }
        }
        scene.goodbye(json!({"instance": "old"})).await;
        tokio::select! { () = keep_beating(&scene, new(0..4)) => {}, () = pass(6.0) => {} }
    });
    let seen = seen.await;
    assert!(seen.iter().all(|status| status["healthy"] == true), "{seen:#?}");
    for guild in &guilds {
        assert_eq!(scene.status(guild).await["shard"]["count"], 4);
        let moves = seen.iter().filter(|status| status["guildId"] == **guild).count();
        assert_eq!(moves, 1, "guild {guild} moves once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_is_reconnecting_at_once_and_offline_after_15_s() {
    let scene = Scene::start().await;
    scene.beat(of("one", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.until("online").await;
    scene.beat(of("one", "1.0.0", [0], 1, "resuming")).await;
    let reconnecting = viewer.status().await;
    assert_eq!(reconnecting["state"], "reconnecting");
    assert_eq!((reconnecting["reason"].as_str(), reconnecting["healthy"].as_bool()), (Some("resuming"), Some(true)));
    let beating = keep_beating(&scene, of("one", "1.0.0", [0], 1, "resuming"));
    let offline = tokio::select! {
        () = beating => unreachable!("it beats for ever"),
        offline = viewer.until_within("offline", Duration::from_secs(20)) => offline,
    };
    assert_eq!(offline["reason"], "gateway_disconnected");
    let since = |status: &Value| status["since"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let grace = since(&offline) - since(&reconnecting);
    assert!((15_000..=15_100).contains(&grace), "{grace} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_inside_its_grace_never_turns_anybody_red() {
    let scene = Scene::start().await;
    scene.beat(of("one", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.until("online").await;
    let seen = seen_during(&mut viewer, async {
        tokio::select! { () = keep_beating(&scene, of("one", "1.0.0", [0], 1, "resuming")) => {}, () = pass(13.0) => {} }
        tokio::select! { () = keep_beating(&scene, of("one", "1.0.0", [0], 1, "ready")) => {}, () = pass(4.0) => {} }
    });
    let states: Vec<_> = seen.await.into_iter().map(|status| (status["state"].clone(), status["healthy"].clone())).collect();
    let states: Vec<_> =
        states.iter().map(|(state, healthy)| (state.as_str().unwrap(), healthy.as_bool().unwrap())).collect();
    assert!(states.starts_with(&[("reconnecting", true), ("online", true)]), "{states:?}");
    assert!(states[1..].iter().all(|state| *state == ("online", true)), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lost_beat_of_three_is_no_event() {
    let scene = Scene::start().await;
    let beat = of("one", "1.0.0", [0], 1, "ready");
    scene.beat(beat.clone()).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.until("online").await;
    let seen = seen_during(&mut viewer, async {
        // A beat every 2 s, of which every second is lost: silence for 4 s each time.
        for _ in 0..3 {
            pass(4.0).await;
            scene.beat(beat.clone()).await;
        }
    });
    assert_eq!(seen.await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_with_a_time_is_maintenance_until_then() {
    let scene = Scene::start().await;
    scene.beat(of("one", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.until("online").await;
    scene.goodbye(json!({"instance": "one", "expectedBackMs": 1500, "reason": "deploy"})).await;
    let maintenance = viewer.status().await;
    assert_eq!((maintenance["state"].as_str(), maintenance["healthy"].as_bool()), (Some("maintenance"), Some(false)));
    assert_eq!(millis_between(&maintenance, "since", "expectedBack"), 1500);
    let offline = viewer.status().await;
    assert_eq!((offline["state"].as_str(), offline["reason"].as_str()), (Some("offline"), Some("goodbye")));
    assert_eq!(offline.get("expectedBack"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_guild_is_an_exception_that_ends() {
    let scene = Scene::start().await;
    let with = |field: &str| {
        let mut beat = of("one", "1.0.0", [0], 1, "ready");
        beat[field] = json!([GUILD]);
        beat
    };
    scene.beat(of("one", "1.0.0", [0], 1, "ready")).await;
    let mut viewer = scene.watch(GUILD).await;
    let mut other = scene.watch("1").await;
    viewer.status().await;
    other.status().await;
    scene.beat(with("unavailable")).await;
    let unavailable = viewer.status().await;
    assert_eq!(
        (unavailable["state"].as_str(), unavailable["reason"].as_str()),
        (Some("unavailable"), Some("discord_outage"))
    );
    scene.beat(with("unavailable")).await;
    scene.beat(with("available")).await;
    let online = viewer.status().await;
    assert_eq!(online["state"], "online");
    assert!(online["since"].as_str() > unavailable["since"].as_str(), "online since it is available: {online}");
    scene.goodbye(json!({"instance": "one"})).await;
    assert_eq!(other.status().await["reason"], "goodbye", "the first that the other guild hears of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_or_repeated_number_is_answered_and_ignored() {
    let scene = Scene::start().await;
    let beat = |seq: u64, state: &str| json!({"session": "s", "seq": seq, "shards": shards([0], 1, state)});
    for (seq, state, accepted) in [(5, "ready", 1), (5, "fatal", 0), (4, "fatal", 0), (6, "ready", 1)] {
        assert_eq!(scene.beat(beat(seq, state)).await, json!({"accepted": accepted, "intervalMs": 2000}), "{seq}");
        assert_eq!(scene.status(GUILD).await["state"], "online");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_shard_state_counts_as_ready_and_is_named() {
    let scene = Scene::start().await;
    let answer = scene.beat(json!({"intervalMs": 5000, "shards": [{"id": 0, "count": 1, "state": "dancing"}]})).await;
    assert_eq!(answer["intervalMs"], 5000);
    assert!(answer["warnings"][0].as_str().unwrap().contains("dancing"), "{answer}");
    assert_eq!(scene.status(GUILD).await["state"], "online");
}
