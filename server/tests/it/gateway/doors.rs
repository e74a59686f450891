//! Who is let in, and what becomes of it if the backend says no, or nothing that can be understood.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use super::{gateway, get, status_of, stream_of, watch_as};
use crate::support::backend::{Answer, Backend, TOKEN};
use crate::support::by_hand::{ByHand, problem};
use crate::support::raw::Raw;
use crate::support::{GUILD, Scene};

#[tokio::test]
async fn a_refusal_of_the_backend_keeps_its_status_and_nobody_gets_a_byte_of_the_stream() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    // Somebody who may is there, so there is something to give away.
    let _viewer = watch_as(&gateway, GUILD, TOKEN).await;
    for (status, code) in [
        (400, "upstream_refused"),
        (401, "invalid_credential"),
        (403, "guild_not_allowed"),
        (404, "not_found"),
        (410, "upstream_refused"),
        (429, "upstream_refused"),
        (500, "upstream_refused"),
        (503, "upstream_refused"),
    ] {
        let token = format!("token-{status}");
        backend.lets(&token, status);
        for path in [status_of(GUILD), stream_of(GUILD), format!("/api/v1/streams?guilds={GUILD}")] {
            let answer = get(&gateway, &path, &token).await;
            assert_eq!(answer.status().as_u16(), status, "{path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
            assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401, "{path}");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{path}");
        }
    }
}

#[tokio::test]
async fn what_the_backend_says_of_a_refusal_is_passed_on_if_it_says_it_as_we_do() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    ["an-old-token", "another-token"].iter().for_each(|token| backend.lets(token, 200));
    let body = problem(401, "expired_credential", "the token ended");
    backend.answers(Some(Answer::of(401, &body)));
    let answer = get(&gateway, &status_of(GUILD), "an-old-token").await;
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("expired"));
    assert_eq!(answer.json::<Value>().await.unwrap(), serde_json::from_str::<Value>(&body).unwrap());
    // What does not fit is not believed.
    backend.answers(Some(Answer::of(403, &body)));
    let answer = get(&gateway, &status_of(GUILD), "another-token").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.json::<Value>().await.unwrap()["code"]),
        (403, &"guild_not_allowed".into())
    );
}

#[tokio::test]
async fn when_the_backend_wants_to_be_asked_again_is_passed_on() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    for status in [429, 503] {
        backend.answers(Some(Answer::of(status, "").with("retry-after", "37")));
        for _ in 0..2 {
            let answer = get(&gateway, &status_of(GUILD), TOKEN).await;
            assert_eq!((answer.status().as_u16(), &answer.headers()[RETRY_AFTER]), (status, &"37".parse().unwrap()));
        }
    }
    assert_eq!(backend.counts(), (0, 4), "such an answer is not kept");
}

#[tokio::test]
async fn an_answer_that_is_no_status_is_a_bad_gateway_and_no_redirect_is_followed() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let elsewhere = backend.url() + "/api/v1/guilds/1/status";
    for answer in [
        Answer::of(200, "<!doctype html><title>Sign in</title>").with("content-type", "text/html"),
        Answer::of(200, r#"{"healthy":"yes"}"#),
        Answer::of(200, ""),
        Answer::of(204, ""),
        Answer::of(302, "").with("location", elsewhere),
        Answer::of(304, ""),
    ] {
        backend.answers(Some(answer.clone()));
        let refused = get(&gateway, &stream_of(GUILD), TOKEN).await;
        assert_eq!(refused.status(), 502, "{answer:?}");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "upstream_invalid", "{answer:?}");
    }
    assert!(backend.asked().iter().all(|asked| asked.target == format!("/api/v1/guilds/{GUILD}/status")));
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_bad_gateway_and_one_that_does_not_answer_a_late_one() {
    let backend = Backend::start().await;
    let gone = gateway(&backend).await;
    drop(backend.kill().await);
    let refused = get(&gone, &status_of(GUILD), TOKEN).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.json::<Value>().await.unwrap()["code"]),
        (502, &"upstream_unreachable".into())
    );

    let silent = ByHand::start().await;
    let url = silent.url().parse().unwrap();
    let gateway = Scene::with(|config| config.upstream.upstream = Some(url)).await;
    let (asked, late) = tokio::join!(silent.asked_within(Duration::from_secs(5)), async {
        let http = crate::support::client(Duration::from_secs(15));
        http.get(gateway.url(&status_of(GUILD))).bearer_auth(TOKEN).send().await.unwrap()
    });
    assert_eq!((late.status().as_u16(), &late.json::<Value>().await.unwrap()["code"]), (504, &"upstream_timeout".into()));
    drop(asked);
}

#[tokio::test]
async fn many_who_ask_the_same_are_one_question_and_its_answer_counts_for_a_while() {
    let backend = Backend::start().await;
    backend.takes(Duration::from_millis(200));
    let gateway = gateway(&backend).await;
    backend.lets("another-token", 200);
    let path = status_of(GUILD);
    let answers = join_all((0..20).map(|_| get(&gateway, &path, TOKEN))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(backend.counts(), (0, 1));
    get(&gateway, &path, TOKEN).await;
    assert_eq!(backend.counts(), (0, 1));
    // It counts for nobody else, and for no other guild.
    get(&gateway, &path, "another-token").await;
    get(&gateway, &status_of("1"), TOKEN).await;
    assert_eq!(backend.counts(), (0, 3));
}

#[tokio::test]
async fn at_most_32_questions_are_open_at_once_and_who_would_wait_long_may_come_back() {
    let backend = Backend::start().await;
    backend.takes(Duration::from_secs(3));
    let gateway = gateway(&backend).await;
    let path = status_of(GUILD);
    let tokens: Vec<_> = (0..50).map(|number| format!("token-{number}")).collect();
    tokens.iter().for_each(|token| backend.lets(token, 200));
    let answers = join_all(tokens.iter().map(|token| get(&gateway, &path, token))).await;
    let (fine, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
    assert_eq!((fine.len(), refused.len(), backend.most_in_flight()), (32, 18, 32));
    for answer in refused {
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key(RETRY_AFTER)), (503, true));
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "too_many_checks");
    }
    assert_eq!(gateway.reached("checks").await, 18);
}

