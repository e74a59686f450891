//! The page at `/`: its files, and how a browser signs in. What it does in a browser is shown in
//! web/e2e.

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use crate::support::command::{Served, guildpulse};
use crate::support::terminal::Terminal;
use crate::support::{BOT_TOKEN, GUILD, SOON, Scene, answer, client, in_an_hour, token};

/// What the server sets when it is shown this credential.
async fn signed_in(scene: &Scene, credential: &str) -> (StatusCode, Option<String>, Value) {
    let answer = scene.http.post(scene.url("/page/session")).bearer_auth(credential).send().await.unwrap();
    let cookie = answer.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
    (answer.status(), cookie, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_the_page_names_is_there_and_nothing_comes_from_elsewhere() {
    let scene = Scene::start().await;
    let mut waiting = vec!["/".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let answer = scene.http.get(scene.url(&path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-cache", "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        if path == "/" {
            let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        }
        let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        let script = kind.starts_with("text/javascript");
        for before in ["src=\"", "href=\"", "from './"] {
            for name in text.split(before).skip(1).map(|rest| rest.split(['"', '\'']).next().unwrap()) {
                if name.starts_with('#') {
                    continue;
                }
                let path = if script { format!("/page/{name}") } else { name.to_owned() };
                assert!(path.starts_with("/page/"), "{path} is from elsewhere");
                if !seen.contains(&path) {
                    waiting.push(path);
                }
            }
        }
        assert!(!text.contains("style=") && !text.contains("onclick="), "{path} has something inline");
        seen.push(path);
    }
    assert!(seen.len() > 7, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_becomes_a_cookie_that_no_script_can_read() {
    let scene = Scene::start().await;
    let viewer = scene.viewer(&[GUILD]);
    let (status, cookie, _) = signed_in(&scene, &viewer).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let cookie = cookie.unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(pair, format!("auth_token={viewer}"));
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(attributes.split("; ").any(|given| given == attribute), "{attributes}");
    }
    let age = attributes.split("; ").find_map(|given| given.strip_prefix("Max-Age=")).unwrap().parse::<u64>().unwrap();
    assert!((3590..=3606).contains(&age), "as long as the token, leeway included: {age}");
    assert!(!attributes.contains("Secure"), "it is reached without TLS");

    let status = scene.http.get(scene.url(&format!("/api/v1/guilds/{GUILD}/status"))).header(COOKIE, pair);
    assert_eq!(status.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_secure() {
    let scene = Scene::with(|config| config.public_url = Some("https://status.example".parse().unwrap())).await;
    let (_, cookie, _) = signed_in(&scene, &scene.operator()).await;
    assert!(cookie.unwrap().contains("; Secure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_credential_of_a_viewer_signs_nobody_in() {
    let scene = Scene::start().await;
    let expired = token(&json!({"role": "operator", "exp": in_an_hour() - 7200}));
    let long = token(&json!({"role": "operator", "exp": in_an_hour(), "note": "n".repeat(4096)}));
    for (credential, status, code) in [
        ("x", 401, "invalid_credential"),
        (&expired, 401, "expired_credential"),
        (BOT_TOKEN, 403, "guild_not_allowed"),
        (&long, 401, "invalid_credential"),
    ] {
        let (answered, cookie, problem) = signed_in(&scene, credential).await;
        assert_eq!((answered.as_u16(), problem["code"].as_str(), cookie), (status, Some(code), None), "{problem}");
    }
    // A link that somebody has made must not sign others in as whom it likes.
    let code = scene.http.post(scene.url("/page/code")).bearer_auth(scene.operator());
    assert_eq!(code.send().await.unwrap().status(), 401, "a token is no code");
    // A cookie is no way to a cookie: a page of another site could send it.
    let with_cookie = scene.http.post(scene.url("/page/session")).header(COOKIE, format!("auth_token={}", scene.operator()));
    let (status, problem) = answer(with_cookie).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (401, Some("missing_credential")));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_at_a_terminal_gets_a_link_that_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(guildpulse("serve --listen 127.0.0.1:0", folder.path()), 30, 200);
    let shown = terminal.until(|screen| screen.contains("/#code=")).await;
    let (before, after) = shown.split_once("/#code=").unwrap();
    let (url, code) = (before.split_whitespace().last().unwrap(), after.split_whitespace().next().unwrap());
    for (path, status) in [("session", 401), ("code", 204), ("code", 401)] {
        let session = client(SOON).post(format!("{url}/page/{path}")).bearer_auth(code).send().await.unwrap();
        assert_eq!(session.status(), status, "{path}");
    }
    terminal.until(|screen| screen.contains("That link was used. For another browser:")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_to_begin_is_for_operators() {
    let scene = Scene::start().await;
    let (status, start) = answer(scene.get("/page/start")).await;
    assert_eq!((status, start["demo"].as_bool(), &start["guildId"]), (StatusCode::OK, Some(false), &Value::Null));
    assert_eq!(start["tokenFile"], Value::Null, "the token of this bot is set otherwise");
    for (credential, status) in [(scene.viewer(&[GUILD]), 403), (BOT_TOKEN.into(), 403), ("x".into(), 401)] {
        let asked = scene.http.get(scene.url("/page/start")).header(AUTHORIZATION, format!("Bearer {credential}"));
        assert_eq!(asked.send().await.unwrap().status(), status);
    }
    assert_eq!(scene.http.post(scene.url("/demo/crash")).send().await.unwrap().status(), 404, "there is no demo");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_to_copy_names_the_program_and_the_file_with_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path()).await;
    let operator = crate::support::command::printed("token --data data --operator", folder.path()).await;
    let (_, start) = answer(client(SOON).get(format!("{}/page/start", served.url)).bearer_auth(operator)).await;
    let file = start["tokenFile"].as_str().unwrap();
    assert_eq!(std::fs::canonicalize(file).unwrap(), folder.path().canonicalize().unwrap().join("data/bot-token"));
    assert_eq!(start["program"], env!("CARGO_BIN_EXE_guildpulse"));
}
