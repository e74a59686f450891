//! A right that is taken back while somebody is connected.

use std::time::Duration;

use guildpulse::clock;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{gateway, get, stream_of, watch_as};
use crate::support::backend::{Backend, TOKEN, healthy, unhealthy};
use crate::support::{GUILD, Scene, Viewer, eventually, eventually_within, token};

/// Waits for the end of a stream; returns why the server has ended it.
async fn goodbye(viewer: &mut Viewer, patience: Duration) -> String {
    let read = async {
        while let Some(event) = viewer.read().await.unwrap() {
            if event.kind == "goodbye" {
                let reason = event.json()["reason"].as_str().unwrap().to_owned();
                assert!(viewer.read().await.unwrap().is_none(), "nothing comes behind it");
                return reason;
            }
        }
        panic!("the stream ended without a goodbye");
    };
    timeout(patience, read).await.expect("a goodbye in time")
}

#[tokio::test]
async fn who_may_not_watch_any_more_is_out_within_75_s_and_nobody_else() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    for token in ["withdrawn", "of-all"] {
        backend.lets(token, 200);
    }
    let mut stays = watch_as(&gateway, GUILD, TOKEN).await;
    let mut refused = watch_as(&gateway, GUILD, "withdrawn").await;
    let mut also = watch_as(&gateway, GUILD, "withdrawn").await;
    let mut of_all = Viewer::open(&gateway.url(&format!("/api/v1/streams?guilds={GUILD},1,2")), "of-all").await;
    backend.lets("withdrawn", 403);
    backend.lets("of-all", 401);
    let patience = Duration::from_secs(75);
    let (first, second, third) =
        tokio::join!(goodbye(&mut refused, patience), goodbye(&mut also, patience), goodbye(&mut of_all, patience));
    assert_eq!([first, second, third], ["revoked", "revoked", "revoked"]);
    backend.says(unhealthy());
    stays.until("offline").await;
    eventually("one is left", async || gateway.metric("guildpulse_viewers").await == 1).await;
}

#[tokio::test]
async fn whose_token_has_ended_is_out_when_the_backend_says_so() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let exp = clock::wall().unix_seconds() + 3;
    let (ending, lasting) = (token(&json!({"sub": "x", "exp": exp})), token(&json!({"sub": "y", "exp": exp})));
    backend.lets(&ending, 200);
    backend.lets(&lasting, 200);
    let mut leaves = watch_as(&gateway, GUILD, &ending).await;
    let mut stays = watch_as(&gateway, GUILD, &lasting).await;
    backend.lets(&ending, 401);
    let since = Instant::now();
    assert_eq!(goodbye(&mut leaves, Duration::from_secs(5)).await, "expired");
    assert!(since.elapsed() > Duration::from_secs(1), "{:?}", since.elapsed());
    // The backend's clock may be late, so it is asked once more.
    backend.lets(&lasting, 401);
    assert_eq!(goodbye(&mut stays, Duration::from_secs(8)).await, "expired");
}

#[tokio::test]
async fn a_token_that_the_backend_refuses_when_it_is_asked_with_is_out_at_once_and_another_takes_over() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    for token in ["first", "second"] {
        backend.lets(token, 200);
    }
    let mut first = watch_as(&gateway, GUILD, "first").await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let mut second = watch_as(&gateway, GUILD, "second").await;
    second.status().await;
    backend.lets("first", 403);
    backend.end_streams();
    assert_eq!(goodbye(&mut first, Duration::from_secs(8)).await, "revoked");
    assert_eq!(get(&gateway, &stream_of(GUILD), "first").await.status(), 403, "nor is it let in again");
    eventually("another has taken over", async || backend.streams() == 1).await;
    backend.says(unhealthy());
    second.until("offline").await;
}

