//! Limits: each is reached once, says so, is counted, and lets others in again afterwards.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::support::command::{guildpulse, output};
use crate::support::raw::Raw;
use crate::support::{BOT_TOKEN, GUILD, SOON, Scene, Viewer, eventually, in_an_hour, shards, token};

fn stream(scene: &Scene, token: &str) -> RequestBuilder {
    let url = scene.url(&format!("/api/v1/guilds/{GUILD}/status/stream"));
    scene.http.get(url).bearer_auth(token)
}

/// A token of a viewer of this name.
fn named(name: &str) -> String {
    token(&json!({"sub": name, "guilds": [GUILD], "exp": in_an_hour()}))
}

async fn open(request: RequestBuilder) -> Viewer {
    Viewer::of(request.send().await.unwrap())
}

/// The code of a refusal, which says when to come again.
async fn refused(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    may_come_again(&answer);
    let problem: Value = answer.json().await.unwrap();
    (status, problem["code"].as_str().unwrap().to_owned(), problem["detail"].as_str().unwrap().to_owned())
}

fn may_come_again(answer: &Response) {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((2..=10).contains(&seconds), "{seconds}");
}

async fn has_a_place(request: RequestBuilder) -> bool {
    request.send().await.unwrap().status() == 200
}

/// Everything that comes until the server ends the connection.
async fn rest(raw: &mut Raw) -> String {
    let mut read = Vec::new();
    timeout(SOON + SOON, raw.0.read_to_end(&mut read)).await.expect("the connection ends").unwrap();
    String::from_utf8(read).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_set_by_flag_environment_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        "max_viewers = 5\nmax_viewers_per_principal = 5\nhead_timeout_ms = 5000\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    std::fs::write(folder.path().join("guildpulse.toml"), file).unwrap();
    let shown = async |arguments: &str| {
        let mut command = guildpulse(&format!("config --config guildpulse.toml {arguments}"), folder.path());
        command.env("GUILDPULSE_MAX_VIEWERS", "6").env("GUILDPULSE_MAX_VIEWERS_PER_PRINCIPAL", "6");
        String::from_utf8(output(command).await.stdout).unwrap()
    };
    let by_flag = shown("--max-viewers 7 --trusted-proxy 10.0.0.2,::1 --trusted-proxy 10.0.0.3").await;
    for line in [
        "max_viewers = 7",
        "max_viewers_per_principal = 6",
        "head_timeout_ms = 5000",
        r#"trusted_proxies = ["10.0.0.2/32", "::1/128", "10.0.0.3/32"]"#,
    ] {
        assert!(by_flag.lines().any(|shown| shown == line), "{line}: {by_flag}");
    }
    assert!(shown("").await.contains(r#"trusted_proxies = ["10.0.0.0/8"]"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_and_has_a_place_again_when_a_stream_ends() {
    let scene = Scene::with(|config| config.limits.max_viewers = Some(2)).await;
    let (first, _second) = (scene.watch(GUILD).await, scene.watch(GUILD).await);
    let (status, code, detail) = refused(stream(&scene, &named("x"))).await;
    assert_eq!((status, code.as_str()), (503, "too_many_viewers"), "{detail}");
    assert_eq!((scene.reached("viewers").await, scene.metric("guildpulse_viewers").await), (1, 2));
    assert_eq!(scene.status(GUILD).await["state"], "unknown", "who asks once is answered");
    drop(first);
    eventually("the place is given back", || has_a_place(stream(&scene, &named("x")))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_given_back_when_the_token_of_its_stream_ends() {
    let scene = Scene::with(|config| config.limits.max_viewers = Some(1)).await;
    // It ends in one to two seconds, its leeway included.
    let exp = in_an_hour() - 3600 - 3;
    let mut viewer = open(stream(&scene, &token(&json!({"sub": "x", "guilds": [GUILD], "exp": exp})))).await;
    assert_eq!(refused(stream(&scene, &named("y"))).await.1, "too_many_viewers");
    let deadline = Instant::now() + SOON;
    while viewer.event_by(deadline).await.is_some() {}
    eventually("the place is given back", || has_a_place(stream(&scene, &named("y")))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authentication_validation_and_permission_come_before_limits() {
    let scene = Scene::with(|config| config.limits.max_viewers = Some(1)).await;
    let _viewer = scene.watch(GUILD).await;
    let code = async |path: &str, token: &str| {
        let request = scene.http.get(scene.url(path)).bearer_auth(token);
        let (status, problem) = crate::support::answer(request).await;
        format!("{} {}", status.as_u16(), problem["code"].as_str().unwrap())
    };
    let stream = format!("/api/v1/guilds/{GUILD}/status/stream");
    assert_eq!(code(&stream, "nobody").await, "401 invalid_credential");
    assert_eq!(code("/api/v1/guilds/007/status/stream", &named("x")).await, "400 invalid_guild_id");
    assert_eq!(code("/api/v1/guilds/7/status/stream", &named("x")).await, "403 guild_not_allowed");
    assert_eq!(code(&stream, &named("x")).await, "503 too_many_viewers");
    assert_eq!(scene.reached("viewers").await, 1, "only what got as far as the limit counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_a_stream_takes_no_lasting_place() {
    let scene = Scene::with(|config| config.limits.max_viewers = Some(1)).await;
    for _ in 0..3 {
        let url = scene.url(&format!("/api/v1/guilds/{GUILD}/status/stream"));
        let head = scene.http.request(Method::HEAD, url).bearer_auth(named("x")).send().await.unwrap();
        assert_eq!(head.status(), 200);
    }
    open(stream(&scene, &named("x"))).await.status().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_has_its_share_whatever_token_it_shows() {
    let scene = Scene::with(|config| config.limits.max_viewers_per_principal = Some(1)).await;
    let first = open(stream(&scene, &named("x"))).await;
    let other = token(&json!({"sub": "x", "guilds": "*", "exp": in_an_hour() + 1}));
    let (status, code, detail) = refused(stream(&scene, &other)).await;
    assert_eq!((status, code.as_str()), (429, "too_many_streams"));
    assert_eq!(detail, "open streams per principal: at most 1; close one first");
    let _others = [
        open(stream(&scene, &named("y"))).await,
        open(stream(&scene, &token(&json!({"sub": "x", "role": "operator", "exp": in_an_hour()})))).await,
    ];
    assert_eq!((scene.reached("principal").await, scene.reached("viewers").await), (1, 0));
    drop(first);
    eventually("the place is given back", || has_a_place(stream(&scene, &other))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_and_only_a_trusted_proxy_may_name_another() {
    let scene = Scene::with(|config| {
        config.limits.max_viewers_per_address = Some(1);
        config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
    })
    .await;
    let from = |forwarded: &str| stream(&scene, &named("x")).header("x-forwarded-for", forwarded);
    let first = open(from("198.51.100.7")).await;
    for same in ["198.51.100.7", "6.6.6.6, 198.51.100.7:4711", "::ffff:198.51.100.7, 10.0.0.1"] {
        let (status, code, detail) = refused(from(same)).await;
        assert_eq!((status, code.as_str()), (429, "too_many_streams"), "{same}");
        assert_eq!(detail, "open streams per address: at most 1; close one first");
    }
    let two_lines = stream(&scene, &named("x")).header("x-forwarded-for", "6.6.6.6");
    assert_eq!(refused(two_lines.header("x-forwarded-for", "198.51.100.7")).await.0, 429);
    let _others = [open(from("198.51.100.8")).await, open(from("2001:db8::1")).await];
    assert_eq!(refused(from("[2001:db8::ffff:2]:80")).await.0, 429, "the same /64");
    assert_eq!(scene.reached("address").await, 5);
    drop(first);
    eventually("the place is given back", || has_a_place(from("198.51.100.7"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_else_says_of_its_address_does_not_count() {
    let scene = Scene::with(|config| config.limits.max_viewers_per_address = Some(1)).await;
    let _viewer = open(stream(&scene, &named("x")).header("x-forwarded-for", "198.51.100.7")).await;
    assert_eq!(refused(stream(&scene, &named("y")).header("x-forwarded-for", "198.51.100.8")).await.0, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so_whatever_it_sends() {
    let scene = Scene::with(|config| config.limits.max_connections = Some(2)).await;
    let line = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = Raw::send(scene.addr, line).await;
    let mut second = Raw::send(scene.addr, line).await;
    assert!(first.until("ok\n").await.starts_with("HTTP/1.1 200") && second.until("ok\n").await.contains("200"));
    assert_eq!(scene.metric("guildpulse_connections").await, 2);
    // More than the server reads before it answers.
    let large =
        format!("POST /api/v1/heartbeats HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    for request in [line, &large] {
        let refusal = rest(&mut Raw::send(scene.addr, request).await).await.to_lowercase();
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("http/1.1 503 service unavailable\r\n"), "{head}");
        for header in ["content-type: application/problem+json", "connection: close", "retry-after: "] {
            assert!(head.contains(header), "{head}");
        }
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "too_many_connections");
    }
    let answer = scene.http.get(scene.url("/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 503, "a client that knows HTTP reads it, too");
    may_come_again(&answer);
    assert_eq!(scene.reached("connections").await, 3);
    drop(first);
    eventually("there is a place again", || has_a_place(scene.http.get(scene.url("/healthz")))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_refused_at_once_and_the_others_are_cut() {
    let scene = Scene::with(|config| config.limits.max_connections = Some(1)).await;
    let _viewer = scene.watch(GUILD).await;
    // They ask nothing, so that each refusal waits for them for as long as it will.
    let opened = join_all((0..100).map(|_| Raw::send(scene.addr, ""))).await;
    let ended = join_all(opened.into_iter().map(async |mut raw| {
        assert_eq!(rest(&mut raw).await, "");
        Instant::now()
    }));
    let mut ended = ended.await;
    ended.sort();
    assert!(ended[99] - ended[0] > Duration::from_millis(500), "all of them were waited for");
    assert_eq!(scene.reached("connections").await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_still_takes_beats_on_its_admin_address() {
    let scene = Scene::with(|config| config.limits.max_connections = Some(1)).await;
    let mut viewer = scene.watch(GUILD).await;
    viewer.status().await;
    let beat = scene.http.post(format!("http://{}/api/v1/heartbeats", scene.admin)).bearer_auth(BOT_TOKEN);
    let beat = beat.json(&json!({"shards": shards([0], 1, "ready")})).send().await.unwrap();
    assert_eq!(beat.status(), 200);
    viewer.until("online").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_slow_heads_are_cut_and_counted_and_hold_nobody_up() {
    let scene = Scene::with(|config| config.limits.head_timeout_ms = 1500).await;
    // Neither of these has begun a head that it does not end.
    let mut silent = Raw::send(scene.addr, "").await;
    let mut idle = Raw::send(scene.addr, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let slow = join_all((0..300).map(|_| async {
        let mut raw = Raw::send(scene.addr, "GET /healthz HTTP/1.1\r\nHost: ").await;
        let (mut read, mut write) = raw.0.split();
        let dripping = async {
            let mut due = interval(Duration::from_millis(200));
            while write.write_all(b"x").await.is_ok() {
                due.tick().await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        tokio::select! {
            // A reset is an end as well.
            read = timeout(SOON, read.read_to_end(&mut answer)) => drop(read.expect("it is cut")),
            () = dripping => {}
        }
        assert_eq!(answer, b"");
    }));
    let served = async {
        for _ in 0..10 {
            let asked = Instant::now();
            scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
            assert!(asked.elapsed() < Duration::from_secs(1), "a beat took {:?}", asked.elapsed());
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(slow, served);
    assert!(idle.until("ok\n").await.starts_with("HTTP/1.1 200"));
    assert_eq!((rest(&mut idle).await.as_str(), rest(&mut silent).await.as_str()), ("", ""), "idle ones end, too");
    assert_eq!(scene.reached("head_time").await, 300, "each slow head counts, and no idle connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn overlong_heads_are_431_and_counted_and_hold_nobody_up() {
    let scene = Scene::with(|config| config.limits.max_head_bytes = 8192).await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(60_000));
    let answers = join_all((0..200).map(|_| async { rest(&mut Raw::send(scene.addr, &request).await).await })).await;
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
    assert_eq!(scene.reached("head").await, 200);
    assert_eq!(scene.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_an_overlong_head_is_not_lost_to_a_reset() {
    let scene = Scene::with(|config| config.limits.max_head_bytes = 8192).await;
    let request = format!("GET /healthz HTTP/1.1\r\nX-Large: {}", "x".repeat(60_000));
    let mut raw = Raw::send(scene.addr, &request).await;
    assert!(rest(&mut raw).await.starts_with("HTTP/1.1 431 "));
    // It is not done with its head. On a connection that was reset, a second write fails.
    for _ in 0..10 {
        raw.0.write_all(&[b'x'; 1000]).await.expect("the server still reads");
        sleep(Duration::from_millis(10)).await;
    }
    raw.0.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_408_and_counted() {
    let scene = Scene::with(|config| config.limits.body_timeout_ms = 300).await;
    let head = format!(
        "POST /api/v1/heartbeats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOT_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let answers = join_all((0..100).map(|_| async { rest(&mut Raw::send(scene.addr, &head).await).await })).await;
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
        assert!(answer.contains("request_timeout") && answer.contains("within 300ms"), "{answer:?}");
    }
    assert_eq!(scene.reached("body_time").await, 100);
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlong_body_is_413_and_counted() {
    let scene = Scene::with(|config| config.limits.max_body_bytes = 4096).await;
    let post = |bytes: usize| {
        let body = format!("{}{}", " ".repeat(bytes - 2), "{}");
        scene.post("/api/v1/goodbye", &Value::Null).body(body).send()
    };
    let answer = post(4097).await.unwrap();
    assert_eq!(answer.status(), 413);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "body_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("4096 bytes"), "{problem}");
    assert_eq!(post(4096).await.unwrap().status(), 200);
    assert_eq!(scene.reached("body").await, 1);
}
