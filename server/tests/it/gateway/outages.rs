//! A backend that goes away and comes back, or falls silent.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{gateway, watch, watch_as};
use crate::support::backend::{Answer, Backend, TOKEN, healthy, unhealthy};
use crate::support::{GUILD, SOON, Scene, Viewer, eventually, eventually_within};

/// A viewer of each of so many guilds.
async fn watch_all(gateway: &Scene, guilds: usize) -> Vec<Viewer> {
    let mut viewers = Vec::new();
    for guild in 1..=guilds {
        viewers.push(watch_as(gateway, &guild.to_string(), TOKEN).await);
    }
    viewers
}

#[tokio::test]
async fn while_the_backend_is_gone_viewers_stay_and_see_that_nobody_knows_and_then_the_truth() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let killed = backend.kill().await;
    let since = Instant::now();
    let status = viewer.until_within("unknown", Duration::from_secs(10)).await;
    assert!(since.elapsed() > Duration::from_secs(8), "{:?}", since.elapsed());
    assert_eq!((&status["healthy"], &status["reason"]), (&json!(true), &json!("upstream_unreachable")));
    assert_eq!((&status["lastHeartbeat"], &status["version"]), (&json!("2026-11-22T20:07:00.000Z"), &json!("1.4.2")));

    // What is repeated in between says the same.
    let status = loop {
        let status = viewer.status_within(Duration::from_secs(60)).await;
        if status["healthy"] == false {
            break status;
        }
    };
    assert_eq!((&status["state"], &status["reason"]), (&json!("unknown"), &json!("upstream_unreachable")));
    assert!((59..63).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());

    let backend = killed.back().await;
    backend.says(healthy());
    let status = viewer.until_within("online", Duration::from_secs(2)).await;
    assert_eq!(status["healthy"], true);
}

#[tokio::test]
async fn a_backend_that_takes_questions_and_answers_none_is_unknown_in_time_however_many_guilds_ask() {
    let backend = Backend::start().await;
    backend.answers_streams(Some(Answer::of(404, "")));
    let gateway = gateway(&backend).await;
    let mut viewers = watch_all(&gateway, 150).await;
    eventually("all are asked for", async || gateway.metric("guildpulse_upstream_polls_total").await >= 150).await;
    backend.hangs();
    let unknown = viewers.iter_mut().map(|viewer| viewer.until_within("unknown", Duration::from_secs(10)));
    join_all(unknown).await;
}

#[tokio::test]
async fn a_slow_backend_is_not_taken_for_one_that_answers_nobody() {
    let backend = Backend::start().await;
    backend.answers_streams(Some(Answer::of(404, "")));
    let gateway = gateway(&backend).await;
    let mut viewers = watch_all(&gateway, 250).await;
    // With 32 at once, each guild is heard every 8 s.
    backend.takes(Duration::from_secs(1));
    let time = Duration::from_secs(20);
    let is_told = join_all(viewers.iter_mut().map(async |viewer| {
        let until_unknown = async { while viewer.read().await.unwrap().unwrap().json()["state"] != "unknown" {} };
        timeout(time, until_unknown).await.is_ok()
    }));
    assert_eq!(is_told.await.into_iter().filter(|is_told| *is_told).count(), 0, "it answers");
}

#[tokio::test]
async fn whose_token_is_gone_leaves_nobody_waiting_for_another_to_be_answered() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    backend.lets("leaves", 200);
    let leaves = watch_as(&gateway, GUILD, "leaves").await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let mut stays = watch(&gateway).await;
    backend.hangs();
    drop(leaves);
    stays.until_within("unknown", Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_stream_that_ends_and_is_not_opened_again_leaves_nobody_waiting_either() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    backend.hangs();
    backend.end_streams();
    viewer.until_within("unknown", Duration::from_secs(10)).await;
}

#[tokio::test]
async fn after_it_has_hung_the_stream_of_a_backend_is_opened_again_soon() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    backend.hangs();
    backend.end_streams();
    viewer.until_within("unknown", Duration::from_secs(10)).await;
    backend.streams_take(Duration::ZERO);
    backend.takes(Duration::ZERO);
    // What hangs is given up after 5 s.
    eventually_within(SOON * 2, "the stream is open again", async || backend.streams() == 1).await;
    viewer.until("online").await;
}