#[tokio::test]
async fn nothing_of_a_request_reaches_the_backend_but_the_guild_and_the_credential() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let refused = async |path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
        let head = Raw::send(gateway.addr, &request).await.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().to_owned();
        assert!(matches!(&*status, "400" | "404"), "{path}: {head}");
    };
    for path in [
        "/api/guilds/..%2f..%2fadmin/status",
        "/api/guilds/1%2f..%2f2/status",
        "/api/guilds/1;x/status",
        "/api/guilds/%31%00/status",
        "/api/guilds/1%0d%0aHost:%20evil/status",
        "/api/guilds/%20%31/status",
        "/api/v1/streams?guilds=1,../2",
        "/api/v1/streams?guilds=1%2f..%2f2",
        "/api/guilds/../../api/v1/guilds/1/status/../../admin",
    ] {
        refused(path).await;
    }
    // Bytes that no token has end the request here.
    for header in [
        "Authorization: Bearer a b",
        "Cookie: auth_token=\"a b\"",
        "Cookie: auth_token=a\tb",
        "Authorization: Bearer \u{e4}",
    ] {
        let mut raw = Raw::send(
            gateway.addr,
            &format!("GET {} HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n", status_of(GUILD)),
        )
        .await;
        assert!(raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 401 "), "{header}");
    }
    assert_eq!(backend.counts(), (0, 0));
    // What might have been an id is told only to those whom the backend knows.
    for path in ["/api/guilds/0/status", "/api/guilds/-1/status/stream", "/api/statuses?guilds=18446744073709551616"] {
        refused(path).await;
    }
    let targets: Vec<_> = backend.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/api/v1/guilds/1/status"]);

    let absolute = format!("http://evil.example{}?x=1", status_of("%34%32"));
    let cookies = format!("session=secret; auth_token={TOKEN}; other=1");
    let request = format!(
        "GET {absolute} HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookies}\r\nX-Forwarded-For: 1.2.3.4\r\nX-Secret: 1\r\n\
         Accept-Language: de\r\nUser-Agent: somebody\r\nIf-None-Match: *\r\nLast-Event-ID: 7\r\nConnection: close\r\n\r\n"
    );
    let mut raw = Raw::send(gateway.addr, &request).await;
    let head = raw.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 304 ") || head.starts_with("HTTP/1.1 200 "), "{head}");
    let asked = backend.asked().pop().unwrap();
    assert_eq!((&*asked.target, backend.counts()), ("/api/v1/guilds/42/status", (0, 2)));
    let headers = &asked.headers;
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["accept", "authorization", "host", "user-agent"]);
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(
        (&headers["host"], headers["user-agent"].to_str().unwrap().starts_with("guildpulse/")),
        (&backend.addr.to_string().parse().unwrap(), true)
    );
}

#[tokio::test]
async fn a_cookie_counts_from_the_own_pages_only_and_none_is_401() {
    let backend = Backend::start().await;
    let gateway = gateway(&backend).await;
    let ask = async |headers: &[(&str, &str)]| {
        let request = gateway.http.get(gateway.url(&status_of(GUILD)));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap()["code"].as_str().map(str::to_owned))
    };
    let cookie = ("cookie", &*format!("auth_token={TOKEN}"));
    assert_eq!(ask(&[]).await, (401, Some("missing_credential".into())));
    assert_eq!(ask(&[cookie, ("sec-fetch-site", "cross-site")]).await, (403, Some("origin_not_allowed".into())));
    assert_eq!(backend.counts(), (0, 0));
    assert_eq!(ask(&[cookie, ("sec-fetch-site", "same-origin")]).await, (200, None));
}

#[tokio::test]
async fn a_storm_of_5000_viewers_asks_no_more_than_32_questions_at_once_and_lets_in_whom_it_can() {
    let backend = Backend::start().await;
    backend.takes(Duration::from_millis(5));
    let gateway = gateway(&backend).await;
    let http = crate::support::client(Duration::from_secs(60));
    let tokens: Vec<_> = (0..5000).map(|number| format!("token-{number}")).collect();
    tokens.iter().for_each(|token| backend.lets(token, 200));
    let url = gateway.url(&stream_of(GUILD));
    let answers = join_all(tokens.iter().map(|token| http.get(&url).bearer_auth(token).send())).await;
    let (fine, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().map(Result::unwrap).partition(|answer| answer.status() == 200);
    assert!(refused.iter().all(|answer| answer.status() == 503 && answer.headers().contains_key(RETRY_AFTER)));
    assert!(fine.len() > 32, "{} are in", fine.len());
    assert_eq!((backend.most_in_flight(), backend.counts().0), (32, 1));
    assert_eq!(gateway.metric("guildpulse_viewers").await, u64::try_from(fine.len()).unwrap());
}
