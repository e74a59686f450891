//! A right that is taken back while somebody is connected.

use std::time::Duration;

use guildpulse::clock;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{gateway, watch_as};
use crate::support::backend::{Backend, TOKEN, unhealthy};
use crate::support::{GUILD, Viewer, eventually, token};

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
    eventually("another has taken over", async || backend.streams() == 1).await;
    backend.says(unhealthy());
    second.until("offline").await;
}

#[tokio::test]
async fn a_backend_that_fails_for_one_token_is_asked_with_another() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let tokens = ["first", "second", "third"];
    for token in tokens {
        backend.lets(token, 200);
    }
    let mut first = watch_as(&gateway, GUILD, tokens[0]).await;
    eventually("the stream is open", async || backend.streams() == 1).await;
    let mut others = [watch_as(&gateway, GUILD, tokens[1]).await, watch_as(&gateway, GUILD, tokens[2]).await];
    for other in &mut others {
        other.status().await;
    }
    backend.lets(tokens[0], 429);
    backend.lets(tokens[1], 500);
    backend.end_streams();
    backend.says(unhealthy());
    first.until("offline").await;
}