#[tokio::test]
async fn a_backend_that_fails_for_some_tokens_is_asked_with_another() {
    let check = async |good: &str| {
        let backend = Backend::start().await;
        let gateway = gateway(&backend).await;
        let mut viewers = all_watch(&backend, &gateway).await;
        for (bad, status) in TOKENS.iter().filter(|token| **token != good).zip([500, 429]) {
            backend.lets(bad, status);
        }
        backend.end_streams();
        backend.says(unhealthy());
        for viewer in &mut viewers {
            viewer.until_within("offline", Duration::from_secs(8)).await;
        }
        // And once more, with another.
        backend.lets(TOKENS[0], 200);
        for bad in &TOKENS[1..] {
            backend.lets(bad, 429);
        }
        backend.end_streams();
        backend.says(healthy());
        for viewer in &mut viewers {
            viewer.until_within("online", Duration::from_secs(8)).await;
        }
    };
    // Whichever is tried next, once it is a bad one.
    tokio::join!(check(TOKENS[1]), check(TOKENS[2]));
    let all_bad = async {
        let backend = Backend::start().await;
        let gateway = gateway(&backend).await;
        let mut viewers = all_watch(&backend, &gateway).await;
        for more in ["fourth", "fifth"] {
            backend.lets(more, 200);
            viewers.push(watch_as(&gateway, GUILD, more).await);
        }
        let before = backend.counts();
        for bad in TOKENS.iter().chain(&["fourth", "fifth"]) {
            backend.lets(bad, 429);
        }
        backend.end_streams();
        viewers[0].until_within("unknown", Duration::from_secs(10)).await;
        let asked = backend.counts();
        let more = (asked.0 - before.0, asked.1 - before.1);
        assert_eq!(more, (1, 3), "it wants to be asked later");
    };
    all_bad.await;
}

#[tokio::test]
async fn a_stream_that_is_refused_to_one_token_is_opened_with_another() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewers = all_watch(&backend, &gateway).await;
    backend.opens_no_stream_for(TOKENS[0], 429);
    backend.end_streams();
    eventually_within(Duration::from_secs(25), "there is a stream again", async || backend.streams() == 1).await;
    backend.says(unhealthy());
    for viewer in &mut viewers {
        viewer.until("offline").await;
    }
}

#[tokio::test]
async fn a_guild_that_a_backend_hides_from_one_user_is_asked_for_with_another() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let mut viewers = all_watch(&backend, &gateway).await;
    backend.lets(TOKENS[0], 404);
    backend.opens_no_stream_for(TOKENS[0], 403);
    backend.end_streams();
    backend.says(unhealthy());
    for viewer in &mut viewers {
        viewer.until_within("offline", Duration::from_secs(8)).await;
    }
}

#[tokio::test]
async fn after_an_outage_as_well_nobody_waits_because_others_are_to_ask_later() {
    let check = async |good: &str| {
        let backend = Backend::start().await;
        let gateway = gateway(&backend).await;
        let mut viewers = all_watch(&backend, &gateway).await;
        let killed = backend.kill().await;
        sleep(Duration::from_secs(4)).await;
        let backend = killed.back().await;
        for bad in TOKENS.iter().filter(|token| **token != good) {
            backend.lets(bad, 429);
        }
        backend.says(unhealthy());
        for viewer in &mut viewers {
            viewer.until_within("offline", Duration::from_secs(8)).await;
        }
    };
    // Whoever's turn it is.
    tokio::join!(check(TOKENS[0]), check(TOKENS[1]), check(TOKENS[2]));
}

const TOKENS: [&str; 3] = ["first", "second", "third"];

/// Viewers with these tokens of one guild; the stream is opened with the first of them.
async fn all_watch(backend: &Backend, gateway: &Scene) -> Vec<Viewer> {
    let mut viewers = Vec::new();
    for token in TOKENS {
        backend.lets(token, 200);
        let mut viewer = watch_as(gateway, GUILD, token).await;
        viewer.status().await;
        eventually("the stream is open", async || backend.streams() == 1).await;
        viewers.push(viewer);
    }
    viewers
}
