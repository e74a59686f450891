//! Real bot processes beat, die, and somebody watches.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::command::{beat, ended, send};
use crate::support::{GUILD, Scene, millis_between};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_offline_4_5_to_4_6_s_after_its_last_beat() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    let mut bot = beat(&scene, "--shard 0/1 --version 1.4.2 -- sleep 30");
    let online = viewer.until("online").await;
    assert_eq!((online["version"].as_str(), online["healthy"].as_bool()), (Some("1.4.2"), Some(true)));

    send(&bot, Signal::KILL);
    ended(&mut bot).await;
    let offline = viewer.until_within("offline", Duration::from_secs(8)).await;
    assert_eq!(offline["reason"], "heartbeat_timeout");
    let silence = millis_between(&offline, "lastHeartbeat", "since");
    assert!((4500..=4600).contains(&silence), "{silence} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_process_says_goodbye_at_once_and_hands_back_its_exit_code() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    let mut bot = beat(&scene, "-- sleep 30");
    viewer.until("online").await;
    send(&bot, Signal::TERM);
    let offline = viewer.until("offline").await;
    assert_eq!(offline["reason"], "goodbye");
    assert!(millis_between(&offline, "lastHeartbeat", "since") < 4500);
    assert_eq!(ended(&mut bot).await.code(), Some(128 + 15), "as a shell would say of the sleep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_hands_back_the_exit_code_and_says_no_goodbye() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    let script = scene.data.path().join("crash.sh");
    std::fs::write(&script, "sleep 0.5; exit 42").unwrap();
    let mut bot = beat(&scene, &format!("-- sh {}", script.display()));
    viewer.until("online").await;
    assert_eq!(ended(&mut bot).await.code(), Some(42));
    let offline = viewer.until_within("offline", Duration::from_secs(8)).await;
    assert_eq!(offline["reason"], "heartbeat_timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_of_0_is_a_goodbye() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    let mut bot = beat(&scene, "-- sleep 0.5");
    viewer.until("online").await;
    assert_eq!(viewer.until("offline").await["reason"], "goodbye");
    assert_eq!(ended(&mut bot).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_command_it_beats_until_it_is_stopped() {
    let scene = Scene::start().await;
    let mut viewer = scene.watch(GUILD).await;
    let mut bot = beat(&scene, "--shard 0/2 --shard 1/2 --instance worker-1");
    assert_eq!(viewer.until("online").await["shard"]["count"], 2);
    send(&bot, Signal::INT);
    assert_eq!(viewer.until("offline").await["reason"], "goodbye");
    assert_eq!(ended(&mut bot).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_does_not_inherit_the_token() {
    let scene = Scene::start().await;
    let file = scene.data.path().join("environment");
    let script = scene.data.path().join("show.sh");
    std::fs::write(&script, format!("env > {}", file.display())).unwrap();
    let mut bot = beat(&scene, &format!("-- sh {}", script.display()));
    assert_eq!(ended(&mut bot).await.code(), Some(0));
    let environment = std::fs::read_to_string(file).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("GUILDPULSE"), "{environment}");
}
