//! Connections that end, fail, fall silent or are refused, by a server that does it on purpose.

use super::*;
use crate::support::by_hand::problem;

/// Long enough for a wait that somebody asked for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server whose first stream has brought a status.
async fn watched() -> (ByHand, Watching, Asked) {
    let (server, mut watching, mut asked) = asking().await;
    asked.hello(0, 1000).await;
    asked.status(&status("online", None, "12.10")).await;
    watching.line().await;
    (server, watching, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_goodbye_it_is_back_when_it_was_told_to() {
    let (server, mut watching, mut asked) = watched().await;
    asked.goodbye("shutdown", 2000).await;
    assert_eq!(watching.news().await, "guildpulse: Connection lost: the server is stopping · next try in 2 s");
    let mut back = server.asked_within(PATIENCE).await;
    let waited = back.at - asked.at;
    assert!(waited >= Duration::from_millis(1950), "{waited:?}");
    back.hello(0, 1000).await;
    // A new boot with an old revision: a lost data folder must not freeze what is shown.
    back.status(&status("offline", Some("fatal"), "12.9")).await;
    assert!(watching.line().await.contains(" offline fatal "));
    assert_eq!(watching.news().await, "guildpulse: Connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_without_a_hello_is_none() {
    let (_server, mut watching, mut asked) = asking().await;
    asked.stream().await;
    asked.goodbye("expired", 0).await;
    asked.status(&status("online", None, "12.10")).await;
    assert!(watching.line().await.contains(" online "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ended_is_tried_once_more_and_the_answer_decides() {
    let (server, mut watching, mut asked) = watched().await;
    asked.goodbye("expired", 60_000).await;
    let mut again = server.asked_within(SOON).await;
    again.answer("401 Unauthorized", "", &problem(401, "expired_credential", "the token \u{1b}[2Jhas expired")).await;
    assert_eq!(ended(&mut watching.process).await.code(), Some(1));
    assert!(watching.news().await.contains("the token has expired · trying now"));
    assert_eq!(watching.news().await, "guildpulse: 401 Unauthorized: the token \u{fffd}[2Jhas expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_would_be_the_same_again_ends_it_with_its_reason() {
    let html = "Content-Type: text/html\r\n";
    let forbidden = problem(403, "guild_not_allowed", "not this guild");
    for (answer, headers, body, words) in [
        ("401 Unauthorized", "", problem(401, "invalid_credential", "signed by another"), "signed by another"),
        ("403 Forbidden", "", forbidden, "not this guild"),
        ("400 Bad Request", "", problem(400, "invalid_guild_id", "no id"), "no id"),
        ("404 Not Found", html, "<p>nothing</p>".into(), "404 Not Found; is a guildpulse at this URL?"),
        ("405 Method Not Allowed", "", String::new(), "405 Method Not Allowed; is a guildpulse"),
        ("200 OK", html, "<p>welcome</p>".into(), "text/html instead of a stream"),
        ("204 No Content", "", String::new(), "204 No Content instead of a stream"),
        ("200 OK", "", String::new(), "an answer without a type instead of a stream"),
    ] {
        let (_server, mut watching, mut asked) = asking().await;
        asked.answer(answer, headers, &body).await;
        let (code, said) = watching.refused().await;
        assert!(code == Some(1) && said.contains(words), "{answer}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_is_asked_again_when_it_says() {
    let (server, mut watching, mut first) = asking().await;
    first.answer("503 Service Unavailable", "Retry-After: 3\r\n", &problem(503, "too_many_viewers", "full")).await;
    assert!(watching.news().await.starts_with("guildpulse: Cannot connect: 503 Service Unavailable: full · next try in "));
    let mut second = server.asked_within(PATIENCE).await;
    let waited = second.at - first.at;
    assert!(waited >= Duration::from_millis(2950), "{waited:?}");
    second.answer("500 Internal Server Error", "", "").await;
    let mut third = server.asked_within(PATIENCE).await;
    third.hello(0, 1000).await;
    third.status(&status("online", None, "12.10")).await;
    assert!(watching.line().await.contains(" online "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fell_silent_is_given_up() {
    let (server, mut watching, asked) = watched().await;
    let again = server.asked_within(PATIENCE).await;
    let waited = again.at - asked.at;
    assert!(waited >= Duration::from_millis(3450), "2.5 intervals and a second, but {waited:?}");
    assert!(watching.news().await.contains("the stream fell silent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_opens_and_says_nothing_is_given_up_after_5_s() {
    let (server, _watching, mut asked) = asking().await;
    asked.hello(0, 15_000).await;
    let again = server.asked_within(PATIENCE).await;
    let waited = again.at - asked.at;
    assert!(waited >= Duration::from_millis(5950), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_an_end_is_cut_off() {
    let (server, mut watching, mut asked) = watched().await;
    asked.say(&format!("data: {}", "x".repeat(400_000))).await;
    assert!(watching.news().await.contains("a line of the stream has more than 262144 bytes"));
    server.asked_within(PATIENCE).await;
}
