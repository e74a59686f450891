//! A backend without a stream, or with none that is of use.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{gateway, gateway_with, watch, watch_as};
use crate::support::backend::{Answer, Backend, FOREVER, TOKEN, healthy, unhealthy};
use crate::support::{GUILD, SOON, Viewer, eventually, eventually_within};

/// Later than that nobody may see a change.
const SEEN: Duration = Duration::from_millis(3200);

#[tokio::test]
async fn without_a_stream_the_status_is_asked_for_once_for_all_and_a_change_is_seen_in_time() {
    let backend = Backend::start().await;
    backend.answers_streams(Some(Answer::of(404, "")));
    let gateway = gateway(&backend).await;
    let mut viewers: Vec<Viewer> = join_all((0..50).map(|_| watch_as(&gateway, GUILD, TOKEN))).await;
    for viewer in &mut viewers {
        viewer.status().await;
    }
    eventually("it is asked for", async || gateway.metric("guildpulse_upstream_polls_total").await > 0).await;
    let before = backend.counts();
    let since = Instant::now();
    for state in [unhealthy(), healthy(), unhealthy()] {
        backend.says(state);
        let changed = Instant::now();
        for viewer in &mut viewers {
            viewer.status_within(SEEN.saturating_sub(changed.elapsed())).await;
        }
    }
    let asked = backend.counts();
    let most = since.elapsed().as_secs() / 3 + 1;
    assert_eq!(asked.0, before.0, "its stream is not tried again so soon");
    assert!(asked.1 - before.1 <= usize::try_from(most).unwrap(), "{before:?} {asked:?} in {:?}", since.elapsed());
}

#[tokio::test]
async fn whatever_is_no_stream_is_made_up_for_by_asking() {
    let page = "<!doctype html><title>Sign in</title>";
    let answers = [
        Answer::of(200, page).with("content-type", "text/html"),
        Answer::of(200, "{}").with("content-type", "application/json"),
        Answer::of(200, ""),
        Answer::of(204, ""),
        Answer::of(302, "").with("location", "/elsewhere"),
        Answer::of(403, ""),
        Answer::of(405, ""),
        Answer::of(406, ""),
        Answer::of(429, "").with("retry-after", "60"),
        Answer::of(501, ""),
        Answer::of(503, ""),
    ];
    let check = async |answer: Answer| {
        let backend = Backend::start().await;
        backend.answers_streams(Some(answer.clone()));
        let gateway = gateway(&backend).await;
        let mut viewer = watch(&gateway).await;
        eventually("it is asked for", async || gateway.metric("guildpulse_upstream_polls_total").await > 0).await;
        backend.says(unhealthy());
        let status = viewer.status_within(SEEN).await;
        assert_eq!((&status["state"], backend.counts().0), (&"offline".into(), 1), "{answer:?}");
    };
    join_all(answers.map(check)).await;
}

#[tokio::test]
async fn a_stream_that_opens_and_brings_nothing_is_none() {
    let backend = Backend::start().await;
    backend.is_mute(true);
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    // Comments make no status of it.
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
        backend.push(": alive\n\n");
    }
    eventually("it is asked for", async || gateway.metric("guildpulse_upstream_polls_total").await > 0).await;
    assert_eq!(backend.streams(), 0);
    backend.says(unhealthy());
    assert_eq!(viewer.status_within(SEEN).await["state"], "offline");
}

#[tokio::test]
async fn a_stream_that_does_not_even_open_is_none() {
    let backend = Backend::start().await;
    backend.streams_take(FOREVER);
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    let polled = async || gateway.metric("guildpulse_upstream_polls_total").await > 0;
    eventually_within(SOON * 2, "it is asked for", polled).await;
    backend.says(unhealthy());
    assert_eq!(viewer.status_within(SEEN).await["state"], "offline");
    assert_eq!(backend.counts().0, 1, "it is not tried again so soon");
}

#[tokio::test]
async fn a_stream_that_ends_before_it_has_brought_a_status_is_none() {
    let check = async |answer: Answer| {
        let backend = Backend::start().await;
        backend.answers_streams(Some(answer.with("content-type", "text/event-stream")));
        let gateway = gateway(&backend).await;
        let mut viewer = watch(&gateway).await;
        let polled = async || gateway.metric("guildpulse_upstream_polls_total").await >= 2;
        eventually_within(SOON * 2, "it is asked for", polled).await;
        let streams = backend.counts().0;
        backend.says(unhealthy());
        assert_eq!(viewer.status_within(SEEN).await["state"], "offline");
        backend.says(healthy());
        assert_eq!(viewer.status_within(SEEN).await["state"], "online");
        assert_eq!(backend.counts().0, streams, "it is not tried again so soon");
    };
    let too_long = "x".repeat(1 << 20);
    join_all([": hello\n\n", "data: {}\n\n", "", &*format!("data: {too_long}")].map(|body| check(Answer::of(200, body))))
        .await;
}

#[tokio::test]
async fn without_a_stream_and_without_a_status_nobody_knows_and_viewers_stay() {
    let answers = [
        Answer::of(200, "<!doctype html><title>Sign in</title>"),
        Answer::of(204, ""),
        Answer::of(302, "").with("location", "/elsewhere"),
        Answer::of(404, ""),
        Answer::of(429, "").with("retry-after", "1"),
        Answer::of(503, ""),
    ];
    let check = async |answer: Answer| {
        let backend = Backend::start().await;
        backend.answers_streams(Some(Answer::of(404, "")));
        let gateway = gateway(&backend).await;
        let mut viewer = watch(&gateway).await;
        backend.answers(Some(answer.clone()));
        let since = Instant::now();
        let status = viewer.until_within("unknown", Duration::from_secs(10)).await;
        assert!(since.elapsed() > Duration::from_secs(6), "{answer:?}: {:?}", since.elapsed());
        assert_eq!(status["reason"], "upstream_unreachable", "{answer:?}");
        backend.answers(None);
        viewer.until_within("online", Duration::from_secs(2)).await;
    };
    join_all(answers.map(check)).await;
}

#[tokio::test]
async fn an_event_without_end_is_cut_and_costs_no_more_than_it_may() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewer = watch(&gateway).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let megabyte = "x".repeat(1 << 20);
    backend.push(&format!("data: {megabyte}"));
    eventually("it is opened again", async || backend.counts().0 == 2).await;
    backend.says(unhealthy());
    assert_eq!(viewer.status().await["state"], "offline");
}

#[tokio::test]
async fn beyond_the_most_streams_guilds_are_asked_for_one_by_one() {
    let backend = Backend::start().await;
    let gateway = gateway_with(&backend, |config| config.upstream.max_upstream_streams = 2).await;
    let mut viewers: Vec<Viewer> = join_all(["1", "2", "3", "4"].map(|guild| watch_as(&gateway, guild, TOKEN))).await;
    eventually("two are asked for", async || gateway.metric("guildpulse_upstream_polls_total").await >= 2).await;
    eventually("two are open", async || backend.streams() == 2).await;
    assert_eq!(backend.counts().0, 2);
    backend.says(unhealthy());
    for viewer in &mut viewers {
        viewer.until("offline").await;
    }
}