#[tokio::test]
async fn many_guilds_see_within_2_s_that_a_backend_is_back_and_do_not_storm_it_before() {
    const GUILDS: usize = 300;
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    backend.lets("not-concerned", 200);
    let mut not_concerned = watch_as(&gateway, GUILD, "not-concerned").await;
    // One that is heard now and then calls nobody.
    backend.lets("polled", 200);
    backend.opens_no_stream_for("polled", 404);
    let _polled = watch_as(&gateway, "1000", "polled").await;
    let mut viewers = watch_all(&gateway, GUILDS - 1).await;
    eventually("all streams are open", async || backend.streams() == GUILDS).await;
    // It goes on to answer, so that its answers can be counted.
    backend.lets(TOKEN, 502);
    backend.end_streams();
    eventually("one is open", async || backend.streams() == 1).await;
    sleep(Duration::from_secs(6)).await;
    let before = backend.asked().len();
    sleep(Duration::from_secs(3)).await;
    let asked = backend.asked().len() - before;
    assert!((100..=200).contains(&asked), "{asked} in 3 s");

    // Whose stream is cut alone does not wait for its turn behind all of them.
    backend.says(unhealthy());
    not_concerned.until("offline").await;
    backend.end_streams();
    backend.says(healthy());
    not_concerned.until_within("online", Duration::from_secs(1)).await;

    backend.lets(TOKEN, 200);
    backend.says(unhealthy());
    let truth = viewers.iter_mut().map(|viewer| viewer.until_within("offline", Duration::from_secs(2)));
    join_all(truth).await;
}

#[tokio::test]
async fn a_short_outage_is_seen_by_nobody_and_what_changed_meanwhile_at_once() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let killed = backend.kill().await;
    sleep(Duration::from_secs(4)).await;
    let backend = killed.back().await;
    eventually("the stream is open again", async || backend.streams() == 1).await;
    backend.says(unhealthy());
    // Nothing was said in between.
    assert_eq!(viewer.status().await["state"], "offline");
}

#[tokio::test]
async fn a_stream_that_is_silent_for_longer_than_it_announced_is_opened_again() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let _viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let hello =
        json!({"protocol": 1, "snapshotIntervalMs": 1000, "retryMs": 1000, "now": "2026-11-22T20:20:01.120Z", "boot": 12});
    backend.push(&format!("event: hello\ndata: {hello}\n\n"));
    // Comments are signs of life.
    for _ in 0..4 {
        sleep(Duration::from_secs(1)).await;
        backend.push(": alive\n\n");
    }
    assert_eq!(backend.counts().0, 1);
    assert_eq!(gateway.metric("guildpulse_upstream_passed_over_total").await, 0, "it is no news of a guild");
    let since = Instant::now();
    eventually("it is opened again", async || backend.counts().0 == 2).await;
    assert!((2..4).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_stream_that_ends_after_each_event_is_asked_for_as_seldom_as_a_status() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let since = Instant::now();
    for number in 1..=3 {
        backend.end_streams();
        eventually("it is opened again", async || backend.streams() == 1).await;
        assert_eq!(backend.counts().0, 1 + number);
    }
    assert!(since.elapsed() > Duration::from_secs(8), "{:?}", since.elapsed());
    backend.says(unhealthy());
    assert_eq!(viewer.status_within(SOON).await["state"], "offline");
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye_to_its_viewers_and_leaves_its_backend() {
    let backend = Backend::start().await;
    let mut gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    gateway.stop();
    let goodbye = viewer.event_by(Instant::now() + SOON * 2).await.unwrap();
    assert_eq!((&*goodbye.kind, &goodbye.json()["reason"]), ("goodbye", &json!("shutdown")));
    assert_eq!(viewer.event_by(Instant::now() + SOON).await, None);
    gateway.stopped().await;
    eventually("the stream is over", async || backend.streams() == 0).await;
}
